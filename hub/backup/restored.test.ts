import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callHub } from '../cli/client.js';
import { after, report } from '../rollouts/fixtures.js';
import { openStore } from '../store/open.js';
import { agentOf, overview, publish } from '../testing/chain.js';
import { run } from '../testing/command.js';
import { enrol, Publisher, spawnHub } from '../testing/killed.js';
import { allRollups, take } from '../testing/rollups.js';
import { exportLog, storedState } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';
import { backUp } from './backup.js';
import { restore } from './restore.js';

/** A restored hub's numbers go on from the time, in microseconds. */
const BEGUN = Date.now() * 1000;

/**
 * Hubs that went on after their backup, and came back from it: what devices have seen meanwhile must not keep them
 * away.
 */
const deviceOf = async (hub: TestHub) => (await overview(hub)).devices[0];

test('finding 6: a real device takes orders, models and signed metadata of a hub that was restored over one that had gone on, and the windows in between count as missing', {
  timeout: 300_000,
}, async (t) => {
  const first = await testHub(t);
  await publish(first, '1.0.0');
  const agent = await agentOf(t, first, { kind: 'live' });
  await until(
    '1.0.0 serves, and windows come',
    async () => {
      const device = await deviceOf(first);
      return device?.reported?.serving?.version === '1.0.0' && device.sequence > 1;
    },
    90,
  );
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const saved = await run(['hub', 'backup', '--state', first.folder, path]);
  assert.equal(saved.code, 0, saved.error);
  const then = (await storedState(first.folder)).devices['pi-1'];
  // The hub goes on: versions, a rollout, revisions, metadata, windows.
  await publish(first, '2.0.0');
  await until(
    '2.0.0 in the shadow',
    async () => (await deviceOf(first))?.reported?.shadow?.version === '2.0.0',
    60,
  );
  const seen = await until('more windows', async () => {
    const device = await deviceOf(first);
    return device !== undefined && device.sequence > (then?.sequence ?? 0) + 2 && device;
  });
  assert.ok((seen.reported?.revision ?? 0) > (then?.desired?.revision ?? 0), 'it has seen a higher revision');
  const { httpPort, mqttPort } = first.running;
  await first.running[Symbol.asyncDispose]();
  const put = await run(['hub', 'restore', '--force', '--state', first.folder, path]);
  assert.equal(put.code, 0, put.error);
  const hub = { ...(await testHub(t, { folder: first.folder, httpPort, mqttPort })), token: first.token };
  const back = await until(
    'it does what the restored hub says',
    async () => {
      const device = await deviceOf(hub);
      return device?.reported?.shadow === null && device.reported.revision > BEGUN && device;
    },
    60,
  );
  assert.equal(back.reported?.serving?.version, '1.0.0');
  await until(
    'its windows are taken in',
    async () => ((await deviceOf(hub))?.sequence ?? 0) > seen.sequence,
    60,
  );
  const device = (await storedState(hub.folder)).devices['pi-1'];
  assert.ok(
    (device?.missingWindows ?? 0) >= seen.sequence - (then?.sequence ?? 0),
    'what came after the backup is a gap',
  );
  assert.equal(device?.refusedReports, 0);
  await publish(hub, '3.0.0');
  await until(
    '3.0.0 in the shadow',
    async () => {
      const { shadow = null, problem = null } = (await deviceOf(hub))?.reported ?? {};
      assert.equal(problem, null, agent.words());
      return shadow?.version === '3.0.0';
    },
    60,
  );
  const timestamp = await readFile(join(hub.folder, 'registry/metadata/timestamp.json'), 'utf8');
  assert.ok(Number(/"version":(\d+),"expires/.exec(timestamp)?.[1]) > BEGUN, timestamp);
  const ports = ['--http-port', String(httpPort), '--mqtt-port', String(mqttPort)];
  const checked = await run(['hub', 'check', '--state', hub.folder, ...ports]);
  assert.equal(checked.code, 0, checked.out);
});

const SECONDS = Math.floor(Date.now() / 1000) * 1000 - 2 * 3_600_000;

test('backed up while reports come, restored elsewhere: the rollout of that moment goes on, replays to the same decisions, and counts the gap', {
  timeout: 300_000,
}, async (t) => {
  const folder = await temporaryFolder();
  const hub = await spawnHub(t, folder);
  await publish(hub, '1.0.0');
  const identity = await enrol(hub, 'pi-1');
  await publish(hub, '2.0.0');
  const [{ id = '' } = {}] = (await storedState(folder)).rollouts;
  const digests = {
    production: tinyRelease('1.0.0').manifest.digest,
    candidate: tinyRelease('2.0.0').manifest.digest,
  };
  const make = (sequence: number): WindowReport => ({
    ...report(sequence, 0, { wins: 1, losses: 1, agreed: 8 }, { rollout: id, ...digests }),
    start: new Date(SECONDS + sequence * 1000).toISOString(),
    end: new Date(SECONDS + (sequence + 1) * 1000).toISOString(),
  });
  const device = new Publisher(identity, make);
  const sending = device.run(hub, Number.MAX_SAFE_INTEGER);
  await until('reports come', async () => device.acknowledged > 5);
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const saved = await run(['hub', 'backup', '--state', folder, path]);
  assert.equal(saved.code, 0, saved.error);
  const soon = device.acknowledged + 5;
  await until('the hub goes on', async () => device.acknowledged > soon);
  hub.child.kill('SIGKILL');
  await sending;
  const elsewhere = join(await temporaryFolder(), 'state');
  const put = await run(['hub', 'restore', '--state', elsewhere, path]);
  assert.equal(put.code, 0, put.error);
  const { sequence: known = 0 } = (await storedState(elsewhere)).devices['pi-1'] ?? {};
  assert.ok(known > 5 && known < device.acknowledged, `${known} of ${device.acknowledged}`);
  const again = await spawnHub(t, elsewhere, hub.token);
  // Enrolled on the lost hub or never: here it is new, and may have seen any revision of the lost one.
  await enrol(again, 'pi-2');
  const last = device.acknowledged + 4;
  const lost = device.acknowledged - known;
  await device.run(again, last);
  await callHub(again, `/api/v1/rollouts/${id}/pause`, { method: 'POST', json: { reason: 'enough' } });
  again.child.kill('SIGTERM');
  await until('the hub has stopped', async () => again.child.exitCode !== null);
  const { devices, rollouts } = await storedState(elsewhere);
  assert.deepEqual(
    [devices['pi-1']?.sequence, devices['pi-1']?.missingWindows, devices['pi-1']?.refusedReports],
    [last, lost, 0],
  );
  for (const { desired } of Object.values(devices)) assert.ok((desired?.revision ?? 0) > BEGUN);
  assert.equal(rollouts[0]?.evidence.devices['pi-1']?.lost.windows, lost, 'the gate counts the gap');
  const replayed = await run(['rollouts', 'replay', '--events', await exportLog(elsewhere, id), '--json']);
  assert.equal(replayed.code, 0, replayed.error);
  assert.match(replayed.out, /"identical":true/);
  const audited = await run(['hub', 'audit', '--state', elsewhere]);
  assert.equal(audited.code, 0, audited.error);
  assert.match(audited.out, /"what":"hub\.restore"/);
});

test('rollups that are computed again after a restore lose nothing of the days whose raw reports were purged before the backup', async (t) => {
  const hub = await testHub(t);
  const folder = hub.folder;
  await hub.running[Symbol.asyncDispose]();
  const clock = { day: 0 };
  const now = () => after(24 * clock.day + 12);
  const store = await openStore(folder, now);
  for (clock.day = 1; clock.day <= 10; clock.day++)
    await take(store, 'pi-1', report(clock.day, 24 * clock.day + 10, { agreed: 5 }));
  // A window of the second day comes late, as one of a device that was offline does.
  await take(store, 'pi-2', report(1, 24 * 2 + 10, { agreed: 5 }));
  while (await store.purgeReports(after(24 * 7)));
  await store.close();
  const before = await allRollups(folder);
  assert.equal(before.device_day.size, 11);
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const usual = { now: () => new Date(), signal: new AbortController().signal, progress: () => undefined };
  await backUp({ ...usual, folder, path, models: true, program: 'test' });
  const restored = await temporaryFolder();
  await restore({ ...usual, folder: restored, path, force: false });
  assert.deepEqual(await allRollups(restored), before);
  const again = await openStore(restored, now);
  await again.rollups.rebuild(now());
  await again.close();
  assert.deepEqual(await allRollups(restored), before);
});
