import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { Evaluations } from './evaluations.js';

const ORDER = {
  model: MODEL,
  candidate: '2.0.0',
  quorum: 1,
  hours: 1,
  minDevices: 1,
  secure: false,
  epsilon: null,
  who: 'token:ada',
  rollout: null,
};

/** Two devices that can be asked, and a clock; `assigned` is what telling the devices takes. */
async function asked(assigned: () => Promise<void>) {
  const clock = { now: new Date('2026-01-03T00:00:00.000Z') };
  const store = await openStore(await temporaryFolder(), () => clock.now);
  const desired = {
    revision: 1,
    model: MODEL,
    production: { version: '1.0.0', digest: '1'.repeat(64) },
    candidate: null,
    serve: 'production',
    rollout: null,
    labelRate: 1,
  } as const;
  await store.change((state) => {
    for (const id of ['pi-0', 'pi-1']) state.devices[id] = Object.assign(deviceEntry(id, 'one'), { desired });
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  const evaluations = new Evaluations({
    store,
    now: () => clock.now,
    log: () => undefined,
    assign: assigned,
    onClosed: async () => undefined,
  });
  const found = () => store.state.models[MODEL]?.versions['2.0.0']?.evaluations.map(({ round }) => round);
  return { clock, evaluations, found };
}

/** Promise.withResolvers, which Node 20 has not. */
function gate() {
  let resolve = () => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve: () => resolve() };
}

test('two looks at once close a round once', async () => {
  const { clock, evaluations, found } = await asked(async () => undefined);
  const { id } = await evaluations.start(ORDER);
  clock.now = new Date('2026-01-03T02:00:00.000Z');
  await Promise.all([evaluations.tick(), evaluations.tick()]);
  assert.deepEqual(found(), [id]);
});

test('a rollout that asks for its round again, as it was not told that it has one, gets the one it has', async () => {
  const { evaluations } = await asked(async () => undefined);
  const order = { ...ORDER, rollout: 'r-1', who: 'gate:r-1' };
  const first = await evaluations.start(order);
  const [again, andAgain] = await Promise.all([evaluations.start(order), evaluations.start(order)]);
  assert.deepEqual([again.id, andAgain.id], [first.id, first.id]);
  const other = await evaluations.start({ ...order, rollout: 'r-2' });
  assert.notEqual(other.id, first.id, 'another rollout has its own');
});

test('a round that a person cancelled while a look was under way stays cancelled', async () => {
  const [told, telling] = [gate(), gate()];
  let slow = false;
  const { clock, evaluations, found } = await asked(async () => {
    if (!slow) return;
    slow = false;
    telling.resolve();
    await told.promise;
  });
  const [first, second] = [await evaluations.start(ORDER), await evaluations.start(ORDER)];
  clock.now = new Date('2026-01-03T02:00:00.000Z');
  slow = true;
  const look = evaluations.tick();
  await telling.promise;
  await evaluations.cancel(second.id, 'token:ada');
  told.resolve();
  await look;
  assert.equal(evaluations.find(second.id).status, 'cancelled');
  assert.deepEqual(found(), [first.id]);
});
