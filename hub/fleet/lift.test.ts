import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Desired } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DEMO_PLAN } from '../rollouts/fixtures.js';
import { Executor } from '../rollouts/lifecycle/executor.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { auditLines, storedState } from '../testing/store.js';
import { liftException } from './lift.js';

const NOW = new Date('2026-01-05T00:00:00.000Z');
const LIFT = { model: MODEL, name: 'channel=one', who: 'token:first', reason: 'a new aerial' };
const OLD = { version: '1.0.0', digest: '1'.repeat(64) };

/** The executor over a real store; `told` is what devices were told, with the audit log as it was then. */
async function fleet(t: TestContext, folder: string) {
  const store = await openStore(folder, () => NOW);
  t.after(() => store.close());
  const told: { readonly device: string; readonly version: string; readonly audit: readonly string[] }[] = [];
  const network = { up: true };
  const publishDesired = async (desired: Desired, device: string) => {
    if (!network.up) throw new Error('the message was lost');
    told.push({ device, version: desired.production.version, audit: await auditLines(folder) });
  };
  const executor = new Executor({
    store,
    now: () => NOW,
    publishDesired,
    onDecision: () => undefined,
    startRound: async () => undefined,
    complain: () => undefined,
  });
  return { store, executor, told, network, now: () => NOW };
}
async function excepted(t: TestContext, folder: string) {
  const one = await fleet(t, folder);
  await one.store.change(
    (state) => {
      for (const id of ['pi-1', 'pi-2']) state.devices[id] = deviceEntry(id, id === 'pi-1' ? 'one' : 'two');
      state.models[MODEL] = {
        ...modelEntry('2.0.0', ['1.0.0', '2.0.0', '3.0.0']),
        exceptions: { 'channel=one': OLD },
      };
    },
    { who: 'test', what: 'begin', subject: MODEL },
  );
  await one.executor.assign(MODEL);
  return one;
}
const lines = (audit: readonly string[] = []) => audit.filter((line) => line.includes('exception.lift'));
const promotion = { model: MODEL, version: '3.0.0', percent: 100, plan: DEMO_PLAN, who: 'test' };

test('devices are told when the change is audited and on disk, with who, why and what was before', async (t) => {
  const folder = await temporaryFolder();
  const one = await excepted(t, folder);
  assert.deepEqual(
    one.told
      .splice(0)
      .map(({ device, version }) => `${device} ${version}`)
      .sort(),
    ['pi-1 1.0.0', 'pi-2 2.0.0'],
  );
  await liftException(one, LIFT);
  assert.deepEqual(
    one.told.map(({ device, version, audit }) => [device, version, lines(audit).length]),
    [['pi-1', '2.0.0', 1]],
  );
  const { at: _, ...entry } = JSON.parse(lines(one.told[0]?.audit)[0] ?? '') as Record<string, unknown>;
  assert.deepEqual(entry, {
    who: 'token:first',
    what: 'exception.lift',
    subject: `${MODEL} channel=one`,
    before: OLD,
    after: {
      production: { version: '2.0.0', digest: '2'.repeat(64) },
      reason: 'a new aerial',
      devices: ['pi-1'],
    },
  });
  const state = await storedState(folder);
  assert.deepEqual(
    [state.models[MODEL]?.exceptions, Object.keys(state.models[MODEL]?.lifted ?? {})],
    [{}, ['channel=one']],
  );
});

test('once more, and two at once: one line in the audit log, and both hear that it is done', async (t) => {
  const folder = await temporaryFolder();
  const one = await excepted(t, folder);
  const answers = await Promise.all([
    liftException(one, LIFT),
    liftException(one, { ...LIFT, who: 'token:other' }),
  ]);
  assert.deepEqual(
    answers.map(({ kind }) => kind),
    ['lift', 'lifted'],
  );
  assert.equal((await liftException(one, LIFT)).kind, 'lifted');
  assert.equal(lines(await auditLines(folder)).length, 1);
});

test('what a lost message held back is published by the same call again, and by the next look', async (t) => {
  for (const again of ['call', 'look'] as const) {
    const one = await excepted(t, await temporaryFolder());
    one.told.splice(0);
    one.network.up = false;
    await assert.rejects(liftException(one, LIFT), /the message was lost/);
    one.network.up = true;
    if (again === 'call') assert.equal((await liftException(one, LIFT)).kind, 'lifted');
    else await one.executor.tick();
    assert.deepEqual(
      one.told.map(({ device, version }) => [device, version]),
      [['pi-1', '2.0.0']],
      again,
    );
  }
});

test('a kill between the disk and the message: the next start tells the device', async (t) => {
  const folder = await temporaryFolder();
  const one = await excepted(t, folder);
  one.network.up = false;
  await assert.rejects(liftException(one, LIFT));
  const again = await fleet(t, folder);
  await again.executor.recover();
  assert.deepEqual(again.told.map(({ device, version }) => `${device} ${version}`).sort(), [
    'pi-1 2.0.0',
    'pi-2 2.0.0',
  ]);
  assert.equal((await liftException(again, LIFT)).kind, 'lifted');
});

test('no rollout begins with an exception that is lifted meanwhile', async (t) => {
  const refused = (error: unknown) =>
    error instanceof AdbreakError && error.code === 'conflict' && /rollout .* is running/.test(error.message);
  const first = await excepted(t, await temporaryFolder());
  // The rollout has asked first: its log says already what stays behind, though it is not in the state yet.
  const [rollout] = await Promise.all([
    first.executor.promote(promotion),
    assert.rejects(liftException(first, LIFT), refused),
  ]);
  assert.deepEqual(
    [rollout?.exceptions, first.store.state.models[MODEL]?.exceptions],
    [{ 'channel=one': OLD }, { 'channel=one': OLD }],
  );
  const second = await excepted(t, await temporaryFolder());
  const [, after] = await Promise.all([liftException(second, LIFT), second.executor.promote(promotion)]);
  assert.deepEqual([after?.exceptions, after?.excepted], [{}, {}]);
});

test('a completion makes new exceptions, and what was lifted before it is forgotten', async (t) => {
  const one = await excepted(t, await temporaryFolder());
  await liftException(one, LIFT);
  const rollout = await one.executor.promote({ ...promotion, plan: { ...DEMO_PLAN, watchHours: 0 } });
  for (let i = 0; i < 3; i++) await one.executor.order(rollout?.id ?? '', 'force', 'test', 'x');
  assert.deepEqual(
    [one.store.state.models[MODEL]?.production, one.store.state.models[MODEL]?.lifted],
    ['3.0.0', undefined],
  );
  await assert.rejects(
    liftException(one, LIFT),
    (error: unknown) => error instanceof AdbreakError && error.code === 'not_found',
  );
});
