import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { seeded } from '@adbreak/shared/random.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callHub } from './cli/client.js';
import { report } from './rollouts/fixtures.js';
import type { Rollout } from './rollouts/rollout.js';
import { publish } from './testing/chain.js';
import { enrol, type HubProcess, kill, Publisher, spawnHub } from './testing/killed.js';
import { auditLines, episodesOfHours, exportLog, storedState } from './testing/store.js';

/** Real hubs that are killed while real MQTT clients publish; what was acknowledged is held against what is there afterwards. */
const BIN = fileURLToPath(new URL('../bin/adbreak.js', import.meta.url));
/** Windows of a second, two hours ago: the fleet's hours still wait for them. */
const SECONDS = Math.floor(Date.now() / 1000) * 1000 - 2 * 3_600_000;
/** Reports that a rollout has added up of a device, once each: they last a second. */
const added = ({ evidence }: Rollout, device: string) =>
  Math.round(3600 * (evidence.devices[device]?.health.own.hours ?? 0));

async function fleet(t: TestContext, folder: string) {
  const hub = await spawnHub(t, folder);
  await publish(hub, '1.0.0');
  const identities = [await enrol(hub, 'pi-1'), await enrol(hub, 'pi-2'), await enrol(hub, 'pi-3')];
  await publish(hub, '2.0.0');
  const { rollouts } = await storedState(folder);
  const id = rollouts[0]?.id ?? '';
  const digests = {
    production: tinyRelease('1.0.0').manifest.digest,
    candidate: tinyRelease('2.0.0').manifest.digest,
  };
  const make = (sequence: number): WindowReport => ({
    ...report(sequence, 0, { wins: 1, losses: 1, agreed: 8 }, { rollout: id, ...digests }),
    start: new Date(SECONDS + sequence * 1000).toISOString(),
    end: new Date(SECONDS + (sequence + 1) * 1000).toISOString(),
  });
  return { hub, id, publishers: identities.map((identity) => new Publisher(identity, make)), digests };
}

async function whatIsThere(folder: string, id: string) {
  const state = await storedState(folder);
  const rollout = state.rollouts.find((one) => one.id === id);
  assert.ok(rollout !== undefined);
  return { state, rollout };
}

async function assertReplays(folder: string, id: string): Promise<void> {
  const replayed = spawnSync(
    process.execPath,
    [BIN, 'rollouts', 'replay', '--events', await exportLog(folder, id), '--json'],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(replayed.status, 0, replayed.stdout.slice(-2000) + replayed.stderr);
  assert.match(replayed.stdout, /"identical":true/);
}

test('finding 1: twenty kills: what was acknowledged is there once, and the log replays to the same decisions', {
  timeout: 400_000,
}, async (t) => {
  const seed = process.env['SEED'] ?? `kills ${Date.now()}`;
  t.diagnostic(`seed: ${seed}`);
  const random = seeded(seed);
  const folder = await temporaryFolder();
  const { hub: first, id, publishers, digests } = await fleet(t, folder);
  let hub: HubProcess = first;
  const { token } = first;
  for (let kills = 0; kills < 20; kills++) {
    if (kills > 0) hub = await spawnHub(t, folder, token);
    const running = hub;
    const orders = (async () => {
      for (const order of ['pause', 'resume', 'pause', 'resume'])
        await callHub(running, `/api/v1/rollouts/${id}/${order}`, {
          method: 'POST',
          json: { reason: `kill ${kills}` },
        }).catch(() => undefined);
    })();
    const sending = Promise.all(publishers.map((one) => one.run(running, Number.MAX_SAFE_INTEGER)));
    const heard = () => publishers.reduce((sum, one) => sum + one.acknowledged, 0);
    const before = heard();
    await until('windows are acknowledged', async () => heard() > before, 60);
    await sleep(random.integer(300));
    await kill(hub);
    await Promise.all([sending, orders]);
  }
  const acknowledged = publishers.map((one) => one.acknowledged);
  t.diagnostic(`acknowledged: ${acknowledged.join(', ')}`);
  assert.ok(
    acknowledged.every((n) => n > 0),
    'every device was heard',
  );
  hub = await spawnHub(t, folder, token);
  await Promise.all(publishers.map((one, i) => one.run(hub, (acknowledged[i] ?? 0) + 5)));
  hub.child.kill('SIGTERM');
  await once(hub.child, 'exit');
  const { state, rollout } = await whatIsThere(folder, id);
  assert.match(
    rollout.status,
    /^(running|paused)$/,
    'an ended one takes no reports, and the sums below would say nothing',
  );
  for (const [i, { acknowledged: last }] of publishers.entries()) {
    const device = `pi-${i + 1}`;
    const known = state.devices[device];
    assert.ok(known !== undefined);
    assert.equal(known.sequence, last);
    assert.deepEqual([known.missingWindows, known.refusedReports], [0, 0]);
    assert.equal(added(rollout, device), last, `${device}: none lost, none twice`);
  }
  const sent = publishers.reduce((sum, one) => sum + one.acknowledged, 0);
  assert.equal(
    (await episodesOfHours(folder)).get(digests.production),
    10 * sent,
    'the hours of the fleet hold each window once',
  );
  await assertReplays(folder, id);
  for (const line of await auditLines(folder)) JSON.parse(line);
});

test('finding 2: a full disk: nothing is acknowledged that a kill then loses, and the log can be read', {
  timeout: 120_000,
}, async (t) => {
  const folder = await smallVolume(t, 9000);
  const { hub, id, publishers } = await fleet(t, folder);
  const ballast = join(folder, 'ballast');
  const run = async (one: HubProcess, ms: number) => {
    const until = Date.now() + ms;
    while (Date.now() < until)
      await Promise.race([
        Promise.all(publishers.map((p) => p.run(one, p.acknowledged + 40))),
        sleep(until - Date.now()),
      ]);
  };
  await run(hub, 600);
  for (let size = 5_000_000; size > 500; size = Math.floor(size / 2))
    await writeFile(ballast, Buffer.alloc(size), { flag: 'a' }).catch(() => undefined);
  await run(hub, 1500);
  const full = publishers.map((one) => one.acknowledged);
  await kill(hub);
  await rm(ballast);
  assert.match(hub.words(), /no space left/);
  const again = await spawnHub(t, folder, hub.token);
  const { state, rollout } = await whatIsThere(folder, id);
  assert.equal(rollout.status, 'running');
  for (const [i, last] of full.entries()) {
    const device = `pi-${i + 1}`;
    assert.ok(
      (state.devices[device]?.sequence ?? 0) >= last,
      `${device}: ${state.devices[device]?.sequence} of ${last} acknowledged are there`,
    );
    assert.ok(added(rollout, device) >= last, `${device}: the rollout knows as many`);
  }
  await Promise.all(publishers.map((one) => one.run(again, one.acknowledged + 3)));
  await until(
    'the gate has decided something',
    async () => (await whatIsThere(folder, id)).rollout.last !== null,
    60,
  );
  again.child.kill('SIGTERM');
  await once(again.child, 'exit');
  const after = await whatIsThere(folder, id);
  assert.equal(after.rollout.status, 'running');
  for (const [i, one] of publishers.entries())
    assert.equal(added(after.rollout, `pi-${i + 1}`), one.acknowledged, 'none twice');
  await assertReplays(folder, id);
});

test('finding 1: a log of writes that a power cut left torn is cut off at its last commit, and the hub goes on', {
  timeout: 60_000,
}, async (t) => {
  const folder = await temporaryFolder();
  const { hub, id } = await fleet(t, folder);
  await kill(hub);
  await writeFile(join(folder, 'hub.db-wal'), 'half a frame', { flag: 'a' });
  const again = await spawnHub(t, folder, hub.token);
  await callHub(again, `/api/v1/rollouts/${id}/pause`, { method: 'POST', json: { reason: 'after the cut' } });
  await assertReplays(folder, id);
  const audit = await auditLines(folder);
  assert.match(audit.at(-1) ?? '', /"reason":"after the cut"/);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.part')),
    [],
  );
});

test('finding 6: a second hub on the same folder is refused, and may start when the first was killed', {
  timeout: 60_000,
}, async (t) => {
  const folder = await temporaryFolder();
  const first = await spawnHub(t, folder);
  await assert.rejects(
    spawnHub(t, folder),
    /error conflict: Cannot use the state folder .*: a hub runs on it[\s\S]*what to do: Stop that hub/,
  );
  await kill(first);
  await kill(await spawnHub(t, folder));
});
