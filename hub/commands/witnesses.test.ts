import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openStore } from '../store/open.js';
import type { HubState } from '../store/state.js';
import { deviceEntry } from '../testing/state.js';
import { Witnesses } from './witnesses.js';

/** A real store; the row of a command is written with its deed, or not at all. */
const DEED = { who: 'operator:desk', what: 'rollout.pause', subject: 'r1' };
const ROW = {
  said: 'a'.repeat(64),
  reply: {
    outcome: 'refused' as const,
    at: '2026-01-01T00:00:00.000Z',
    error: { code: 'conflict', message: 'x', remedy: 'y' },
  },
  forget: '2026-01-02T00:00:00.000Z',
};
const write = (state: HubState) => {
  state.operatorCommands['desk 1'] = ROW;
};

test('the row of a command is in the transaction of its deed, by who asks and what is done, and in no other', async () => {
  const folder = await temporaryFolder();
  const store = await openStore(folder, () => new Date());
  const witnesses = new Witnesses();
  const over = witnesses.over(store);
  const rows = () => Object.keys(store.state.operatorCommands);
  await over.change(() => undefined, DEED);
  await witnesses.during('operator:desk', ['rollout.pause'], write, async () => {
    await over.change(() => undefined);
    await over.change(() => undefined, { ...DEED, who: 'gate:r1' });
    await over.change(() => undefined, { ...DEED, what: 'rollout.supersede' });
    assert.deepEqual(rows(), []);
    await over.change((state) => {
      state.devices['pi-1'] = deviceEntry('pi-1', 'one');
    }, DEED);
  });
  assert.deepEqual(rows(), ['desk 1']);
  await store.close();
  const again = await openStore(folder, () => new Date());
  assert.deepEqual(again.state.operatorCommands['desk 1'], ROW);
  await again.close();
});

test('a deed that the edit itself enters into the audit log is one, too', async () => {
  const store = await openStore(await temporaryFolder(), () => new Date());
  const witnesses = new Witnesses();
  const over = witnesses.over(store);
  const edit = (what: string) =>
    over.change((_, writing) => {
      writing.audit({ who: 'operator:desk', what: 'gate.look', subject: 'r1' });
      writing.audit({ ...DEED, what });
    });
  await witnesses.during('operator:desk', ['device.set'], write, async () => {
    await edit('device.revoke');
    assert.deepEqual(Object.keys(store.state.operatorCommands), []);
    await edit('device.set');
  });
  assert.deepEqual(Object.keys(store.state.operatorCommands), ['desk 1']);
  assert.equal((await store.auditedBefore(100, 100)).length, 4, 'each is written once');
  await store.close();
});

test('a deed that fails leaves no row, and after a command nothing is written for it any more', async () => {
  const store = await openStore(await temporaryFolder(), () => new Date());
  const witnesses = new Witnesses();
  const over = witnesses.over(store);
  const fail = () => {
    throw new Error('no');
  };
  await assert.rejects(
    witnesses.during('operator:desk', ['rollout.pause'], write, () => over.change(fail, DEED)),
    /^Error: no$/,
  );
  await over.change(() => undefined, DEED);
  assert.deepEqual(Object.keys(store.state.operatorCommands), []);
  await store.close();
});
