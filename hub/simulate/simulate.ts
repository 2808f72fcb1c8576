import { DRAW_RATES } from '@adbreak/shared/contract/messages.js';
import { poisson } from '@adbreak/shared/draws.js';
import { startDetector } from '@adbreak/shared/evidence/disagreement.js';
import { type Calibration, calibrate } from '@adbreak/shared/evidence/world.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { seeded } from '@adbreak/shared/random.js';
import { apartBy, isApart } from '../rollouts/apart.js';
import { cohort } from '../rollouts/cohort.js';
import { type Detectors, type DriftVerdict, driftOf, watchHour } from '../rollouts/drift.js';
import { inputOf, look } from '../rollouts/look.js';
import type { Plan } from '../rollouts/plan.js';
import { type Entry, isActive, percentOf, type Rollout } from '../rollouts/rollout.js';
import { start, step } from '../rollouts/step.js';
import { closeWindows, windowOf } from '../rollouts/windows.js';
import { feed, nameOf, sliceOf } from './feed.js';
import { RoomStream, type RoomWindow } from './living-rooms.js';
import { PROGRAMME, ProgrammeStream } from './programme.js';
import type { Scenario } from './scenario.js';

export interface SimulatedRun {
  readonly status: Rollout['status'];
  readonly stage: number;
  /** The furthest stage that it came to. */
  readonly reached: number;
  readonly days: number;
  readonly history: readonly Entry[];
  /** Hours from a change of the world to the first WORLD or AMBIGUOUS; null where there was none. */
  readonly worldDelay: number | null;
  readonly falseWorldHours: number;
  readonly hours: number;
  /** Answers that people gave until it left the shadow, until it completed, and in all. */
  readonly answers: {
    readonly shadow: number | null;
    readonly complete: number | null;
    readonly all: number;
  };
}

const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');
const HOUR = 3_600_000;
const PRODUCTION_CRASHES = 0.05;
const MOST_CHANNELS = 200;
/** Devices of one channel see the same: more than this an average needs not. */
const DEVICES_OF_A_CHANNEL = 8;

/** How many devices stand for a scenario's: very many on one channel change no average. */
export function simulatedDevices({ fleet }: Scenario): {
  readonly devices: number;
  readonly channels: number;
} {
  const channels = Math.min(fleet.devices, fleet.channels ?? MOST_CHANNELS);
  return { channels, devices: Math.min(fleet.devices, channels * DEVICES_OF_A_CHANNEL) };
}

export interface SimulationOptions {
  readonly onHour?: (state: Rollout, hour: number) => void;
  /** Hours between two looks of the gate. */
  readonly lookHours?: number;
}

/** One rollout on a virtual fleet: the same gate and the same state machine as a real one, an hour at a time. Pure; seeded. */
export function simulateRollout(
  scenario: Scenario,
  plan: Plan,
  seed: string,
  { onHour, lookHours = 1 }: SimulationOptions = {},
): SimulatedRun {
  const random = seeded(`${scenario.name}/${seed}`);
  const { devices, channels } = simulatedDevices(scenario);
  const { fleet, people, candidate, world } = scenario;
  const hourly = { ...plan, windowSeconds: 3600 };
  const streamOf = (disagreement: number, difference: number) =>
    new RoomStream(
      {
        devices,
        channels,
        zipf: fleet.zipf,
        common: fleet.common,
        captureNoise: fleet.captureNoise,
        episodes: fleet.episodesPerHour,
        spread: fleet.spread,
        disagreement,
        difference,
        correlation: fleet.correlation,
        dayEffect: world.dayEffect,
        late: fleet.late,
        dropLosing: candidate.dropLosing,
        neverMade: candidate.neverMade,
        ...(candidate.broken !== null && { broken: candidate.broken }),
        ...(candidate.liars !== null && { liars: { ...candidate.liars, disagreement: 0.5 } }),
        people: { ...people, rate: drawRate(plan, 168 * fleet.episodesPerHour * disagreement) },
      },
      // The same tendencies and days, whatever changes: a change of the world moves all alike.
      random.fork('rooms'),
    );
  const drawn = new SimulatedWorld(scenario, channels, seed);
  const luck = random.fork('luck');
  let state = start({
    kind: 'started',
    at: new Date(BEGIN).toISOString(),
    who: 'simulation',
    ceiling: 100,
    gate: 2,
    rollout: {
      id: `sim-${seed}`,
      model: 'simulated',
      kind: 'rollout',
      group: null,
      from: { version: '1.0.0', digest: 'a'.repeat(64) },
      to: { version: '2.0.0', digest: 'b'.repeat(64) },
      plan: hourly,
    },
    exceptions: {},
    reference: null,
    baseline: null,
  });
  let rooms = streamOf(candidate.disagreement, candidate.difference);
  let current = { disagreement: candidate.disagreement, difference: candidate.difference };
  /** Since which hour the candidate acts on a device. */
  let acting = new Map<number, number>();
  let [placedBy, reached] = ['', 0];
  const neverHeard = Math.round(fleet.silent * devices);
  const crashes = (device: number, acts: boolean) =>
    (device === 0 ? fleet.crashing : null) ?? (acts ? candidate.crashesPerDay : PRODUCTION_CRASHES);
  const answers: { shadow: number | null; complete: number | null; all: number } = {
    shadow: null,
    complete: null,
    all: 0,
  };
  let [worldDelay, falseWorldHours, hour]: [number | null, number, number] = [null, 0, 0];
  const firstChange = world.changes[0];
  for (; hour < scenario.days * 24 && isActive(state); hour++) {
    const change = world.changes.findLast(({ fromDay }) => hour >= fromDay * 24);
    const wanted = {
      disagreement: change?.disagreement ?? candidate.disagreement,
      difference: change?.difference ?? candidate.difference,
    };
    if (wanted.disagreement !== current.disagreement || wanted.difference !== current.difference) {
      current = wanted;
      rooms = streamOf(current.disagreement, current.difference);
    }
    const begins = new Date(BEGIN + hour * HOUR);
    const places = JSON.stringify([
      percentOf(state),
      Object.keys(state.excluded),
      Object.keys(state.setAside),
    ]);
    if (places !== placedBy) {
      placedBy = places;
      const chosen = place(state, rooms, new Set(acting.keys()));
      acting = new Map([...chosen].map((device) => [device, acting.get(device) ?? hour]));
      state = step(state, {
        kind: 'assigned',
        at: begins.toISOString(),
        members: Array.from({ length: devices }, (_, i) => nameOf(i)),
        acting: [...chosen].map(nameOf),
        excepted: {},
      }).state;
    }
    const dead = (device: number) => {
      const since = acting.get(device);
      return (
        since !== undefined &&
        candidate.silentAfterHours !== null &&
        hour - since >= candidate.silentAfterHours
      );
    };
    const seen = rooms.next(
      hour,
      (device) =>
        device < devices - neverHeard &&
        !dead(device) &&
        (fleet.offline === 0 || luck.uniform() >= fleet.offline),
    );
    answers.all += seen.reduce((sum, { wins, losses }) => sum + wins + losses, 0);
    feed(
      state,
      windowOf(begins.getTime(), hourly),
      seen,
      (device) => acting.has(device),
      (device, acts) => poisson(luck, crashes(device, acts) / 24),
    );
    const now = new Date(BEGIN + (hour + 1) * HOUR);
    const drift = drawn.hour(change?.doubtful ?? 0, seen, plan);
    onHour?.(state, hour);
    if ((hour + 1) % lookHours !== 0) continue;
    closeWindows(
      state.evidence,
      hourly,
      (id, cluster) => isApart(id, ownValue(state.evidence.devices, id), cluster, state),
      now,
    );
    state = look(state, { ...inputOf(state, now), drift, approved: true, mayAdvance: true }, now).state;
    reached = Math.max(reached, state.stage);
    if (state.stage > 0) answers.shadow ??= answers.all;
    if (state.status === 'watching' || state.status === 'completed') answers.complete ??= answers.all;
    const alarmed = state.last?.verdict === 'WORLD' || state.last?.verdict === 'AMBIGUOUS';
    if (alarmed && (firstChange === undefined || hour < firstChange.fromDay * 24))
      falseWorldHours += lookHours;
    if (alarmed && worldDelay === null && firstChange !== undefined && hour >= firstChange.fromDay * 24)
      worldDelay = hour + 1 - firstChange.fromDay * 24;
  }
  return {
    status: state.status,
    stage: state.stage,
    reached,
    days: hour / 24,
    history: state.history,
    worldDelay,
    falseWorldHours,
    hours: hour,
    answers,
  };
}

/** The rate at which devices draw for a plan's answers a week. */
function drawRate({ labels }: Plan, disagreementsAWeek: number): number {
  if (labels === 'all') return 1;
  return DRAW_RATES.find((rate) => rate * disagreementsAWeek <= labels.perDeviceAndWeek) ?? 1 / 256;
}

/** On which devices the candidate acts: the stage's share, without those that are judged apart; who acts goes on acting. */
function place(state: Rollout, rooms: RoomStream, before: ReadonlySet<number>): Set<number> {
  const percent = percentOf(state);
  if (percent === 0) return new Set();
  const members = rooms.channelOf.map((channel, device) => ({
    id: nameOf(device),
    slice: sliceOf({ channel, device }),
    tags: {},
  }));
  const free = members.filter(({ id, slice }) => apartBy(id, slice, state) === null);
  const chosen = cohort(
    state.id,
    free,
    percent,
    new Set([...before].map(nameOf).filter((id) => free.some((one) => one.id === id))),
  );
  return new Set(members.flatMap(({ id }, device) => (chosen.has(id) ? [device] : [])));
}

/** The hours that the drift detectors see. */
class SimulatedWorld {
  readonly #stream: ProgrammeStream;
  readonly #calibration: Calibration | null;
  readonly #random;
  #detectors: Detectors = {
    world: null,
    disagreement: null,
    disagreementAlarm: false,
    hours: 0,
    episodes: 0,
  };
  #usual = { hours: 0, disagreements: 0, episodes: 0 };

  constructor({ fleet, world }: Scenario, channels: number, seed: string) {
    this.#random = seeded(`world/${seed}`);
    this.#stream = new ProgrammeStream(
      {
        ...PROGRAMME,
        devices: channels,
        episodesPerHour: fleet.episodesPerHour,
        effectHours: world.effectHours,
      },
      this.#random.fork('programme'),
    );
    this.#calibration =
      world.referenceWeeks === 0 ? null : calibrate(this.#stream.reference(world.referenceWeeks));
  }

  /** Each channel weighs what one of its devices saw. */
  hour(doubtful: number, rooms: readonly RoomWindow[], plan: Plan): DriftVerdict {
    const devices = new Map<number, number>();
    for (const { channel } of rooms) devices.set(channel, (devices.get(channel) ?? 0) + 1);
    const average = (of: (room: RoomWindow) => number) =>
      Math.round(rooms.reduce((sum, room) => sum + of(room) / (devices.get(room.channel) ?? 1), 0));
    const seen = {
      disagreements: average(({ differ }) => differ),
      episodes: average(({ episodes }) => episodes),
    };
    this.#detectors = watchHour(
      this.#detectors,
      this.#calibration,
      plan,
      { ...this.#programme(doubtful), ...seen },
      this.#random,
    );
    if (this.#detectors.disagreement === null) {
      this.#usual = {
        hours: this.#usual.hours + 1,
        disagreements: this.#usual.disagreements + seen.disagreements,
        episodes: this.#usual.episodes + seen.episodes,
      };
      const { hours, disagreements, episodes } = this.#usual;
      if (hours >= 24 && episodes >= 500)
        this.#detectors = {
          ...this.#detectors,
          disagreement: startDetector(Math.max(0.005, (1.1 * disagreements) / episodes)),
        };
    }
    return driftOf(this.#detectors, plan);
  }

  /** Without a reference nobody compares, so nothing need be drawn. */
  #programme(doubtful: number): ReturnType<ProgrammeStream['next']> {
    return this.#calibration === null ? { ofWeek: 0, histogram: [] } : this.#stream.next(doubtful);
  }
}
