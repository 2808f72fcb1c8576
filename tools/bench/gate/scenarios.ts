import { findApart, isApart, tooManyApart } from '@adbreak/hub/rollouts/apart.js';
import { type Detectors, driftOf, watchHour } from '@adbreak/hub/rollouts/drift.js';
import { BEGIN, bare, started } from '@adbreak/hub/rollouts/fixtures.js';
import { judge, promotionLog, type Weighed, weigh } from '@adbreak/hub/rollouts/gate.js';
import type { Plan } from '@adbreak/hub/rollouts/plan.js';
import type { Rollout } from '@adbreak/hub/rollouts/rollout.js';
import { answersOf, standingOf } from '@adbreak/hub/rollouts/standing.js';
import { start } from '@adbreak/hub/rollouts/step.js';
import { closeWindows, windowOf } from '@adbreak/hub/rollouts/windows.js';
import { feed } from '@adbreak/hub/simulate/feed.js';
import { type LivingRooms, RoomStream, type RoomWindow } from '@adbreak/hub/simulate/living-rooms.js';
import { PROGRAMME, ProgrammeStream } from '@adbreak/hub/simulate/programme.js';
import { RoomEvidence } from '@adbreak/hub/simulate/room-evidence.js';
import { startDetector } from '@adbreak/shared/evidence/disagreement.js';
import {
  calibrate,
  startWorld,
  watchAlarm,
  watchWorld,
  worldEvidence,
} from '@adbreak/shared/evidence/world.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { seeded } from '@adbreak/shared/random.js';
import { drawConfidences, type PeerVerdict, psiGate, REFERENCE, zGate } from './peers.js';

/** The runs of `make bench-gates` that judge evidence alone: one function a run, seeded, through the gate's own windows. */
export const WINDOWS = 240;
export const PER_WINDOW = 4;
export const WORLD_WINDOWS = 336;
const HOUR = 3_600_000;
const HOURS_A_DAY = 24;

/** What had come when something was decided for the first time; null where it never was. */
export type Mark = { readonly episodes: number; readonly window: number; readonly answers: number } | null;
export interface EvidenceRun {
  /** Harm shown by all episodes (or too much judged apart); by channels too: what earlier gates called FAIL; and by days. */
  readonly suspend: Mark;
  readonly shown: Mark;
  readonly fail: Mark;
  /** Promotion from an early stage (channels), and from the last one (days too). */
  readonly pass: Mark;
  readonly last: Mark;
  readonly psi: PeerVerdict;
  readonly z: PeerVerdict;
}
export interface Looks {
  readonly windows: number;
  /** A look each so many windows. */
  readonly every: number;
  readonly peers?: boolean;
}

/** How a window's counts come into the evidence: as they are, or by whole reports. */
export type Enter = (state: Rollout, window: number, hour: number, seen: readonly RoomWindow[]) => void;

/** A candidate with a true difference in a fleet of living rooms: what the gate and the two peers make of it. */
export function evidenceRun(
  plan: Plan,
  rooms: LivingRooms,
  looks: Looks,
  seed: string,
  enter: Enter = (state, window, _, seen) => feed(state, window, seen),
): EvidenceRun {
  const random = seeded(seed);
  const stream = new RoomStream(rooms, random.fork('rooms'));
  const peers = looks.peers === true ? new Peers(looks.windows, plan.margin, random.fork('peers')) : null;
  let state = start(
    started({ ...plan, windowSeconds: 3600, lagHours: 0, dayHours: rooms.windowsPerDay ?? 24 }),
  );
  const found: Record<'fail' | 'shown' | 'suspend' | 'pass' | 'last', Mark> = {
    fail: null,
    shown: null,
    suspend: null,
    pass: null,
    last: null,
  };
  const [first] = plan.stages;
  const [harmful, promoted] = [-Math.log(plan.alphaHarm), -Math.log(plan.alphaPromote)];
  for (let hour = 0; hour < looks.windows; hour++) {
    const seen = stream.next(hour);
    enter(state, windowOf(BEGIN + hour * HOUR, state.plan), hour, seen);
    peers?.look(seen);
    if ((hour + 1) % looks.every !== 0) continue;
    const looked = look(state, new Date(BEGIN + (hour + 1) * HOUR));
    state = looked.state;
    const { weighed, apart } = looked;
    const mark = (key: keyof typeof found, there: boolean) => {
      if (there)
        found[key] ??= {
          episodes: weighed.totals.episodes,
          window: hour + 1,
          answers: answersOf(standingOf(state)).all,
        };
    };
    const { pooled, channels, days } = weighed.harm;
    const harm = pooled >= harmful;
    const shown = harm && (channels ?? pooled) >= harmful;
    mark('suspend', harm || apart);
    mark('shown', shown);
    mark('fail', shown && days !== null && days >= harmful);
    // Where harm is shown nothing passes; nor before the plan's first stage has its hours and episodes.
    const due =
      weighed.totals.episodes >= (first?.minEpisodes ?? 0) &&
      ((hour + 1) * HOURS_A_DAY) / (rooms.windowsPerDay ?? HOURS_A_DAY) >= (first?.soakHours ?? 0);
    const free = !harm && !apart && due;
    mark('pass', free && promotionLog(weighed, false) >= promoted);
    mark('last', free && weighed.promotion.days !== null && promotionLog(weighed, true) >= promoted);
  }
  return { ...found, psi: peers?.psi ?? 'wait', z: peers?.z ?? 'wait' };
}

/** One look at the evidence, devices and slices that are judged apart left behind as the state machine does. */
function look(
  state: Rollout,
  now: Date,
): { readonly state: Rollout; readonly weighed: Weighed; readonly apart: boolean } {
  closeWindows(
    state.evidence,
    state.plan,
    (id, cluster) => isApart(id, ownValue(state.evidence.devices, id), cluster, state),
    now,
  );
  const standing = standingOf(state);
  const weighed = weigh(standing, state.plan);
  const harmed = weighed.harm.pooled >= -Math.log(state.plan.alphaHarm);
  const found = findApart(state, standing.wrong).filter(({ kind }) => kind === 'device' || !harmed);
  const members = Object.keys(state.evidence.devices);
  if (found.length === 0) return { state, weighed, apart: tooManyApart({ ...state, members }) !== null };
  let next: Rollout = { ...state, members, evidence: { ...state.evidence, days: {} } };
  for (const { kind, name, reason } of found) {
    const entry = { [name]: { at: now.toISOString(), reason } };
    next =
      kind === 'device'
        ? { ...next, setAside: { ...next.setAside, ...entry } }
        : { ...next, excluded: { ...next.excluded, ...entry } };
  }
  return { state: next, weighed: weigh(standingOf(next), next.plan), apart: tooManyApart(next) !== null };
}

/** The two gates beside ours; both decide once. */
class Peers {
  psi: PeerVerdict = 'wait';
  z: PeerVerdict = 'wait';
  readonly #sums = { wins: 0, losses: 0, episodes: 0 };
  #left: number;
  readonly #margin: number;
  readonly #random;

  constructor(windows: number, margin: number, random: ReturnType<typeof seeded>) {
    this.#left = windows;
    this.#margin = margin;
    this.#random = random;
  }

  look(seen: readonly RoomWindow[], doubtful = 0): void {
    this.#left -= 1;
    const window = { wins: 0, losses: 0, episodes: 0 };
    for (const one of seen)
      for (const key of ['wins', 'losses', 'episodes'] as const) window[key] += one[key];
    for (const key of ['wins', 'losses', 'episodes'] as const) this.#sums[key] += window[key];
    if (this.psi === 'wait')
      this.psi = psiGate(
        { ...window, candidate: drawConfidences(this.#random, window.episodes, doubtful) },
        REFERENCE,
        this.#left,
      );
    if (this.z === 'wait') this.z = zGate(this.#sums, this.#margin, this.#left);
  }
}

const CHANGE = 48;
export interface ShiftRun {
  /** After the change, and before it: the latter has nothing to do with the world. */
  readonly rollback: boolean;
  readonly earlier: boolean;
  readonly promoted: boolean;
  readonly worldAt: number | null;
  readonly psi: PeerVerdict;
  readonly z: PeerVerdict;
}

/** A fifth of what is on becomes doubtful to both models in window 48; the candidate is as good as production throughout. Two arms that drift together. */
export function shiftRun(plan: Plan, seed: string): ShiftRun {
  const random = seeded(seed);
  const devices = 20;
  const programme = new ProgrammeStream({ ...PROGRAMME, devices, effectHours: 6 }, random);
  const calibration = calibrate(programme.reference(4));
  if (calibration === null) throw new Error('a reference of four weeks calibrates');
  const stream = new RoomStream(
    { devices, episodes: PER_WINDOW, disagreement: 0.1, difference: 0, correlation: 0.02 },
    random.fork('rooms'),
  );
  const peers = new Peers(WINDOWS, plan.margin, random.fork('peers'));
  const evidence = new RoomEvidence();
  let detectors: Detectors = {
    world: null,
    disagreement: startDetector(0.11),
    disagreementAlarm: false,
    hours: 0,
    episodes: 0,
  };
  let worldAt: number | null = null;
  const ended = (change: Partial<ShiftRun>): ShiftRun => ({
    rollback: false,
    earlier: false,
    promoted: false,
    worldAt,
    psi: peers.psi,
    z: peers.z,
    ...change,
  });
  for (let window = 0; window < WINDOWS; window++) {
    const doubtful = window < CHANGE ? 0 : 0.2;
    const hour = programme.next(doubtful);
    const seen = stream.next(window);
    evidence.add(seen, Math.floor(window / 24));
    const sums = {
      disagreements: seen.reduce((sum, { differ }) => sum + differ, 0),
      episodes: seen.reduce((sum, one) => sum + one.episodes, 0),
    };
    detectors = watchHour(detectors, calibration, plan, { ...hour, ...sums }, random);
    peers.look(seen, doubtful);
    const { verdict } = judge({
      ...bare(plan, []),
      ...evidence.counted(plan.wrong),
      devices,
      drift: driftOf(detectors, plan),
    });
    if (verdict === 'WORLD' && worldAt === null && window >= CHANGE) worldAt = window - CHANGE + 1;
    if (verdict === 'FAIL') return ended({ rollback: window >= CHANGE, earlier: window < CHANGE });
    // Promoted: the verdict passes while the world is changed, after the alarm.
    if (verdict === 'PASS' && worldAt !== null) return ended({ promoted: true });
  }
  return ended({});
}

export interface WorldFleet {
  readonly devices: number;
  readonly weeks: number;
  readonly effectHours: number;
}
export interface WorldRun {
  readonly falseAlarms: number;
  /** Windows in which a false alarm stood. */
  readonly frozen: number;
  readonly windows: number;
  readonly pSmall: number;
  readonly pAll: number;
  /** Windows from a change of this share of episodes to the alarm; null within 336. */
  readonly delays: Readonly<Record<string, number | null>>;
  readonly lag: number;
}

/** The WORLD detector alone: false alarms of an unchanged fortnight, delays after a change. */
export function worldRun(
  { devices, weeks, effectHours }: WorldFleet,
  limit: number,
  shares: readonly number[],
  seed: string,
): WorldRun {
  const random = seeded(seed);
  const stream = new ProgrammeStream({ ...PROGRAMME, devices, effectHours }, random);
  const calibration = calibrate(stream.reference(weeks));
  if (calibration === null) throw new Error('a reference of two weeks calibrates');
  const count = { alarms: 0, frozen: 0, small: 0, all: 0 };
  let state = startWorld(calibration);
  for (let window = 0; window < WORLD_WINDOWS; window++) {
    const { ofWeek, histogram } = stream.next();
    state = watchWorld(calibration, state, ofWeek, histogram, random);
    for (const p of state.last) {
      count.all += 1;
      count.small += Number(p <= 0.01);
    }
    state = watchAlarm(calibration, state, limit);
    if (state.alarmAt === state.windows) count.alarms += 1;
    count.frozen += Number(state.alarmAt !== null);
  }
  const delays: Record<string, number | null> = {};
  for (const share of shares) {
    let changed = startWorld(calibration);
    delays[share] = null;
    for (let window = 1; window <= WORLD_WINDOWS && delays[share] === null; window++) {
      const { ofWeek, histogram } = stream.next(share);
      changed = watchWorld(calibration, changed, ofWeek, histogram, random);
      if (worldEvidence(changed) >= limit) delays[share] = window;
    }
  }
  return {
    falseAlarms: count.alarms,
    frozen: count.frozen,
    windows: WORLD_WINDOWS,
    pSmall: count.small,
    pAll: count.all,
    delays,
    lag: calibration.lag,
  };
}
