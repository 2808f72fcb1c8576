import { binomial } from '@adbreak/shared/draws.js';
import { startDetector } from '@adbreak/shared/evidence/disagreement.js';
import { calibrate, startWorld, watchAlarm, watchWorld, worldEvidence } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';
import { type Detectors, driftOf, watchHour } from '../rollouts/drift.js';
import { after, report, started } from '../rollouts/fixtures.js';
import { bare } from '../rollouts/forecast.js';
import { judge } from '../rollouts/gate.js';
import type { Plan } from '../rollouts/plan.js';
import { start, step } from '../rollouts/step.js';
import { type PairedFleet, PairedStream } from '../simulate/paired.js';
import { PROGRAMME, ProgrammeStream } from '../simulate/programme.js';
import { drawConfidences, psiGate, REFERENCE, zGate } from './peers.js';

/** The runs of `make bench-gates`: one function a run, seeded, through the real gate with a look at every window. */
export const WINDOWS = 240;
export const PER_WINDOW = 4;
export const WORLD_WINDOWS = 336;

export interface NullRun {
  readonly fail: boolean;
  readonly suspend: boolean;
  readonly pass: boolean;
  readonly psi: string;
  readonly z: string;
}

/** A candidate with a true difference: what the gate and the two peers make of 240 windows. */
export function pairedRun(
  plan: Plan,
  fleet: PairedFleet,
  seed: string,
  peers: boolean,
): NullRun & { readonly failAt: number | null; readonly harmAt: number | null; readonly passAt: number | null } {
  const random = seeded(seed);
  const stream = new PairedStream(fleet, random);
  const sums = { wins: 0, losses: 0, episodes: 0 };
  let [failAt, harmAt, passAt]: [number | null, number | null, number | null] = [null, null, null];
  let [psi, z] = ['wait', 'wait'];
  for (let window = 0; window < WINDOWS && (failAt === null || passAt === null); window++) {
    const seen = stream.next();
    if (peers) {
      sums.wins += seen.wins;
      sums.losses += seen.losses;
      sums.episodes += seen.episodes;
      const left = WINDOWS - 1 - window;
      if (psi === 'wait') psi = psiGate({ ...seen, candidate: drawConfidences(random, seen.episodes, 0) }, REFERENCE, left);
      if (z === 'wait') z = zGate(sums, plan.margin, left);
    }
    const { verdict } = judge(bare(plan, stream));
    if ((verdict === 'SUSPEND' || verdict === 'FAIL') && harmAt === null) harmAt = stream.decided;
    if (verdict === 'FAIL') failAt ??= stream.decided;
    if (verdict === 'PASS') passAt ??= stream.decided;
    // A rollout ends with its first FAIL; its first PASS in shadow would move it on.
    if (!peers && (failAt !== null || passAt !== null)) break;
  }
  return { fail: failAt !== null, suspend: harmAt !== null, pass: passAt !== null, failAt, harmAt, passAt, psi, z };
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

const CHANGE = 48;
export interface ShiftRun {
  /** After the change, and before it: the latter has nothing to do with the world. */
  readonly rollback: boolean;
  readonly earlier: boolean;
  readonly promoted: boolean;
  readonly worldAt: number | null;
  readonly psi: string;
  readonly z: string;
}

/** A fifth of what is on becomes doubtful to both models in window 48; the candidate is as good as production throughout. Two arms that drift together. */
export function shiftRun(plan: Plan, seed: string): ShiftRun {
  const random = seeded(seed);
  const devices = 20;
  const programme = new ProgrammeStream({ ...PROGRAMME, devices, effectHours: 6 }, random);
  const calibration = calibrate(programme.reference(4));
  if (calibration === null) throw new Error('a reference of four weeks calibrates');
  const stream = new PairedStream({ devices, episodes: PER_WINDOW, disagreement: 0.1, difference: 0, correlation: 0.02 }, random);
  const sums = { wins: 0, losses: 0, episodes: 0 };
  let detectors: Detectors = { world: null, disagreement: startDetector(0.11), disagreementAlarm: false, hours: 0, episodes: 0 };
  let [psi, z] = ['wait', 'wait'];
  let worldAt: number | null = null;
  for (let window = 0; window < WINDOWS; window++) {
    const doubtful = window < CHANGE ? 0 : 0.2;
    const hour = programme.next(doubtful);
    const seen = stream.next();
    detectors = watchHour(detectors, calibration, plan, { ...hour, disagreements: seen.wins + seen.losses, episodes: seen.episodes }, random);
    sums.wins += seen.wins;
    sums.losses += seen.losses;
    sums.episodes += seen.episodes;
    const left = WINDOWS - 1 - window;
    if (psi === 'wait') psi = psiGate({ ...seen, candidate: drawConfidences(random, seen.episodes, doubtful) }, REFERENCE, left);
    if (z === 'wait') z = zGate(sums, plan.margin, left);
    const { verdict } = judge({ ...bare(plan, stream), drift: driftOf(detectors, plan) });
    if (verdict === 'WORLD' && worldAt === null && window >= CHANGE) worldAt = window - CHANGE + 1;
    if (verdict === 'FAIL') return { rollback: window >= CHANGE, earlier: window < CHANGE, promoted: false, worldAt, psi, z };
    // Promoted: the verdict passes while the world is changed, after the alarm.
    if (verdict === 'PASS' && worldAt !== null) return { rollback: false, earlier: false, promoted: true, worldAt, psi, z };
  }
  return { rollback: false, earlier: false, promoted: false, worldAt, psi, z };
}

/**
 * A canary whose devices fall silent while the others go on reporting a better candidate from their shadow: whole reports
 * through the whole state machine, which has to find out by itself that nothing comes from where the candidate acts.
 */
export function silentRun(plan: Plan, seed: string): { readonly promoted: boolean; readonly reached: number; readonly z: string } {
  const random = seeded(seed);
  const members = Array.from({ length: 20 }, (_, i) => `pi-${i}`);
  const canary = members.slice(0, 2);
  let z = 'wait';
  let state = start(started(plan));
  const send = (event: Parameters<typeof step>[1]) => {
    ({ state } = step(state, event));
  };
  for (let hour = 0; hour < WINDOWS && state.status === 'running'; hour++) {
    const acting = state.stage === 0 ? [] : canary;
    const at = after(hour + 1).toISOString();
    send({ kind: 'assigned', at, members, acting });
    for (const device of members.filter((one) => !acting.includes(one))) {
      const wins = binomial(random, 2 * PER_WINDOW, 0.13);
      const losses = binomial(random, 2 * PER_WINDOW - wins, 0.04);
      send({ kind: 'window', at, device, report: report(hour + 1, hour, { wins, losses, agreed: 6 * PER_WINDOW - wins - losses }) });
    }
    send({ kind: 'tick', at, siblings: [] });
    // Of the canary's own frames there are none: this gate takes that for no alarm.
    if (z === 'wait' && state.stage > 0) z = zGate({ wins: 0, losses: 0, episodes: 0 }, plan.margin, WINDOWS - 1 - hour);
  }
  return { promoted: state.stage > 1 || state.status === 'watching' || state.status === 'completed', reached: state.stage, z };
}
