import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { devices } from '@adbreak/shared/contract/http/devices.js';
import { rollouts } from '@adbreak/shared/contract/http/rollouts.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { z } from 'zod';
import { callBy } from './cli/client.js';
import { configPath, report } from './rollouts/fixtures.js';
import { openStore } from './store/open.js';
import { publish } from './testing/chain.js';
import { BIN, runAt } from './testing/command.js';
import {
  connectDevice,
  enrol,
  type HubProcess,
  type Identity,
  kill,
  Publisher,
  spawnHub,
} from './testing/killed.js';
import { auditLines, exportLog, storedState } from './testing/store.js';

/** Real hubs, real sessions of devices; the clock is the machine's, so the plan is the usual one and decides nothing. */
const PLAN = { plan: configPath('standard') };
const WHY = 'its antenna is broken';

interface Ground {
  readonly folder: string;
  readonly hub: HubProcess;
  readonly rollout: string;
  readonly identities: readonly Identity[];
}
const DEVICES = ['pi-1', 'pi-2', 'pi-3'] as const;

/** Three devices with evidence in a rollout. */
async function ground(t: TestContext): Promise<Ground> {
  const folder = await temporaryFolder();
  const hub = await spawnHub(t, folder, '', PLAN);
  await publish(hub, '1.0.0');
  const identities: Identity[] = [];
  for (const device of DEVICES) identities.push(await enrol(hub, device));
  await assert.rejects(callBy(hub, devices.exclude, { params: { id: 'pi-1' }, body: { reason: WHY } }), {
    code: 'conflict',
    message: /no rollout that runs has it as a member/,
  });
  await publish(hub, '2.0.0');
  const rollout = (await storedState(folder)).rollouts[0]?.id ?? '';
  for (const identity of identities) await new Publisher(identity, windowOf(rollout)).run(hub, 3);
  return { folder, hub, rollout, identities };
}

/** Windows of a second, two hours ago. */
const SECONDS = Math.floor(Date.now() / 1000) * 1000 - 2 * 3_600_000;
function windowOf(rollout: string): (sequence: number) => WindowReport {
  const [production, candidate] = ['1.0.0', '2.0.0'].map((one) => tinyRelease(one).manifest.digest);
  return (sequence) => ({
    ...report(sequence, 0, { wins: 1, losses: 1, agreed: 8 }),
    ...{ rollout, production: production ?? '', candidate: candidate ?? '' },
    start: new Date(SECONDS + sequence * 1000).toISOString(),
    end: new Date(SECONDS + (sequence + 1) * 1000).toISOString(),
  });
}

const show = ({ rollout }: Pick<Ground, 'rollout'>, hub: HubProcess) =>
  callBy(hub, rollouts.show, { params: { id: rollout } });
/** The candidate acts on all three. */
async function forceToAll(all: Ground): Promise<void> {
  const force = () =>
    callBy(all.hub, rollouts.force, { params: { id: all.rollout }, body: { reason: 'to the last stage' } });
  for (let stages = 0; stages < 3; stages++) await force();
  await until('the candidate acts on all', async () => (await show(all, all.hub)).acting.length === 3, 20);
}

const served = z.object({ serve: z.string(), rollout: z.string().nullable() });
/** What a device hears that it shall do, by its own session. */
async function listen(identity: Identity, hub: HubProcess) {
  const client = connectDevice(identity, hub);
  await new Promise<void>((resolve) => void client.once('connect', () => resolve()));
  const heard: z.infer<typeof served>[] = [];
  client.on('message', (_topic, payload) => heard.push(served.parse(JSON.parse(payload.toString()))));
  await client.subscribeAsync(topicOf(identity.device, 'desired'), { qos: 1 });
  return { heard, end: () => client.endAsync(true) };
}

async function assertReplays({ folder, rollout }: Ground): Promise<void> {
  const file = await exportLog(folder, rollout);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [BIN, 'rollouts', 'replay', '--events', file, '--json'],
    { encoding: 'utf8' },
  );
  assert.match(stdout, /"identical":true/, stdout.slice(-1000) + stderr);
}

test('an operator takes a device’s evidence out: it is back on production at once, and who did it and why is told wherever one looks', {
  timeout: 240_000,
}, async (t) => {
  const all = await ground(t);
  const { hub, folder, rollout, identities } = all;
  await forceToAll(all);
  const [identity] = identities;
  assert.ok(identity !== undefined);
  const device = await listen(identity, hub);
  await until('it acts', async () => device.heard.at(-1)?.serve === 'candidate', 20);

  const { token } = await callBy(hub, tokens.create, { body: { id: 'eye', role: 'viewer' } });
  const ask = (id: string, body: { reason: string; rollout?: string }, as = hub.token) =>
    callBy({ ...hub, token: as }, devices.exclude, { params: { id }, body });
  await assert.rejects(ask('pi-1', { reason: WHY }, token), { code: 'forbidden' });
  await assert.rejects(ask('pi-9', { reason: WHY }), { code: 'not_found' });
  await assert.rejects(ask('pi-1', { reason: ' ' }), { code: 'input_invalid' });
  await assert.rejects(ask('pi-1', { reason: WHY, rollout: 'another' }), { code: 'not_found' });
  assert.deepEqual((await show(all, hub)).setAside, {}, 'nothing of it was done');

  const at = { ...hub, folder };
  const ran = await runAt(at, 'devices', 'exclude', 'pi-1', '--reason', WHY, '--rollout', rollout);
  assert.equal(ran.code, 0, ran.error);
  assert.match(ran.out, new RegExp(`^pi-1 is out of ${rollout}, and back on production there`));
  await until('it is back on production', async () => device.heard.at(-1)?.serve === 'production', 2);
  await device.end();
  const again = await ask('pi-1', { reason: 'another reason' });
  assert.deepEqual(again, { id: 'pi-1', excluded: [], already: [rollout] });

  const told = await show(all, hub);
  assert.deepEqual(
    [told.setAside['pi-1']?.who, told.setAside['pi-1']?.reason, told.acting],
    ['token:first', `pi-1 was taken out by token:first: ${WHY}`, ['pi-2', 'pi-3']],
  );
  const { text } = await callBy(hub, rollouts.explain, { params: { id: rollout } });
  assert.match(text, /pi-1 was taken out by token:first: its antenna is broken\n/);
  assert.match(text, /by a person's word alone, whatever they showed: pi-1/);
  const entries = (await auditLines(folder)).filter((line) => line.includes('"device.exclude"'));
  assert.equal(entries.length, 1);
  assert.match(entries[0] ?? '', /"who":"token:first".*"subject":"pi-1".*its antenna is broken/);
  await assertReplays(all);
});

test('a revoked device’s evidence is out, also when the hub was killed in between; the rollout goes on, and a new card under the name stays out', {
  timeout: 240_000,
}, async (t) => {
  const all = await ground(t);
  const { folder } = all;
  const before = await runAt({ ...all.hub, folder }, 'devices', 'revoke', 'pi-1');
  assert.equal(before.code, 0, before.error);
  const first = await show(all, all.hub);
  assert.equal(first.setAside['pi-1']?.reason, 'pi-1 was taken out by token:first: its identity was revoked');
  assert.deepEqual(first.members, ['pi-2', 'pi-3']);
  await sleep(1500);
  assert.equal((await show(all, all.hub)).status, 'running', 'one device may be set aside');

  await kill(all.hub);
  // As a kill leaves it that comes after the first of the two writes.
  const store = await openStore(folder, () => new Date());
  await store.change(({ devices: known }) => void Object.assign(known['pi-2'] ?? {}, { revoked: true }));
  await store.close();
  const hub = await spawnHub(t, folder, all.hub.token, PLAN);
  const healed = await show(all, hub);
  assert.equal(healed.setAside['pi-2']?.reason, 'pi-2 was taken out by hub: its identity was revoked');
  assert.deepEqual(healed.members, ['pi-3']);
  await sleep(1500);
  assert.equal((await show(all, hub)).status, 'running', 'who is gone takes nothing back');

  await enrol(hub, 'pi-2');
  const back = await show(all, hub);
  assert.deepEqual(
    [back.members, Object.keys(back.setAside)],
    [
      ['pi-2', 'pi-3'],
      ['pi-1', 'pi-2'],
    ],
  );
  assert.ok(!back.acting.includes('pi-2'));
  await assertReplays(all);
});
