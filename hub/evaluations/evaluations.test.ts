import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { PLAN, started } from '../rollouts/fixtures.js';
import { start } from '../rollouts/step.js';
import { openStore } from '../store/open.js';
import { answer, digest, rounds } from '../testing/rounds.js';
import { MODEL } from '../testing/state.js';
import { holdDatabase } from '../testing/store.js';
import { Evaluations } from './evaluations.js';
import { resultOf } from './round.js';

const coded = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

test('a round closes when all have answered; its rollout and its version hear of it', async (t) => {
  const { store, assigned, closed, evaluations, order } = await rounds(t);
  const { id } = await evaluations.start(order);
  for (const device of ['pi-0', 'pi-1']) await evaluations.take(device, answer(id));
  assert.deepEqual(
    assigned,
    [null, ['pi-0'], ['pi-1']],
    'who has answered is told what is next, and nobody else is looked at',
  );
  for (const device of ['pi-2', 'pi-3'])
    await evaluations.take(device, answer(id, { slice: { channel: 'two', site: 'home', hardware: 'pi5' } }));
  await evaluations.take(
    'pi-0',
    answer(id, {
      sources: { operator: 0, button: 9, rule: 0 },
      counts: { episodes: 9, productionRight: 9, candidateRight: 9, wins: 0, losses: 0 },
    }),
  );
  await evaluations.tick();
  const round = evaluations.find(id);
  assert.equal(round.status, 'closed');
  assert.equal(resultOf(round).episodes, 80, 'the second answer of a device counts for nothing');
  assert.deepEqual(
    [closed[0]?.[0], closed[0]?.[1].inconclusive, closed[0]?.[1].devices],
    ['some-rollout', false, 4],
  );
  assert.equal(store.state.models[MODEL]?.versions['2.0.0']?.evaluations[0]?.difference?.value, 0.15);
});

test('a rollout hears of its round once, though its log or the state could not be written, or the hub was killed between', async (t) => {
  const { folder, clock, closed, trouble, evaluations, order } = await rounds(t);
  const { id } = await evaluations.start(order);
  clock.now = new Date(clock.now.getTime() + 3_600_000);
  trouble.onClosed = new AdbreakError('disk_full', 'the log cannot be written');
  await evaluations.tick();
  assert.deepEqual([evaluations.find(id).status, closed.length], ['closed', 0]);
  // As a killed hub finds it.
  const reopened = await openStore(folder, () => new Date());
  const heard: string[] = [];
  const restarted = new Evaluations({
    store: reopened,
    now: () => clock.now,
    assign: async () => undefined,
    onClosed: async (_, outcome) => void heard.push(outcome.round),
    log: () => undefined,
  });
  for (let looks = 0; looks < 2; looks++) await restarted.tick();
  assert.deepEqual(heard, [id]);
  await reopened.close();
  trouble.onClosed = null;
  const { id: second } = await evaluations.start({ ...order, rollout: 'another' });
  clock.now = new Date(clock.now.getTime() + 3_600_000);
  const release = await holdDatabase(folder);
  await evaluations.tick();
  assert.equal(evaluations.find(second).status, 'open', 'what could not be written has not happened');
  await assert.rejects(
    evaluations.start({ ...order, rollout: 'a third' }),
    coded('state_unwritable', /another program holds it/),
  );
  await release();
  for (let looks = 0; looks < 2; looks++) await evaluations.tick();
  assert.deepEqual(new Set(closed.map(([, { round }]) => round)), new Set([id, second]));
});

test('a round of a rollout asks no device whose evidence was taken out of it, and counts no answer of one that was since', async (t) => {
  const { store, clock, closed, evaluations, order } = await rounds(t);
  const first = started(PLAN, { id: 'some-rollout' });
  await store.change((state, writing) => {
    state.rollouts = [{ ...start(first), seen: writing.event('some-rollout', first) }];
  });
  const takeOut = (device: string) =>
    store.change((state) => {
      const aside = { [device]: { at: clock.now.toISOString(), reason: 'why', who: 'token:ada' } };
      state.rollouts = state.rollouts.map((one) => ({ ...one, setAside: { ...one.setAside, ...aside } }));
    });
  const { id } = await evaluations.start({ ...order, quorum: 2, minDevices: 2, without: ['pi-3'] });
  assert.deepEqual(evaluations.find(id).cohort, ['pi-0', 'pi-1', 'pi-2']);
  for (const device of ['pi-0', 'pi-1', 'pi-2']) await evaluations.take(device, answer(id));
  await takeOut('pi-2');
  await evaluations.tick();
  assert.deepEqual([closed[0]?.[1].devices, closed[0]?.[1].episodes], [2, 40]);
  assert.equal(store.state.models[MODEL]?.versions['2.0.0']?.evaluations[0]?.devices, 2);
});

test('answers that lie, come late, twice, from elsewhere or about other models are refused', async (t) => {
  const { clock, evaluations, order } = await rounds(t);
  const { id } = await evaluations.start({ ...order, where: { channel: ['one'] }, quorum: 2, minDevices: 2 });
  const lies: [Partial<RoundReport>, RegExp][] = [
    [
      { counts: { episodes: 20, productionRight: 25, candidateRight: 18, wins: 4, losses: 1 } },
      /more outcomes than episodes/,
    ],
    [
      { counts: { episodes: 20, productionRight: 15, candidateRight: 18, wins: 9, losses: 1 } },
      /wins and losses do not fit/,
    ],
    [
      { counts: { episodes: 20, productionRight: 15, candidateRight: 14, wins: -1, losses: 0 } },
      /a count is negative/,
    ],
    [{ sources: { operator: 0, button: 2, rule: 0 } }, /sources of the labels do not add up/],
    [{ candidate: digest('9') }, /compares other models/],
  ];
  for (const [change, words] of lies)
    await assert.rejects(evaluations.take('pi-0', answer(id, change)), coded('input_invalid', words));
  await assert.rejects(evaluations.take('pi-2', answer(id)), coded('conflict', /does not ask it/));
  clock.now = new Date(clock.now.getTime() + 3_600_000);
  await evaluations.tick();
  await assert.rejects(evaluations.take('pi-0', answer(id)), coded('conflict', /closed/));
});

test('at its deadline a round closes with who has answered; under its quorum it is inconclusive', async (t) => {
  const { clock, closed, evaluations, order } = await rounds(t);
  const { id } = await evaluations.start(order);
  await evaluations.take('pi-0', answer(id));
  clock.now = new Date(clock.now.getTime() + 3_600_000);
  await evaluations.tick();
  const result = resultOf(evaluations.find(id));
  assert.deepEqual([result.inconclusive, result.answered, result.difference], [true, 1, null]);
  assert.equal(closed[0]?.[1].inconclusive, true);
});

test('a secure round takes no counts of single devices, and does not outlive the hub', async (t) => {
  const { store, evaluations, order } = await rounds(t);
  const { id } = await evaluations.start({ ...order, secure: true });
  await assert.rejects(
    evaluations.take('pi-0', answer(id)),
    coded('input_invalid', /takes no counts of single devices/),
  );
  assert.equal(evaluations.secureView('pi-0', id).phase, 'keys');
  assert.throws(() => evaluations.secureView('stranger', id), AdbreakError);
  const restarted = new Evaluations({
    store,
    now: () => new Date('2026-01-01T00:00:00.000Z'),
    assign: async () => undefined,
    onClosed: async () => undefined,
    log: () => undefined,
  });
  assert.equal(restarted.secureView('pi-0', id).phase, 'over');
  await restarted.tick();
  assert.deepEqual([restarted.find(id).status, resultOf(restarted.find(id)).inconclusive], ['closed', true]);
});
