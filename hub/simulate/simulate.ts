import { poisson } from '@adbreak/shared/draws.js';
import { startDetector } from '@adbreak/shared/evidence/disagreement.js';
import { type Calibration, calibrate } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';
import { type Detectors, type DriftVerdict, driftOf, watchHour } from '../rollouts/drift.js';
import { noEvidence } from '../rollouts/evidence.js';
import { type GateInput, judge } from '../rollouts/gate.js';
import { healthOf } from '../rollouts/health.js';
import type { Plan } from '../rollouts/plan.js';
import { type Entry, isActive, percentOf, type Rollout } from '../rollouts/rollout.js';
import { hoursSince, start, transition } from '../rollouts/step.js';
import { VirtualFleet } from './fleet.js';
import { PROGRAMME, ProgrammeStream } from './programme.js';
import type { Scenario } from './scenario.js';

export interface SimulatedRun {
  readonly status: Rollout['status'];
  readonly stage: number;
  readonly days: number;
  readonly history: readonly Entry[];
  /** Hours from a change of the world to the first WORLD or AMBIGUOUS; null where there was none. */
  readonly worldDelay: number | null;
  readonly falseWorldHours: number;
  readonly hours: number;
}

const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');
const HOUR = 3_600_000;
const PRODUCTION_CRASHES = 0.05;

/** One rollout on a virtual fleet: the same gate and the same transitions as a real one, an hour at a time. Pure; seeded. */
export function simulateRollout(scenario: Scenario, plan: Plan, seed: string, onHour: (state: Rollout, hour: number) => void = () => undefined): SimulatedRun {
  const random = seeded(`${scenario.name}/${seed}`);
  const fleet = new VirtualFleet(scenario, random.fork('fleet'));
  const world = new SimulatedWorld(scenario, seed);
  const crashes = random.fork('crashes');
  let state = start({
    kind: 'started',
    at: new Date(BEGIN).toISOString(),
    who: 'simulation',
    ceiling: 100,
    rollout: {
      id: `sim-${seed}`,
      model: 'simulated',
      kind: 'rollout',
      group: null,
      from: { version: '1.0.0', digest: 'a'.repeat(64) },
      to: { version: '2.0.0', digest: 'b'.repeat(64) },
      plan,
    },
    reference: null,
    baseline: null,
  });
  const evidence = noEvidence();
  let [worldDelay, falseWorldHours, hour, decidedBefore]: [number | null, number, number, number] = [null, 0, 0, 0];
  let current = { ...scenario.candidate };
  let stage = -1;
  for (; hour < scenario.days * 24 && isActive(state); hour++) {
    const change = scenario.world.changes.findLast(({ fromDay }) => hour >= fromDay * 24);
    const wanted = { disagreement: change?.disagreement ?? scenario.candidate.disagreement, difference: change?.difference ?? scenario.candidate.difference };
    if (wanted.disagreement !== current.disagreement || wanted.difference !== current.difference) {
      current = { ...current, ...wanted };
      fleet.change(current.disagreement, current.difference);
    }
    if (state.stage !== stage) {
      stage = state.stage;
      fleet.resetActing();
      decidedBefore = 0;
    }
    const acting = Math.ceil((fleet.size * percentOf(state)) / 100);
    const silent = scenario.candidate.silent ? acting : 0;
    const seen = fleet.hour(current.disagreement, Math.min(silent, fleet.size - 1));
    decidedBefore += seen.episodes;
    evidence.acting.hours += acting;
    evidence.acting.restarts += silent > 0 ? 0 : poisson(crashes, (acting * scenario.candidate.crashesPerDay) / 24);
    evidence.control.hours += fleet.size - acting;
    evidence.control.restarts += poisson(crashes, ((fleet.size - acting) * PRODUCTION_CRASHES) / 24);
    const drift = world.hour(change?.doubtful ?? 0, seen, plan);
    const now = new Date(BEGIN + (hour + 1) * HOUR);
    const input: GateInput = {
      plan,
      id: state.id,
      stage: state.stage,
      hoursInStage: hoursSince(state.stageSince, now),
      devices: fleet.groups(),
      slices: {},
      decidedInStage: acting > 0 ? Math.round(silent > 0 ? 0 : fleet.actingDecided * acting) : decidedBefore,
      acting: { devices: state.status === 'running' ? acting : 0, silent },
      health: healthOf(evidence, plan, fleet.size, []),
      drift,
      round: null,
      approved: true,
      mayAdvance: true,
      siblings: [],
      watching: state.status === 'watching',
    };
    state = transition(state, judge(input), now).state;
    const alarmed = state.last?.verdict === 'WORLD' || state.last?.verdict === 'AMBIGUOUS';
    const firstChange = scenario.world.changes[0];
    if (alarmed && (firstChange === undefined || hour < firstChange.fromDay * 24)) falseWorldHours += 1;
    if (alarmed && worldDelay === null && firstChange !== undefined && hour >= firstChange.fromDay * 24) worldDelay = hour + 1 - firstChange.fromDay * 24;
    onHour(state, hour);
  }
  return { status: state.status, stage: state.stage, days: hour / 24, history: state.history, worldDelay, falseWorldHours, hours: hour };
}

/** The hours that the drift detectors see. */
class SimulatedWorld {
  readonly #stream: ProgrammeStream;
  readonly #calibration: Calibration | null;
  readonly #random;
  #detectors: Detectors = { world: null, disagreement: null, disagreementAlarm: false, hours: 0, episodes: 0 };
  #usual = { disagreements: 0, episodes: 0 };

  constructor({ fleet, world }: Scenario, seed: string) {
    this.#random = seeded(`world/${seed}`);
    this.#stream = new ProgrammeStream(
      { ...PROGRAMME, devices: fleet.devices, episodesPerHour: fleet.episodesPerHour, effectHours: world.effectHours },
      this.#random.fork('programme'),
    );
    this.#calibration = world.referenceWeeks === 0 ? null : calibrate(this.#stream.reference(world.referenceWeeks));
  }

  hour(doubtful: number, seen: { readonly disagreements: number; readonly episodes: number }, plan: Plan): DriftVerdict {
    this.#detectors = watchHour(this.#detectors, this.#calibration, plan, { ...this.#stream.next(doubtful), ...seen }, this.#random);
    if (this.#detectors.disagreement === null) {
      this.#usual = { disagreements: this.#usual.disagreements + seen.disagreements, episodes: this.#usual.episodes + seen.episodes };
      const { disagreements, episodes } = this.#usual;
      if (episodes >= 500) this.#detectors = { ...this.#detectors, disagreement: startDetector(Math.max(0.005, (1.1 * disagreements) / episodes)) };
    }
    return driftOf(this.#detectors, plan);
  }
}
