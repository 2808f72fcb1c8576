import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { CLOCK_TOLERANCE_MS, DAY_MS } from '../monitoring/calendar.js';
import { saturated } from '../rollouts/evidence.js';
import { type HubState, KEPT_STREAMS } from '../store/state.js';

/**
 * Numbers that go back: a lost spool, a restored image, an old card put in again. A device names the stream that its
 * numbers count in; what a number says holds inside its stream, what time says holds across streams.
 * docs/protocol/window-reports.md.
 */

type Device = HubState['devices'][string];
type Numbers = Pick<
  Device,
  | 'enrolled'
  | 'sequence'
  | 'stream'
  | 'earlierStreams'
  | 'watchedUntil'
  | 'missingWindows'
  | 'untold'
  | 'untoldSeconds'
>;
type Numbered = Pick<WindowReport, 'sequence' | 'stream' | 'start'>;

/**
 * Cards that are put in, images that are restored, spools that are lost, in a day; nobody has more of them by honest
 * means.
 */
const MOST_A_DAY = 4;

/** Where a report stands among those of its device that were taken before. */
type Standing =
  /** The next of its stream; so many before it never came. */
  | { readonly kind: 'next'; readonly missing: number }
  /**
   * Its numbers begin anew, so many seconds after all that was taken before. How many windows were made in them no
   * number says.
   */
  | { readonly kind: 'anew'; readonly seconds: number }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly why: string };

/** Pure; `now` in milliseconds since the epoch. */
export function standingOf(device: Numbers, report: Numbered, now: number): Standing {
  const stream = report.stream ?? device.stream;
  const until = takenUntil(device, now);
  const later = until !== null && Date.parse(report.start) >= until;
  const earlier =
    stream === undefined ? undefined : device.earlierStreams?.findLast((one) => one.stream === stream);
  // What was before its enrolment is not missing: an agent that enrols anew goes on with its numbers.
  if (device.sequence === 0)
    return earlier !== undefined && report.sequence <= earlier.sequence && !later
      ? { kind: 'duplicate' }
      : { kind: 'next', missing: 0 };
  const current = stream === device.stream;
  // An agent that was updated goes on with its numbers, and names their stream from now on.
  if ((current || device.stream === undefined) && report.sequence > device.sequence)
    return following(device, report.sequence - device.sequence - 1, now);
  const taken = current ? device.sequence : (earlier?.sequence ?? 0);
  if (report.sequence <= taken && !later) return { kind: 'duplicate' };
  if (until !== null && !later)
    return { kind: 'refused', why: 'it is of another stream, and its time was reported in one after it' };
  if (begunToday(device, now) >= MOST_A_DAY)
    return {
      kind: 'refused',
      why: `its numbers began anew ${MOST_A_DAY} times within a day; look at its card, or enrol it anew`,
    };
  return { kind: 'anew', seconds: until === null ? 0 : (Date.parse(report.start) - until) / 1000 };
}

/** No agent makes more than a window a second: a larger gap is a lie, or a number that a card has damaged. */
function following({ enrolled }: Pick<Device, 'enrolled'>, missing: number, now: number): Standing {
  const since = now - Date.parse(enrolled);
  // Enrolled while the hub's clock stood in the future: nobody can say.
  if (since < -CLOCK_TOLERANCE_MS) return { kind: 'next', missing };
  const most = Math.ceil((since + CLOCK_TOLERANCE_MS) / 1000);
  if (missing <= most) return { kind: 'next', missing };
  const why = `${missing} windows are missing before it, and since its enrolment it can have made ${most}`;
  return { kind: 'refused', why: `${why}; enrol it anew: \`adbreak devices claim --device ID\`` };
}

/** Writes down, in place, what a report that is taken says of the numbers. */
export function noteNumbers(
  device: Numbers,
  { sequence, stream }: Numbered,
  standing: Extract<Standing, { kind: 'next' | 'anew' }>,
  now: number,
): void {
  if (standing.kind === 'next') {
    // A number may be as high as one can be: two such gaps must not make a row that nobody can read.
    device.missingWindows = saturated(device.missingWindows + standing.missing);
    if (standing.missing > 0) device.untold = saturated((device.untold ?? 0) + standing.missing);
  } else {
    device.earlierStreams = withCurrent(device, now);
    device.untoldSeconds = (device.untoldSeconds ?? 0) + standing.seconds;
  }
  if (stream !== undefined) device.stream = stream;
  device.sequence = sequence;
}

/** What the rollout of this window has to hear, and is told once: windows that never came, whatever came in between. */
export function tellLost(
  device: Numbers,
  { rollout }: Pick<WindowReport, 'rollout'>,
): { readonly lost: number; readonly anewAfter?: number } {
  if (rollout === null) return { lost: 0 };
  const told = {
    lost: device.untold ?? 0,
    ...(device.untoldSeconds !== undefined && { anewAfter: device.untoldSeconds }),
  };
  if (device.untold !== undefined) delete device.untold;
  if (device.untoldSeconds !== undefined) delete device.untoldSeconds;
  return told;
}

/**
 * What stays known of a device's numbers when it is enrolled anew: an agent that keeps its spool sends some of it
 * again.
 */
export function numbersKept(
  device: Device | undefined,
  now: number,
): Pick<Device, 'earlierStreams' | 'watchedUntil'> {
  if (device?.stream === undefined && device?.earlierStreams === undefined) return {};
  return {
    earlierStreams: withCurrent(device, now),
    ...(device.watchedUntil !== undefined && { watchedUntil: device.watchedUntil }),
  };
}

function withCurrent(
  { stream, sequence, earlierStreams = [] }: Numbers,
  now: number,
): NonNullable<Device['earlierStreams']> {
  const current = { stream: stream ?? null, sequence, ended: new Date(now).toISOString() };
  return [...earlierStreams, ...(sequence > 0 ? [current] : [])].slice(-KEPT_STREAMS);
}

function begunToday({ earlierStreams = [] }: Numbers, now: number): number {
  return earlierStreams.filter(({ ended }) => {
    const ago = now - Date.parse(ended);
    return ago > -CLOCK_TOLERANCE_MS && ago < DAY_MS;
  }).length;
}

/**
 * The end of the last window that was taken, milliseconds since the epoch; null where nobody can say: an end in the future was
 * written down while the hub's clock was wrong.
 */
export function takenUntil({ watchedUntil }: Pick<Device, 'watchedUntil'>, now: number): number | null {
  if (watchedUntil === undefined) return null;
  const until = Date.parse(watchedUntil);
  return until - now > CLOCK_TOLERANCE_MS ? null : until;
}
