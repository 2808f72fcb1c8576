import { startDetector } from '@adbreak/shared/evidence/disagreement.js';
import { calibrate, startWorld, watchAlarm, watchWorld, worldEvidence } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';
import { apartBy, findApart, tooManyApart } from '../rollouts/apart.js';
import { type Detectors, driftOf, watchHour } from '../rollouts/drift.js';
import { ownValue } from '../rollouts/evidence.js';
import { BEGIN, bare, started } from '../rollouts/fixtures.js';
import { judge, promotionLog, weigh } from '../rollouts/gate.js';
import type { Plan } from '../rollouts/plan.js';
import type { Rollout } from '../rollouts/rollout.js';
import { standingOf } from '../rollouts/standing.js';
import { start } from '../rollouts/step.js';
import { closeWindows, windowOf } from '../rollouts/windows.js';
import { feed } from '../simulate/feed.js';
import { type LivingRooms, RoomStream } from '../simulate/living-rooms.js';
import { PROGRAMME, ProgrammeStream } from '../simulate/programme.js';
import { drawConfidences, psiGate, REFERENCE, zGate } from './peers.js';

/** The runs of `make bench-gates` that judge evidence alone: one function a run, seeded, through the gate's own windows. */
export const WINDOWS = 240;
export const PER_WINDOW = 4;
export const WORLD_WINDOWS = 336;
const HOUR = 3_600_000;

export interface EvidenceRun {
  /** Distinct episodes at the first verdict of each kind; null where it never came. */
  readonly fail: number | null;
  /** Harm shown by all episodes and by channels, days left out: what earlier gates called FAIL. */
  readonly shown: number | null;
  readonly suspend: number | null;
  /** Promotion from an early stage (channels), and from the last one (days too). */
  readonly pass: number | null;
  readonly last: number | null;
  readonly psi: string;
  readonly z: string;
}
export interface Looks {
  readonly windows: number;
  /** A look each so many windows. */
  readonly every: number;
  readonly peers: boolean;
  /** The run ends with its first FAIL or last PASS. */
  readonly stop: boolean;
}

/** A candidate with a true difference in a fleet of living rooms: what the gate and the two peers make of it. */
export function evidenceRun(plan: Plan, rooms: LivingRooms, looks: Looks, seed: string): EvidenceRun {
  const random = seeded(seed);
  const stream = new RoomStream(rooms, random);
  let state = start(started({ ...plan, windowSeconds: 3600, lagHours: 0, dayHours: rooms.windowsPerDay ?? 24 }));
  const found: Record<'fail' | 'shown' | 'suspend' | 'pass' | 'last', number | null> = { fail: null, shown: null, suspend: null, pass: null, last: null };
  const sums = { wins: 0, losses: 0, episodes: 0 };
  let [psi, z] = ['wait', 'wait'];
  const [harmful, promoted] = [-Math.log(plan.alphaHarm), -Math.log(plan.alphaPromote)];
  for (let hour = 0; hour < looks.windows; hour++) {
    const seen = stream.next(hour);
    feed(state, windowOf(BEGIN + hour * HOUR, state.plan), seen);
    if (looks.peers) {
      const window = seen.reduce((sum, one) => ({ wins: sum.wins + one.wins, losses: sum.losses + one.losses, episodes: sum.episodes + one.episodes }), {
        wins: 0,
        losses: 0,
        episodes: 0,
      });
      sums.wins += window.wins;
      sums.losses += window.losses;
      sums.episodes += window.episodes;
      const left = looks.windows - 1 - hour;
      if (psi === 'wait') psi = psiGate({ ...window, candidate: drawConfidences(random, window.episodes, 0) }, REFERENCE, left);
      if (z === 'wait') z = zGate(sums, plan.margin, left);
    }
    if ((hour + 1) % looks.every !== 0) continue;
    const looked = look(state, new Date(BEGIN + (hour + 1) * HOUR));
    state = looked.state;
    const { weighed, apart } = looked;
    const episodes = weighed.totals.episodes;
    const mark = (key: keyof typeof found, there: boolean) => {
      if (there) found[key] ??= episodes;
    };
    const pooled = weighed.harm.pooled >= harmful;
    const shown = pooled && (weighed.harm.channels ?? weighed.harm.pooled) >= harmful;
    mark('suspend', pooled || apart);
    mark('shown', shown);
    mark('fail', shown && weighed.harm.days !== null && weighed.harm.days >= harmful);
    // Where harm is shown nothing passes.
    mark('pass', !pooled && !apart && promotionLog(weighed, false) >= promoted);
    mark('last', !pooled && !apart && weighed.promotion.days !== null && promotionLog(weighed, true) >= promoted);
    if (looks.stop && (found.fail !== null || found.last !== null)) break;
  }
  return { ...found, psi, z };
}

/** One look at the evidence, devices and slices that are judged apart left behind as the state machine does. */
function look(state: Rollout, now: Date) {
  closeWindows(state.evidence, state.plan, (id) => apartBy(id, ownValue(state.evidence.devices, id)?.slice ?? null, state) !== null, now);
  const standing = standingOf(state);
  const harmed = weigh(standing, state.plan).harm.pooled >= -Math.log(state.plan.alphaHarm);
  const found = findApart(state, standing.wrong).filter(({ kind }) => kind === 'device' || !harmed);
  let next = state;
  for (const { kind, name, reason } of found) {
    const entry = { [name]: { at: now.toISOString(), reason } };
    next = { ...next, evidence: { ...next.evidence, days: {} } };
    next = kind === 'device' ? { ...next, setAside: { ...next.setAside, ...entry } } : { ...next, excluded: { ...next.excluded, ...entry } };
  }
  next = { ...next, members: Object.keys(next.evidence.devices) };
  return { state: next, weighed: weigh(standingOf(next), next.plan), apart: tooManyApart(next) !== null };
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
export function worldRun({ devices, weeks, effectHours }: WorldFleet, limit: number, shares: readonly number[], seed: string): WorldRun {
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
  return { falseAlarms: count.alarms, frozen: count.frozen, windows: WORLD_WINDOWS, pSmall: count.small, pAll: count.all, delays, lag: calibration.lag };
}
