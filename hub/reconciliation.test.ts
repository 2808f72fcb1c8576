import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { Desired, Reported } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { beyond } from './backup/leap.js';
import { PLAN, report } from './rollouts/fixtures.js';
import { Executor } from './rollouts/lifecycle/executor.js';
import { FIRST_PATIENCE_MS } from './rollouts/lifecycle/reconciliation.js';
import { openStore } from './store/open.js';
import type { Database } from './store/sql/database.js';
import { deviceEntry, MODEL, modelEntry } from './testing/state.js';

/** A fleet of entries over a real store; what it is sent is written down, and may be lost without a sign. */
async function fleetOf(t: TestContext, ids: readonly string[]) {
  const store = await openStore(await temporaryFolder(), () => new Date());
  t.after(() => store.close());
  const sent: [device: string, revision: number][] = [];
  const clock = { now: new Date('2026-01-01T00:00:00.000Z').getTime() };
  const latest = new Map<string, Desired>();
  const executor = new Executor({
    store,
    now: () => new Date(clock.now),
    publishDesired: async (desired, device) => {
      sent.push([device, desired.revision]);
      latest.set(device, desired);
    },
    onDecision: () => undefined,
    startRound: async () => undefined,
    complain: (line) => assert.fail(line),
  });
  await store.change((state) => {
    for (const id of ids) state.devices[id] = deviceEntry(id, 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  const reports = (device: string, revision: number, statusPage: string | null = null) =>
    store.change(({ devices }) => {
      const reported: Reported = {
        revision,
        serving: null,
        shadow: null,
        slot: 'confirmed',
        problem: null,
        source: 'running',
        statusPage,
        at: new Date(clock.now).toISOString(),
      };
      Object.assign(devices[device] ?? {}, { reported });
    });
  const tick = async (minutes: number) => {
    clock.now += minutes * 60_000;
    sent.length = 0;
    await executor.tick();
    return sent.map(([device]) => device);
  };
  return { store, executor, sent, latest, reports, tick };
}

test('a look gives devices what they should have, though nobody ordered it: the order was lost, or never given', async (t) => {
  const { store, latest, sent, tick } = await fleetOf(t, ['pi-1', 'pi-2']);
  assert.deepEqual((await tick(1)).sort(), ['pi-1', 'pi-2'], 'no desired state yet');
  assert.equal(latest.get('pi-1')?.production.version, '1.0.0');
  // Production changes, and whoever changed it was killed before he told anybody.
  await store.change(({ models }) => {
    const model = models[MODEL];
    if (model !== undefined) model.production = '2.0.0';
  });
  await tick(1);
  assert.deepEqual(
    [...latest.values()].map(({ production }) => production.version),
    ['2.0.0', '2.0.0'],
  );
  assert.deepEqual(
    sent.map(([, revision]) => revision),
    [2, 2],
  );
});

test('what a device does not report is sent again, ever more seldom, and is told; what it reports is not', async (t) => {
  const { store, executor, reports, tick } = await fleetOf(t, ['pi-1', 'pi-2', 'pi-3']);
  await tick(0);
  await reports('pi-1', 1);
  await store.change(({ devices }) => void Object.assign(devices['pi-3'] ?? {}, { online: false }));
  const patience = FIRST_PATIENCE_MS / 60_000;
  assert.deepEqual(await tick(patience - 1), []);
  assert.deepEqual(await tick(patience), ['pi-2'], 'pi-1 has it, and pi-3 gets it when it comes back');
  assert.equal(executor.behindSince('pi-1'), null);
  assert.equal(executor.behindSince('pi-2')?.toISOString(), '2026-01-01T00:00:00.000Z');
  assert.deepEqual(await tick(patience), []);
  assert.deepEqual(await tick(patience), ['pi-2'], 'twice the patience');
  let times = 0;
  for (let minute = 0; minute < 24 * 60; minute++) times += (await tick(1)).length;
  assert.ok(times >= 24 && times <= 30, `${times} times in a day`);
  await reports('pi-2', 1);
  assert.deepEqual(await tick(120), []);
  assert.equal(executor.behindSince('pi-2'), null);
});

test('a revoked device whose evidence still counts is taken out at the next look, once: nobody had told the rollout', async (t) => {
  const { store, executor, tick } = await fleetOf(t, ['pi-1', 'pi-2']);
  await tick(0);
  const request = { model: MODEL, version: '2.0.0', percent: 100, plan: PLAN, who: 'test' };
  const { id } = (await executor.promote(request)) ?? { id: '' };
  const pair = { production: '1'.repeat(64), candidate: '2'.repeat(64) };
  await executor.take('pi-1', report(1, 0, { wins: 1, agreed: 5 }, { rollout: id, ...pair }));
  await store.change(({ devices }) => void Object.assign(devices['pi-1'] ?? {}, { revoked: true }));
  for (let looks = 0; looks < 3; looks++) await tick(1);
  const { setAside, members, history } = executor.find(id);
  assert.deepEqual(
    Object.values(setAside).map(({ reason }) => reason),
    ['pi-1 was taken out by hub: its identity was revoked'],
  );
  assert.deepEqual(members, ['pi-2']);
  assert.equal(history.filter(({ action }) => action === 'take pi-1 out').length, 1);
});

test('a hub that was restored goes beyond the revisions that its devices know', async (t) => {
  const { store, latest, reports, tick } = await fleetOf(t, ['pi-1', 'pi-2']);
  await tick(0);
  await reports('pi-1', 40);
  await reports('pi-2', Number.MAX_SAFE_INTEGER);
  assert.deepEqual(await tick(1), ['pi-1']);
  assert.equal(latest.get('pi-1')?.revision, 41);
  assert.equal(
    store.state.devices['pi-2']?.desired?.revision,
    1,
    'nobody counts that far: it is not believed',
  );
  // As a hub gives them that was restored, and of which an older copy was put back afterwards.
  const leapt = 1000 * Date.parse('2026-01-01T00:00:00.000Z') + 7;
  await reports('pi-1', leapt);
  await tick(1);
  assert.equal(latest.get('pi-1')?.revision, leapt + 1);
});

test('a hub that was put back by a copy of its disk goes beyond the revisions of one that had been restored, whose numbers go on from the time', async (t) => {
  const { latest, reports, tick } = await fleetOf(t, ['pi-1', 'pi-2']);
  await tick(1);
  const known = beyond(0, new Date('2025-12-31T00:00:00.000Z')) + 7;
  await reports('pi-1', known);
  await reports('pi-2', Number.MAX_SAFE_INTEGER - 5);
  assert.deepEqual(await tick(1), ['pi-1'], 'what no hub can have given out is not believed');
  assert.equal(latest.get('pi-1')?.revision, known + 1);
});

test('a fleet in which nothing changes is sent nothing', async (t) => {
  const { executor, store, reports, tick } = await fleetOf(t, ['pi-1', 'pi-2']);
  await executor.promote({ model: MODEL, version: '2.0.0', percent: 100, plan: PLAN, who: 'test' });
  for (const { id, desired } of Object.values(store.state.devices)) await reports(id, desired?.revision ?? 0);
  for (let minute = 0; minute < 5; minute++) assert.deepEqual(await tick(1), []);
});

test('a start or an abort whose caller heard that nobody knows is not doubled or undone by the next order, which was computed from before it', async (t) => {
  const gate = Object.assign(new EventEmitter(), { shut: false });
  const wrap = (database: Database) =>
    new Proxy(database, {
      get: (of, key) => {
        const value: unknown = Reflect.get(of, key);
        if (typeof value !== 'function') return value;
        return async (...all: unknown[]) => {
          if (key === 'transact' && gate.shut) {
            gate.emit('begun');
            await once(gate, 'open');
          }
          return Reflect.apply(value, of, all);
        };
      },
    });
  const store = await openStore(await temporaryFolder(), () => new Date(), { wrap });
  t.after(() => store.close());
  const executor = new Executor({
    store,
    now: () => new Date(),
    publishDesired: async () => undefined,
    onDecision: () => undefined,
    startRound: async () => undefined,
    complain: () => undefined,
  });
  await store.change((state) => {
    state.devices['pi-1'] = deviceEntry('pi-1', 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  const request = { model: MODEL, version: '2.0.0', plan: PLAN, who: 'op', percent: 100 };
  t.mock.timers.enable({ apis: ['setTimeout'] });
  /** The first is let go without an answer and kept afterwards; the second is asked for meanwhile. */
  const both = async (first: () => Promise<unknown>, second: () => Promise<unknown>) => {
    gate.shut = true;
    const begun = once(gate, 'begun');
    const unknown = assert.rejects(first(), { code: 'store_unreachable' });
    await begun;
    t.mock.timers.tick(15_000);
    await unknown;
    gate.shut = false;
    const refused = assert.rejects(second(), { code: 'conflict' });
    gate.emit('open');
    await refused;
  };
  await both(
    () => executor.promote(request),
    () => executor.promote(request),
  );
  assert.equal(store.state.rollouts.length, 1, 'one rollout of a model at a time');
  const id = store.state.rollouts[0]?.id ?? '';
  await both(
    () => executor.order(id, 'abort', 'op', 'stop it'),
    () => executor.order(id, 'pause', 'op', 'wait'),
  );
  assert.equal(executor.find(id).status, 'aborted');
});
