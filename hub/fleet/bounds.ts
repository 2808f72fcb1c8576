import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { DAY_MS } from '../monitoring/calendar.js';
import type { HubState } from '../store/state.js';
import { takenUntil } from './streams.js';

/**
 * What a device can claim in a window, beside what its counts say of each other
 * (shared/contract/contradiction.ts) and what its number says (streams.ts). Everything is pure; instants are
 * milliseconds since the epoch.
 */

type Device = HubState['devices'][string];

/** A frame is looked at at most so often in a second. */
const FRAMES_PER_SECOND = 120;
/** Windows may be cut short when an arm changes; one is worth a minute's counts at least. */
const LEAST_SECONDS = 60;
/** The longest window that an agent can be told to make is a day; merged ones of a full spool are longer. */
const LONGEST_MS = 45 * DAY_MS;

/** Counts that nobody gets together in the time of the window; null where they may be true. */
export function excess({ start, end, episodes, frames, adFrames, latency }: WindowReport): string | null {
  if (Date.parse(end) - Date.parse(start) > LONGEST_MS) return 'it is longer than any agent makes one';
  const seconds = secondsOf(Date.parse(start), Date.parse(end));
  const inferences = (buckets: readonly (readonly [number, number])[]) =>
    buckets.reduce((sum, [, n]) => sum + n, 0);
  for (const [count, what, most] of [
    [episodes, 'episodes', seconds],
    [frames, 'frames', FRAMES_PER_SECOND * seconds],
    [adFrames, 'frames of advertisements', FRAMES_PER_SECOND * seconds],
    [inferences(latency.production), 'inferences of production', FRAMES_PER_SECOND * seconds],
    [inferences(latency.candidate ?? []), 'inferences of the candidate', FRAMES_PER_SECOND * seconds],
  ] as const)
    if (count > most) return `${count} ${what} in ${seconds} s, at most ${most}`;
  return null;
}

function secondsOf(start: number, end: number): number {
  return Math.max(LEAST_SECONDS, Math.ceil((end - start) / 1000));
}

/** Why a window is none of this device's: its time, its models or its rollout; null where it may be. */
export function foreign(
  report: WindowReport,
  device: Device,
  state: Readonly<HubState>,
  [unknown] = unknownArms(report, device, state),
): string | null {
  const early = beforeEnrolment(report, device);
  if (early !== null || mayBeForgotten(report, state)) return early;
  if (unknown === undefined) return unassigned(report, device, state);
  return `its ${unknown} is ${report[unknown]?.slice(0, 12)}, which this hub has not registered`;
}

/**
 * A hub that was restored has forgotten versions and rollouts of after the backup. Its devices ran them, until they hear
 * what they shall run now, and keep windows for as long as one may be.
 */
function mayBeForgotten({ start }: WindowReport, { revisionFloor }: Readonly<HubState>): boolean {
  // A restore numbers revisions from its time on, in microseconds (hub/backup/leap.ts).
  return Date.parse(start) < revisionFloor / 1000 + LONGEST_MS && revisionFloor > 0;
}

/** Arms whose model is no version of any name: a device that was moved still has windows of the model before. */
export function unknownArms(
  report: WindowReport,
  { model }: Device,
  { models }: Readonly<HubState>,
): ('production' | 'candidate')[] {
  const isOf = (name: string, digest: string) => {
    const { versions = {}, deleted = {} } = ownValue(models, name) ?? {};
    return (
      Object.values(versions).some(({ manifest }) => manifest.digest === digest) ||
      Object.values(deleted).some((gone) => gone.digest === digest)
    );
  };
  return (['production', 'candidate'] as const).filter((arm) => {
    const digest = report[arm];
    if (digest === null || isOf(model, digest)) return false;
    return Object.keys(models).every((name) => !isOf(name, digest));
  });
}

/** The window that is open at an enrolment began before it, and a window lasts a day at most. */
function beforeEnrolment(
  { start }: WindowReport,
  { enrolled, firstEnrolled = enrolled }: Device,
): string | null {
  if (Date.parse(start) >= Date.parse(firstEnrolled) - DAY_MS) return null;
  return `it begins at ${start}, and this device was enrolled at ${firstEnrolled}`;
}

/** A rollout that the device is in, or was in when it counted. */
function unassigned(
  { rollout: id }: WindowReport,
  { id: device, desired, rolloutsLeft = [] }: Device,
  { rollouts }: Readonly<HubState>,
) {
  if (id === null || desired?.rollout === id || rolloutsLeft.includes(id)) return null;
  const rollout = rollouts.find((one) => one.id === id);
  if (rollout === undefined) return `there is no rollout ${id}`;
  const { evidence, members } = rollout;
  if (Object.hasOwn(evidence.devices, device) || members.includes(device)) return null;
  return `it is of rollout ${id}, which this device is not part of`;
}

/**
 * The time that the newest windows of a device share: when it begins, and how many episodes all of them have.
 */
export type SharedTime = NonNullable<Device['window']>;

/**
 * Windows of one device follow each other, whatever its clock does (edge/shadow/windows.ts): no start comes
 * twice. One that begins within the one before it is of another pairing in the same window, or a sum of
 * several: they share their time, and have together no more episodes than that has seconds. One that begins
 * before it tells of a time that was told already: why it is refused.
 */
export function sharedTime(device: Device, report: WindowReport, now: number): SharedTime | string {
  const { start, end, episodes } = report;
  const until = takenUntil(device, now);
  const { window } = device;
  if (until === null || window === undefined || Date.parse(start) >= until) return { start, episodes };
  const first = Date.parse(window.start);
  if (Date.parse(start) < first)
    return `it begins at ${start}, and what came before it reaches until ${new Date(until).toISOString()}`;
  const all = window.episodes + episodes;
  const seconds = secondsOf(first, Math.max(until, Date.parse(end)));
  if (all > seconds)
    return `with the windows that it shares its time with it has ${all} episodes in ${seconds} s`;
  return { start: window.start, episodes: all };
}
