import { fileURLToPath } from 'node:url';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import type { EventOf } from './events.js';
import { bare } from './forecast.js';
import type { GateInput } from './gate.js';
import { type Plan, readPlan } from './plan.js';
import type { GateDevice } from './screen.js';

/** Small rollouts for tests: devices with given outcomes, reports that add up. */
export const configPath = (name: string) => fileURLToPath(new URL(`../../../configs/rollouts/${name}.yaml`, import.meta.url));
export const DEMO_PLAN: Plan = await readPlan(configPath('demo'));
export const DIGESTS = { from: 'a'.repeat(64), to: 'b'.repeat(64) } as const;
export const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');
export const after = (hours: number) => new Date(BEGIN + hours * 3_600_000);

export const device = (id: string, wins: number, losses: number, agreed: number, undecided = 0): GateDevice => ({ id, wins, losses, agreed, undecided });
export const fleetOf = (n: number, wins: number, losses: number, agreed: number, undecided = 0): GateDevice[] =>
  Array.from({ length: n }, (_, i) => device(`pi-${i}`, wins, losses, agreed, undecided));

export function input(devices: readonly GateDevice[], change: Partial<GateInput> = {}): GateInput {
  const decided = devices.reduce((sum, { wins, losses, agreed, devices: n = 1 }) => sum + n * (wins + losses + agreed), 0);
  return { ...bare(DEMO_PLAN, { devices, decided }), plan: DEMO_PLAN, id: 'r', hoursInStage: 0.5, approved: false, ...change };
}

export function started(plan: Plan, change: Partial<EventOf<'started'>['rollout']> = {}): EventOf<'started'> {
  return {
    kind: 'started',
    at: after(0).toISOString(),
    who: 'test',
    ceiling: 100,
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
    labelled: { episodes: wins + losses, productionRight: losses, candidateRight: wins, wins, losses, detail: null },
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
