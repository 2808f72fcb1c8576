import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rolloutState } from '@adbreak/shared/contract/operators.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DEMO_PLAN } from '../rollouts/fixtures.js';
import { Executor } from '../rollouts/lifecycle/executor.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { RolloutBoard, SHOWN_MS } from './board.js';

/** The board over a real store with a real rollout; what it publishes is kept, or refused. */
const START = Date.parse('2026-01-01T00:00:00.000Z');

async function shown() {
  let now = new Date(START);
  const store = await openStore(await temporaryFolder(), () => now);
  const executor = new Executor({
    store,
    now: () => now,
    publishDesired: async () => undefined,
    onDecision: () => undefined,
    startRound: async () => undefined,
    complain: (line) => assert.fail(line),
  });
  await store.change((state) => {
    state.devices['pi-0'] = deviceEntry('pi-0', 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  const rollout = await executor.promote({
    model: MODEL,
    version: '2.0.0',
    percent: 100,
    plan: DEMO_PLAN,
    who: 'test',
  });
  assert.ok(rollout !== null);
  const out: [topic: string, payload: string][] = [];
  let broken = false;
  const publish = async (topic: string, payload: string) => {
    if (broken) throw new Error('the broker is gone');
    out.push([topic, payload]);
  };
  const begin = () => new RolloutBoard({ store, now: () => now, publish });
  return {
    store,
    executor,
    id: rollout.id,
    out,
    begin,
    at: (milliseconds: number) => {
      now = new Date(START + milliseconds);
    },
    breaks: (is: boolean) => {
      broken = is;
    },
  };
}

test('a look publishes what is not out yet, and nothing twice; a board that begins anew publishes all', async () => {
  const { executor, id, out, begin } = await shown();
  const board = begin();
  for (let look = 0; look < 3; look++) await board.look();
  assert.deepEqual(
    out.map(([topic]) => topic),
    [`adbreak/v1/rollouts/${id}`],
  );
  await executor.order(id, 'pause', 'test', 'the studio changes its graphics');
  await board.look();
  await board.look();
  const states = out.map(([, payload]) => rolloutState.parse(JSON.parse(payload)));
  assert.deepEqual(
    states.map(({ status }) => status),
    ['running', 'paused'],
  );
  assert.ok((states[1]?.revision ?? 0) > (states[0]?.revision ?? 0));
  assert.match(states[1]?.last?.reason ?? '', /the studio changes its graphics/);
  await begin().look();
  assert.equal(out.length, 3);
});

test('a message that failed goes out with the next look, and the look says that it failed', async () => {
  const { out, begin, breaks } = await shown();
  const board = begin();
  breaks(true);
  await assert.rejects(board.look(), /the broker is gone/);
  breaks(false);
  await board.look();
  assert.equal(out.length, 1);
});

test('a rollout that has ended stays for thirty days, then an empty message takes it away, once', async () => {
  const { executor, id, out, begin, at, breaks } = await shown();
  const board = begin();
  await executor.order(id, 'abort', 'test', 'enough');
  await board.look();
  at(SHOWN_MS - 1);
  await board.look();
  assert.equal(out.length, 1);
  at(SHOWN_MS);
  breaks(true);
  await assert.rejects(board.look());
  breaks(false);
  await board.look();
  await board.look();
  assert.deepEqual(out.slice(1), [[`adbreak/v1/rollouts/${id}`, '']]);
  await begin().look();
  assert.equal(out.length, 2, 'one that begins later does not show it');
});
