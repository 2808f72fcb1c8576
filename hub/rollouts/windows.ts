import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import {
  absorbLabels,
  addTallies,
  addTally,
  changed,
  type DeviceEvidence,
  type Evidence,
  MOST_PLACES,
  noDevice,
  type OpenEntry,
  placeOf,
  RECENT_WINDOWS,
  saturated,
  type Tally,
  totalOf,
} from './evidence.js';
import { latencyQuantile } from './health.js';
import type { Plan } from './plan.js';
import { clusterOfSlice, sliceName } from './slices.js';

/**
 * Reports become evidence by channel and window: devices of one channel see the same episodes, so a window's counts are
 * averaged over the devices that reported, once the window is closed. docs/gate.md, "What counts once". Everything here
 * changes the evidence in place, as one report of ten thousand devices must not copy it; decisions only read it.
 */

/** A device's own windows with draws inside one window of the plan; seconds in an hour would be none of them. */
const MOST_DRAWS = 400;
/** With fewer devices in a window nobody is loud. */
const LEAST_FOR_LOUD = 3;

/** Number of the window that holds an instant, since the epoch. */
export function windowOf(instant: number, { windowSeconds }: Pick<Plan, 'windowSeconds'>): number {
  return Math.floor(instant / (windowSeconds * 1000));
}
/** Beginning of a window, milliseconds since the epoch. */
export function startOf(window: number, { windowSeconds }: Pick<Plan, 'windowSeconds'>): number {
  return window * windowSeconds * 1000;
}
/** Number of the plan's day in which a window begins. */
function dayOf(window: number, plan: Pick<Plan, 'windowSeconds' | 'dayHours'>): number {
  return Math.floor(startOf(window, plan) / (plan.dayHours * 3_600_000));
}

/** What a rollout knows of the device whose report comes. */
export interface Placement {
  /** It runs the rollout's pair, as the rollout has assigned it. */
  readonly belongs: boolean;
  /** The rollout made the candidate act on it at some time. */
  readonly mayAct: boolean;
  /** Windows that it made since its last one and that never came: its numbers have a gap. */
  readonly lost: number;
  /** Seconds between two streams of its numbers, where another began since its last window. */
  readonly anewAfter?: number | undefined;
}

/** Whether a report is counted already. Its number says so inside its stream, unless that began anew with this very report. */
export function isDuplicate(
  known: Pick<DeviceEvidence, 'sequence' | 'stream' | 'lastWindow'> | undefined,
  { report, anewAfter }: { readonly report: WindowReport } & Pick<Placement, 'anewAfter'>,
  plan: Pick<Plan, 'windowSeconds'>,
): boolean {
  if (known === undefined || report.sequence > known.sequence || anewAfter !== undefined) return false;
  if (report.stream === undefined) return true;
  // A restored image goes on with an old number of the same stream; while it did, the device may have been in another rollout.
  return report.stream === known.stream && windowOf(Date.parse(report.start), plan) <= known.lastWindow;
}

/** What became of a report: it counts, or why it gives no evidence. */
export type Absorbed = 'counted' | 'duplicate' | 'unasked' | Exclude<keyof Evidence['refused'], 'answers'>;

/** Takes a report in. What gives no evidence is counted under its reason, never silently. */
export function absorb(
  sums: Evidence,
  id: string,
  report: WindowReport,
  plan: Plan,
  placement: Placement,
  now: number,
): Absorbed {
  const refuse = (reason: Exclude<keyof Evidence['refused'], 'answers'>): Absorbed => {
    sums.refused[reason] = saturated(sums.refused[reason] + 1);
    return reason;
  };
  afterSilence(sums, plan, now);
  const known = ownValue(sums.devices, id);
  const { lost, anewAfter } = placement;
  if (isDuplicate(known, { report, anewAfter }, plan)) return 'duplicate';
  // What is missing before its first report here may have been made before it belonged here.
  if (known !== undefined) noteLost(known, lost + lostBetweenStreams(anewAfter, plan));
  if (!placement.belongs || (report.serving === 'candidate' && !placement.mayAct)) return refuse('foreign');
  const cluster = clusterOfSlice(report.slice);
  const device = known ?? noDevice(report.slice, cluster);
  sums.devices[id] = device;
  if (known === undefined) changed(sums);
  device.sequence = report.sequence;
  if (report.stream !== undefined) device.stream = report.stream;
  absorbDevice(device, report, plan);
  absorbFleet(sums, report);
  for (const answer of report.answers) takeAnswer(sums, id, device, Date.parse(answer.start), answer, plan);
  const [start, end] = [Date.parse(report.start), Date.parse(report.end)];
  const window = windowOf(start, plan);
  if (window > windowOf(now, plan)) return refuse('misdated');
  if (window !== windowOf(Math.max(start, end - 1), plan)) {
    device.reportSeconds = Math.round((end - start) / 1000);
    return refuse('unaligned');
  }
  if (window > device.lastWindow) {
    device.windows += 1;
    device.lastWindow = window;
  }
  const place = placeOf(report.slice);
  if (!device.named.includes(place)) {
    if (device.named.length >= MOST_PLACES) return refuse('wandering');
    device.named.push(place);
    changed(sums);
  }
  if (window <= sums.closed) return refuse('late');
  device.cluster = cluster;
  if (placeOf(device.slice) !== place) changed(sums);
  device.slice = report.slice;
  if (report.draws === null || report.joint === null) {
    device.unasked = saturated(device.unasked + 1);
    return 'unasked';
  }
  const { rate, drawn, wins, losses } = report.draws;
  const [[both, onlyCandidate], [onlyProduction, neither]] = report.joint;
  const differ = onlyCandidate + onlyProduction;
  const own: Tally = {
    rate,
    zeros: both + neither + differ - drawn,
    wins,
    losses,
    open: drawn - wins - losses,
  };
  if (
    entriesOf(sums.open[window], id, device).reduce((sum, { draws }) => sum + draws.length, 0) >= MOST_DRAWS
  )
    return refuse('loud');
  device.episodes = saturated(device.episodes + report.episodes);
  device.differ = saturated(device.differ + differ);
  device.reports = saturated(device.reports + 1);
  const tallies = [own];
  addTallies(tallies, payLost(device));
  enter(sums, window, id, {
    cluster,
    slices: slicesOf(report.slice, plan),
    tallies,
    draws: own.open > 0 ? [{ start, rate, open: own.open }] : [],
    episodes: report.episodes,
    acts: report.serving === 'candidate',
  });
  return 'counted';
}

// — windows that were made and never came —

/** What a device owes at most, whatever its numbers say: a week of hours. */
const MOST_OWED = 168;
export function noteLost(device: DeviceEvidence, lost: number): void {
  device.lost.windows = saturated(device.lost.windows + lost);
  device.lost.owed = Math.min(MOST_OWED, device.lost.owed + lost);
}

/**
 * Between two streams no number says how many windows were made: as many as there is time for count, and one at least, since
 * the last one before may have been in several reports. Nobody gains by losing what is bad.
 */
function lostBetweenStreams(
  seconds: number | undefined,
  { windowSeconds }: Pick<Plan, 'windowSeconds'>,
): number {
  return seconds === undefined ? 0 : Math.max(1, Math.ceil(seconds / windowSeconds));
}

/**
 * A window that was made and never came may have held anything: it counts as one of the device's usual ones in which every
 * episode is a draw without an answer. One with each window that counts, so a device that claims many losses doubles at most.
 */
export function payLost(device: DeviceEvidence): Tally[] {
  if (device.lost.owed === 0) return [];
  const episodes = Math.max(1, Math.round(device.episodes / Math.max(1, device.reports, device.windows)));
  device.lost.owed -= 1;
  device.lost.episodes = saturated(device.lost.episodes + episodes);
  return [{ rate: 1, zeros: 0, wins: 0, losses: 0, open: episodes }];
}

/** Where nobody was heard for long the hub was down, or its network: devices then empty what they kept, and get a little time to. */
const TIME_TO_EMPTY_HOURS = 1 / 6;
const timeToEmpty = ({ lagHours }: Pick<Plan, 'lagHours'>) =>
  Math.min(lagHours, TIME_TO_EMPTY_HOURS) * 3_600_000;
function afterSilence(sums: Evidence, { lagHours, windowSeconds }: Plan, now: number): void {
  const long = Math.max(lagHours, (2 * windowSeconds) / 3600) * 3_600_000;
  if (sums.heard !== null && now - sums.heard > long) sums.holdUntil = now + timeToEmpty({ lagHours });
  sums.heard = now;
}

/** The slices besides the channel that a plan looks at. */
export function slicesOf(
  slice: WindowReport['slice'],
  { slices }: Pick<Plan, 'slices'>,
): OpenEntry['slices'] {
  const names: OpenEntry['slices'] = {};
  for (const dimension of slices) if (dimension !== 'channel') names[sliceName(dimension, slice)] = true;
  return names;
}

/** A device that changes channel within a window has an entry for each: what it has said of one stays said. No name holds a line feed. */
const keyOf = (id: string, cluster: string) => `${id}\n${cluster}`;
function deviceOf(key: string): string {
  const end = key.indexOf('\n');
  return end < 0 ? key : key.slice(0, end);
}

/** A device's entries in a window: one, or one for each channel that it has named. */
function entriesOf<T>(
  window: Readonly<Record<string, T>> | undefined,
  id: string,
  { named }: Pick<DeviceEvidence, 'named'>,
): T[] {
  if (window === undefined) return [];
  const clusters = new Set(named.map(clusterOfPlace));
  return [id, ...[...clusters].map((cluster) => keyOf(id, cluster))].flatMap(
    (key) => ownValue(window, key) ?? [],
  );
}
function clusterOfPlace(place: string): string {
  const [channel = '', site = ''] = place.split('\n');
  return clusterOfSlice({ channel, site, hardware: '' });
}

/** Adds a device's counts to a window that is open. */
export function enter(sums: Evidence, window: number, id: string, entry: OpenEntry): void {
  sums.open[window] ??= {};
  const there = sums.open[window];
  const first = ownValue(there, id);
  const key = first === undefined || first.cluster === entry.cluster ? id : keyOf(id, entry.cluster);
  const known = ownValue(there, key);
  if (known === undefined) {
    there[key] = entry;
    return;
  }
  addTallies(known.tallies, entry.tallies);
  // A device whose arm changes in a window reports twice with one start and one rate: its draws are answered together.
  for (const draw of entry.draws) {
    const same = known.draws.find(({ start, rate }) => start === draw.start && rate === draw.rate);
    if (same === undefined) known.draws.push(draw);
    else same.open = saturated(same.open + draw.open);
  }
  known.episodes = saturated(known.episodes + entry.episodes);
  known.acts ||= entry.acts;
}

function absorbDevice(device: DeviceEvidence, report: WindowReport, { abort }: Plan): void {
  device.waiting = report.waiting;
  for (const key of ['asked', 'answered', 'wrong'] as const)
    device.control[key] = saturated(device.control[key] + report.control[key]);
  const arm = report.serving === 'candidate' ? device.health.acting : device.health.own;
  // A report is worth a week at most, whatever its clock says.
  arm.hours += Math.min(168, Math.max(0, Date.parse(report.end) - Date.parse(report.start)) / 3_600_000);
  arm.restarts = saturated(arm.restarts + report.restarts);
  const candidate = latencyQuantile(report.latency.candidate ?? [], 0.95);
  const production = latencyQuantile(report.latency.production, 0.95);
  if (candidate === null && report.memoryMb === 0) return;
  arm.windows = saturated(arm.windows + 1);
  // Below ten milliseconds a ratio says nothing about a device that looks at a few frames a second.
  const ratio =
    candidate !== null &&
    production !== null &&
    candidate > 10 &&
    candidate > abort.latencyRatio * production;
  if (ratio || (candidate !== null && candidate > abort.latencyP95Ms)) arm.slow += 1;
  if (report.memoryMb > abort.memoryMb) arm.over += 1;
}

function absorbFleet(sums: Evidence, report: WindowReport): void {
  sums.downloadFailures = saturated(sums.downloadFailures + report.downloadFailures);
  for (const [bins, counts] of [
    [sums.latency.production, report.latency.production],
    [sums.latency.candidate, report.latency.candidate ?? []],
  ] as const)
    for (const [bucket, n] of counts) bins[bucket] = saturated((bins[bucket] ?? 0) + n);
  const { detail } = report.labelled;
  absorbLabels(sums.labels.production, report.histograms.production.bins, detail?.production ?? null);
  absorbLabels(sums.labels.candidate, report.histograms.candidate?.bins ?? [], detail?.candidate ?? null);
}

// — answers —

/** An answer goes where its draw is; one to a draw that is not there, or more answers than draws, counts for nothing. */
function takeAnswer(
  sums: Evidence,
  id: string,
  device: DeviceEvidence,
  start: number,
  { wins, losses }: { readonly wins: number; readonly losses: number },
  plan: Plan,
): void {
  const window = windowOf(start, plan);
  const has = ({ draws }: Pick<OpenEntry, 'draws'>) => draws.some((one) => one.start === start);
  const open = entriesOf(sums.open[window], id, device).find(has);
  const waiting = entriesOf(sums.waiting[window], id, device).find(has);
  const draw = (open ?? waiting)?.draws.find((one) => one.start === start);
  if (draw === undefined || wins + losses > draw.open) {
    sums.refused.answers = saturated(sums.refused.answers + wins + losses);
    return;
  }
  draw.open -= wins + losses;
  changed(sums);
  const answered: Tally = { rate: draw.rate, zeros: 0, wins, losses, open: -(wins + losses) };
  if (open !== undefined) return addTally(open.tallies, answered);
  if (waiting === undefined) return;
  addTally(device.own, answered);
  const part = partOf(device, waiting.cluster);
  addTally(part.tallies, answered, waiting.weight);
  for (const [slice, weight] of Object.entries(waiting.slices))
    addTally(sliceOf(part, slice), answered, weight);
  const day = waiting.day === null ? undefined : sums.days[waiting.day];
  if (day !== undefined) addTally(day, answered, waiting.weight);
}

function partOf(device: DeviceEvidence, cluster: string): DeviceEvidence['parts'][number] {
  const known = device.parts.find((one) => one.cluster === cluster);
  if (known !== undefined) return known;
  const made = { cluster, tallies: [], slices: {} };
  device.parts.push(made);
  return made;
}
function sliceOf(part: DeviceEvidence['parts'][number], slice: string): Tally[] {
  const known = ownValue(part.slices, slice);
  if (known !== undefined) return known;
  const made: Tally[] = [];
  part.slices[slice] = made;
  return made;
}

// — closing —

/**
 * The last window whose time for late reports is over, and none beyond those that reports have named: a hub's clock that was ahead
 * for a moment, or a hub that was down, closes nothing that nobody could have sent.
 */
function lastClosable(
  { open, holdUntil }: Pick<Evidence, 'open' | 'holdUntil'>,
  plan: Pick<Plan, 'windowSeconds' | 'lagHours'>,
  now: Date,
): number {
  let named = Number.NEGATIVE_INFINITY;
  // A moment set by a clock that was ahead is no moment.
  const left = holdUntil - now.getTime();
  if (left > 0 && left <= timeToEmpty(plan)) return named;
  for (const window of Object.keys(open)) named = Math.max(named, Number(window));
  return Math.min(named, windowOf(now.getTime() - plan.lagHours * 3_600_000, plan) - 1);
}
export function mayClose(
  sums: Pick<Evidence, 'open' | 'closed' | 'holdUntil'>,
  plan: Pick<Plan, 'windowSeconds' | 'lagHours'>,
  now: Date,
): boolean {
  return lastClosable(sums, plan, now) > sums.closed;
}

function dueWindows(sums: Pick<Evidence, 'open' | 'holdUntil'>, plan: Plan, now: Date): number[] {
  const last = lastClosable(sums, plan, now);
  return Object.keys(sums.open)
    .map(Number)
    .filter((window) => window <= last)
    .sort((a, b) => a - b);
}

/** The evidence with copies of all that closing changes: the old one stays as it is. */
export function beforeClosing(sums: Evidence, plan: Plan, now: Date): Evidence {
  const devices = { ...sums.devices };
  for (const window of dueWindows(sums, plan, now))
    for (const key of Object.keys(sums.open[window] ?? {})) {
      const id = deviceOf(key);
      const device = ownValue(sums.devices, id);
      if (device !== undefined && devices[id] === device)
        devices[id] = { ...device, own: copyOf(device.own), parts: device.parts.map(copyOfPart) };
    }
  const days = Object.fromEntries(Object.entries(sums.days).map(([day, tallies]) => [day, copyOf(tallies)]));
  return {
    ...sums,
    devices,
    days,
    open: { ...sums.open },
    waiting: { ...sums.waiting },
    refused: { ...sums.refused },
  };
}
const copyOf = (tallies: readonly Tally[]): Tally[] => tallies.map((one) => ({ ...one }));
function copyOfPart({
  cluster,
  tallies,
  slices,
}: DeviceEvidence['parts'][number]): DeviceEvidence['parts'][number] {
  const inside: Record<string, Tally[]> = {};
  for (const name in slices) inside[name] = copyOf(slices[name] ?? []);
  return { cluster, tallies: copyOf(tallies), slices: inside };
}

/** Closes the windows whose time for late reports is over: each cluster's devices are averaged. `apart` devices are averaged by themselves and count for no day. */
export function closeWindows(
  sums: Evidence,
  plan: Plan,
  apart: (device: string, cluster: string) => boolean,
  now: Date,
): void {
  const last = lastClosable(sums, plan, now);
  for (const window of dueWindows(sums, plan, now)) {
    closeWindow(sums, plan, apart, window);
    delete sums.open[window];
  }
  sums.closed = Math.max(sums.closed, last);
  const patience = (plan.answerHours + plan.lagHours) * 3_600_000;
  for (const window of Object.keys(sums.waiting))
    if (startOf(Number(window) + 1, plan) + patience < now.getTime()) delete sums.waiting[window];
}

function closeWindow(
  sums: Evidence,
  plan: Plan,
  apart: (device: string, cluster: string) => boolean,
  window: number,
): void {
  changed(sums);
  // By name: the sums of fractions are the same whatever order reports came in, and after a restart.
  const entries = Object.entries(sums.open[window] ?? {})
    .filter(([, { episodes }]) => episodes > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const most = loudest(
    entries.map(([, { episodes }]) => episodes),
    plan,
  );
  const counted = entries.filter(([, { episodes }]) => episodes <= most);
  sums.refused.loud = saturated(sums.refused.loud + entries.length - counted.length);
  if (counted.length > 0) sums.closedWindows += 1;
  const alone = new Map(counted.map(([key, { cluster }]) => [key, apart(deviceOf(key), cluster)]));
  // Who is judged apart is averaged with the others who are.
  const [together, aside] = [new Sizes(), new Sizes()];
  const sizesOf = (key: string) => (alone.get(key) === true ? aside : together);
  const acting = new Map<string, { devices: number; episodes: number }>();
  for (const [key, { cluster, slices, acts, episodes }] of counted) {
    const sizes = sizesOf(key);
    sizes.add(ALL, cluster);
    for (const slice in slices) sizes.add(slice, cluster);
    if (!acts || alone.get(key) === true) continue;
    const there = acting.get(cluster) ?? { devices: 0, episodes: 0 };
    acting.set(cluster, { devices: there.devices + 1, episodes: there.episodes + episodes });
  }
  for (const { devices, episodes } of acting.values()) sums.actingEpisodes += episodes / devices;
  const added: Tally[] = [];
  const day = dayOf(window, plan);
  for (const [key, entry] of counted) {
    const device = ownValue(sums.devices, deviceOf(key));
    if (device === undefined) continue;
    const sizes = sizesOf(key);
    const weight = 1 / sizes.of(ALL, entry.cluster);
    addTallies(device.own, entry.tallies);
    const part = partOf(device, entry.cluster);
    addTallies(part.tallies, entry.tallies, weight);
    const slices: Record<string, number> = {};
    for (const slice in entry.slices) {
      const inside = 1 / sizes.of(slice, entry.cluster);
      slices[slice] = inside;
      addTallies(sliceOf(part, slice), entry.tallies, inside);
    }
    const counts = alone.get(key) !== true;
    if (counts) {
      sums.days[day] ??= [];
      addTallies(sums.days[day], entry.tallies, weight);
      addTallies(added, entry.tallies, weight);
    }
    const draws = entry.draws.filter(({ open }) => open > 0);
    if (draws.length === 0) continue;
    sums.waiting[window] ??= {};
    sums.waiting[window][key] = { cluster: entry.cluster, day: counts ? day : null, weight, slices, draws };
  }
  if (added.length > 0)
    sums.recent = [
      ...sums.recent,
      { window, devices: new Set(counted.map(([key]) => deviceOf(key))).size, ...totalOf(added) },
    ].slice(-RECENT_WINDOWS);
}

/** Devices of a cluster that reported, all of them and by slice: what an average is over. */
const ALL = '';
class Sizes {
  readonly #bySlice = new Map<string, Map<string, number>>();

  add(slice: string, cluster: string): void {
    let own = this.#bySlice.get(slice);
    if (own === undefined) {
      own = new Map();
      this.#bySlice.set(slice, own);
    }
    own.set(cluster, (own.get(cluster) ?? 0) + 1);
  }
  of(slice: string, cluster: string): number {
    return this.#bySlice.get(slice)?.get(cluster) ?? 1;
  }
}

/** The most episodes that a device may claim in a window: the rule looks at how much it says, never at what, so it favours neither model. */
export function loudest(
  episodes: readonly number[],
  { maxTimesMedian }: Pick<Plan, 'maxTimesMedian'>,
): number {
  if (episodes.length < LEAST_FOR_LOUD) return Number.POSITIVE_INFINITY;
  const sorted = [...episodes].sort((a, b) => a - b);
  return maxTimesMedian * Math.max(1, sorted[(sorted.length - 1) >> 1] ?? 1);
}
