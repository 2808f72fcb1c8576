import type { TestContext } from 'node:test';
import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Evaluations, type RoundOrder } from '../evaluations/evaluations.js';
import type { RoundOutcome } from '../rollouts/rollout.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from './state.js';

export const digest = (version: string) => (version[0] ?? '0').repeat(64);

/** Four devices on two channels that can be asked, a clock, and what rollouts hear of their rounds. */
export async function rounds(t: TestContext) {
  const folder = await temporaryFolder();
  const store = await openStore(folder, () => new Date());
  t.after(() => store.close());
  const clock = { now: new Date('2026-01-01T00:00:00.000Z') };
  /** Whom each assignment was for; null for all. */
  const assigned: (readonly string[] | null)[] = [];
  const closed: [string, RoundOutcome][] = [];
  /** Why the rollout cannot hear of its round. */
  const trouble: { onClosed: Error | null } = { onClosed: null };
  await store.change((state) => {
    const production = { version: '1.0.0', digest: digest('1') };
    const desired = {
      revision: 1,
      model: MODEL,
      production,
      candidate: null,
      serve: 'production' as const,
      rollout: null,
      evaluation: null,
      ask: null,
      labelRate: 1,
      draws: { perWeek: null, answerHours: 24 },
    };
    for (let i = 0; i < 4; i++)
      state.devices[`pi-${i}`] = deviceEntry(`pi-${i}`, i < 2 ? 'one' : 'two', { desired });
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  const evaluations = new Evaluations({
    store,
    now: () => clock.now,
    assign: async (_, only) => void assigned.push(only ?? null),
    onClosed: async (rollout, outcome) => {
      if (trouble.onClosed !== null) throw trouble.onClosed;
      closed.push([rollout, outcome]);
    },
    log: () => undefined,
  });
  const order: RoundOrder = {
    model: MODEL,
    candidate: '2.0.0',
    quorum: 3,
    hours: 1,
    minDevices: 3,
    secure: false,
    epsilon: null,
    who: 'test',
    rollout: 'some-rollout',
  };
  return { folder, store, clock, assigned, closed, trouble, evaluations, order };
}
/** 20 labelled episodes: the candidate is right about three more. */
export const answer = (round: string, change: Partial<RoundReport> = {}): RoundReport => ({
  round,
  production: digest('1'),
  candidate: digest('2'),
  sources: { operator: 0, button: 20, rule: 0 },
  ageHours: { youngest: 0, oldest: 9 },
  counts: { episodes: 20, productionRight: 15, candidateRight: 18, wins: 4, losses: 1 },
  slice: { channel: 'one', site: 'home', hardware: 'pi5' },
  epsilonSpent: 0,
  at: '2026-01-01T00:00:00.000Z',
  ...change,
});
