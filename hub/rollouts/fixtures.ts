import { fileURLToPath } from 'node:url';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import type { EventOf, RolloutEvent } from './events.js';
import type { GateCluster, GateInput } from './gate.js';
import type { Effect } from './moves.js';
import { checkPlan, type Plan } from './plan.js';
import { percentOf, type Rollout } from './rollout.js';
import { start, step } from './step.js';

/** Small rollouts for tests: devices with given outcomes, reports that add up. */
export const configPath = (name: string) =>
  fileURLToPath(new URL(`../../../configs/rollouts/${name}.yaml`, import.meta.url));
/** A plan for three devices and few episodes; everything else is the default. */
export const DEMO_PLAN: Plan = checkPlan(
  {
    name: 'demo',
    role: 'admin',
    margin: 0.08,
    minDevices: 3,
    deadlineHours: 1,
    watchHours: 0.002,
    slices: ['channel'],
    stages: [
      { name: 'shadow', percent: 0, minEpisodes: 60, soakHours: 0.0017 },
      { name: 'canary', percent: 34, minEpisodes: 10, soakHours: 0.0017 },
      { name: 'all', percent: 100, minEpisodes: 30, soakHours: 0.0017 },
    ],
  },
  'the plan of the tests',
);
export const DIGESTS = { from: 'a'.repeat(64), to: 'b'.repeat(64) } as const;
export const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');
export const after = (hours: number) => new Date(BEGIN + hours * 3_600_000);

/** A channel with everything answered. */
export const cluster = (id: string, wins: number, losses: number, agreed: number, open = 0): GateCluster => ({
  id: `channel=${id}`,
  tallies: [{ rate: 1, zeros: agreed, wins, losses, open }],
});
export const clustersOf = (
  n: number,
  wins: number,
  losses: number,
  agreed: number,
  open = 0,
): GateCluster[] => Array.from({ length: n }, (_, i) => cluster(`c${i}`, wins, losses, agreed, open));

/** The gate with evidence alone to decide on: no soak, no quota, no drift, no health. Days are the evidence in five equal parts. */
export function bare(plan: Plan, clusters: readonly GateCluster[]): GateInput {
  const fifth = clusters.flatMap(({ tallies }) =>
    tallies.map(({ rate, zeros, wins, losses, open }) => ({
      rate,
      zeros: zeros / 5,
      wins: wins / 5,
      losses: losses / 5,
      open: open / 5,
    })),
  );
  return {
    clusters,
    days: Array.from({ length: 5 }, () => fifth),
    wrong: 0,
    plan: {
      ...plan,
      minDevices: 1,
      stages: plan.stages.map((stage) => ({
        ...stage,
        soakHours: 0,
        minEpisodes: 0,
        approve: null,
        round: null,
      })),
    },
    id: 'r',
    stage: 0,
    hoursInStage: 0,
    devices: clusters.length,
    answers: { most: null, all: 0 },
    episodesInStage: 0,
    acting: null,
    silence: null,
    silentHours: null,
    health: null,
    limitStops: 0,
    drift: {
      world: null,
      worldDoubt: false,
      worldAlarm: false,
      disagreement: null,
      disagreementAlarm: false,
    },
    round: null,
    approved: true,
    mayAdvance: true,
    siblings: [],
    status: 'running',
  };
}

/** The demo's plan as it is, in its first stage. */
export function input(clusters: readonly GateCluster[], change: Partial<GateInput> = {}): GateInput {
  const episodes = clusters.reduce(
    (sum, { tallies }) =>
      sum + tallies.reduce((all, one) => all + one.zeros + one.wins + one.losses + one.open, 0),
    0,
  );
  return {
    ...bare(DEMO_PLAN, clusters),
    plan: DEMO_PLAN,
    hoursInStage: 0.5,
    episodesInStage: episodes,
    approved: false,
    ...change,
  };
}

/** Members, and where the candidate acts. */
export function assign(
  state: Rollout,
  members: readonly string[],
  acting: readonly string[] = [],
  hour = 0,
): Rollout {
  return step(state, {
    kind: 'assigned',
    at: after(hour).toISOString(),
    members: [...members],
    acting: [...acting],
    excepted: {},
  }).state;
}

export function started(plan: Plan, change: Partial<EventOf<'started'>['rollout']> = {}): EventOf<'started'> {
  return {
    kind: 'started',
    at: after(0).toISOString(),
    who: 'test',
    ceiling: 100,
    gate: 2,
    rollout: {
      id: 'r',
      model: 'base-ad-detector',
      kind: 'rollout',
      group: null,
      from: { version: '1.0.0', digest: DIGESTS.from },
      to: { version: '2.0.0', digest: DIGESTS.to },
      plan,
      ...change,
    },
    reference: null,
    baseline: null,
    exceptions: {},
  };
}

/** One window's report of `wins` and `losses` (labelled), `agreed`, `undecided`; every ad vote is .9, every content vote .1. */
export function report(
  sequence: number,
  hour: number,
  counts: { wins?: number; losses?: number; agreed?: number; undecided?: number },
  change: Partial<WindowReport> = {},
): WindowReport {
  const { wins = 0, losses = 0, agreed = 0, undecided = 0 } = counts;
  // Disagreements: production says content, the candidate ad; a win is an ad.
  const disagreements = wins + losses + undecided;
  const episodes = disagreements + agreed;
  const bins = (ads: number): WindowReport['histograms']['production'] => ({
    bins: (
      [
        [25, episodes - ads],
        [230, ads],
      ] as [number, number][]
    ).filter(([, n]) => n > 0),
    sum: ((episodes - ads) * 25.5 + ads * 230.5) / 256,
  });
  return {
    sequence,
    start: after(hour).toISOString(),
    end: after(hour + 1).toISOString(),
    slice: { channel: 'one', site: 'home', hardware: 'pi5' },
    rollout: 'r',
    production: DIGESTS.from,
    candidate: DIGESTS.to,
    serving: 'production',
    episodes,
    content: episodes,
    draws: { rate: 1, drawn: disagreements, wins, losses },
    answers: [],
    waiting: 0,
    control: { asked: 0, answered: 0, wrong: 0 },
    histograms: { production: bins(0), candidate: bins(disagreements) },
    joint: [
      [agreed, disagreements],
      [0, 0],
    ],
    jointConfidence: [],
    labelled: {
      episodes: wins + losses,
      productionRight: losses,
      candidateRight: wins,
      wins,
      losses,
      detail: null,
    },
    latency: { production: [[12, 40]], candidate: [[12, 40]] },
    adFrames: 0,
    frames: 40,
    dropped: 0,
    restarts: 0,
    memoryMb: 180,
    downloadFailures: 0,
    ...change,
  };
}

/** The demo's plan with the gate's own hours: windows of an hour, closed half an hour later, everything asked. */
export const PLAN: Plan = {
  ...DEMO_PLAN,
  windowSeconds: 3600,
  lagHours: 0.5,
  dayHours: 24,
  labels: 'all',
  answerHours: 6,
  wrong: 0,
  watchHours: 3,
  deadlineHours: 200,
};

/** A rollout that is fed events and remembers everything. */
export class Play {
  state: Rollout;
  readonly events: RolloutEvent[];
  readonly effects: Effect[] = [];
  readonly members: readonly string[];
  readonly #sequences = new Map<string, number>();

  constructor(
    members: readonly string[] = ['pi-0', 'pi-1', 'pi-2'],
    first: EventOf<'started'> = started(PLAN),
  ) {
    this.members = members;
    this.events = [first];
    this.state = start(first);
    this.act([]);
  }
  send(event: Exclude<RolloutEvent, { kind: 'started' }>): readonly Effect[] {
    const { state, effects, decision, quiet } = step(this.state, event);
    if (!quiet) this.events.push(event);
    if (decision !== null) this.events.push({ kind: 'decision', entry: decision });
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }
  act(acting: readonly string[], hour = 0): void {
    this.send({
      kind: 'assigned',
      at: after(hour).toISOString(),
      members: [...this.members],
      acting: [...acting],
      excepted: {},
    });
  }
  tick(hour: number): readonly Effect[] {
    return this.send({ kind: 'tick', at: after(hour).toISOString(), siblings: [] });
  }
  order(order: EventOf<'order'>['order'], hour: number, percent?: number): readonly Effect[] {
    return this.send({
      kind: 'order',
      at: after(hour).toISOString(),
      who: 'token:ada',
      order,
      reason: 'because',
      ...(percent !== undefined && { percent }),
    });
  }
  /** One device's report of the hour, as it comes when the hour is over. */
  window(
    device: string,
    hour: number,
    counts: Counts,
    change: Partial<WindowReport> = {},
    at = hour + 1,
  ): void {
    const sequence = change.sequence ?? (this.#sequences.get(device) ?? 0) + 1;
    this.#sequences.set(device, sequence);
    this.send({
      kind: 'window',
      at: after(at).toISOString(),
      device,
      report: { ...report(sequence, hour, counts, change), sequence },
    });
  }
  /** The same hour of every device, each on a channel of its own where `channels` says so; who acts says so. */
  hour(
    hour: number,
    counts: Counts,
    {
      devices = this.members,
      channel = () => 'one',
    }: { devices?: readonly string[]; channel?: (device: string) => string } = {},
  ): void {
    for (const device of devices) {
      const serving =
        percentOf(this.state) > 0 && this.state.acting.includes(device) ? 'candidate' : 'production';
      this.window(device, hour, counts, {
        serving,
        slice: { channel: channel(device), site: 'home', hardware: 'pi5' },
      });
    }
  }
}
export type Counts = Parameters<typeof report>[2];
/** Every device on a channel of its own. */
export const ownChannel = (device: string) => `c-${device}`;
export const pis = (n: number) => Array.from({ length: n }, (_, i) => `pi-${i}`);
