import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { explain } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { agentOf, overview, publish } from './testing/chain.js';
import { run } from './testing/command.js';
import { signingRequest } from './testing/enrol.js';
import { auditLines, tamper } from './testing/store.js';
import { type TestHub, testHub } from './testing.js';

const device = async (hub: TestHub) => (await overview(hub)).devices[0];
const shadow = async (hub: TestHub) => (await device(hub))?.reported?.shadow?.version;
async function keys(...args: string[]): Promise<string> {
  const { code, out, error } = await run(['keys', ...args]);
  assert.equal(code, 0, error);
  return out;
}
async function refused(words: RegExp, ...args: string[]): Promise<void> {
  const { code, error } = await run(['keys', ...args]);
  assert.equal(code, 1);
  assert.match(error, words);
}
/** The same hub again, on the same ports, so that its devices find it. */
async function again(t: TestContext, { folder, running, token }: TestHub): Promise<TestHub> {
  const { httpPort, mqttPort } = running;
  return { ...(await testHub(t, { folder, httpPort, mqttPort })), token };
}
const trustOf = async (state: string) =>
  JSON.parse(await readFile(join(state, 'trust.json'), 'utf8')) as { revision: number; floor: string };
const heardIn = (state: string) =>
  trustOf(state).then(
    () => true,
    () => false,
  );

test('a device follows its hub through new keys of all four roles: what it shall run, and models', {
  timeout: 180_000,
}, async (t) => {
  const first = await testHub(t);
  await publish(first, '1.0.0');
  const agent = await agentOf(t, first, { kind: 'live' });
  await until('1.0.0 serves', async () => (await device(first))?.reported?.serving?.version === '1.0.0', 60);
  const state = ['--state', first.folder];
  await refused(/a hub runs on it/, 'rotate', 'root', ...state);
  await first.running[Symbol.asyncDispose]();
  const before = await keys('list', ...state);
  for (const role of ['timestamp', 'snapshot', 'targets', 'root'])
    assert.match(await keys('rotate', role, ...state), new RegExp(`${role} has its new key since root \\d`));
  const after = await keys('list', ...state);
  assert.match(after, /^root 5\nroot {7}[0-9a-f]{12} {2}here {6} signed until/);
  for (const line of before.trim().split('\n'))
    assert.ok(!after.includes(line.slice(0, 23)), `${line} is in ${after}`);
  const hub = await again(t, first);
  await publish(hub, '2.0.0');
  await until('2.0.0 in the shadow', async () => (await shadow(hub)) === '2.0.0', 60);
  assert.doesNotMatch(agent.words(), /error (desired|metadata)_/);
  const { revision, floor } = await trustOf(agent.state);
  assert.equal(revision, (await device(hub))?.reported?.revision);
  assert.ok(Math.abs(Date.parse(floor) - Date.now()) < 60_000);
  const audit = (await auditLines(hub.folder)).join('\n');
  assert.match(audit, /"who":"keys","what":"keys\.rotate","subject":"root"/);
});

test('with the keys of root and targets elsewhere the hub works on; a model is pushed, signed there, and published while the hub runs', {
  timeout: 180_000,
}, async (t) => {
  const first = await testHub(t);
  await publish(first, '1.0.0');
  await agentOf(t, first, { kind: 'live' });
  await until('1.0.0 serves', async () => (await device(first))?.reported?.serving?.version === '1.0.0', 60);
  await first.running[Symbol.asyncDispose]();
  const away = await temporaryFolder();
  const state = ['--state', first.folder];
  const key = (role: string) => join(away, `${role}.key`);
  await refused(/it signs every hour/, 'export', 'timestamp', key('timestamp'), '--remove', ...state);
  for (const role of ['root', 'targets'])
    assert.match(await keys('export', role, key(role), '--remove', ...state), /unencrypted/);
  assert.equal((await stat(key('root'))).mode & 0o777, 0o600);
  await refused(/is not here/, 'export', 'root', join(away, 'another'), ...state);
  const hub = await again(t, first);
  await assert.rejects(publish(hub, '2.0.0'), (error: unknown) => {
    assert.match(explain(error), /Cannot register base-ad-detector 2\.0\.0 yet/);
    return true;
  });
  assert.equal((await overview(hub)).models['base-ad-detector']?.versions['2.0.0'], undefined);
  const waits = join(hub.folder, 'registry/pending/targets.json');
  assert.match(await keys('list', ...state), /targets .* elsewhere[\s\S]*targets 3 waits for its signature/);
  const checked = await run(['hub', 'check', ...state]);
  assert.match(checked.out, /warning +metadata +targets 3 waits/);
  const carried = join(away, 'targets.json');
  await cp(waits, carried);
  await refused(/hub has refused it/, 'publish', carried, ...state);
  const signed = await keys('sign', carried, '--key', key('targets'));
  assert.match(signed, /targets 3, until .*\n(.*\n)*.*base-ad-detector\/2\.0\.0\/model\.tflite {2}\d+ bytes/);
  assert.match(await keys('publish', carried, ...state), /published/);
  assert.equal((await overview(hub)).models['base-ad-detector']?.versions['2.0.0']?.status, 'available');
  await hub.running[Symbol.asyncDispose]();
  // Back again: from here on it is as it was.
  await refused(/it is not the key that the root names/, 'import', 'root', key('targets'), ...state);
  for (const role of ['root', 'targets']) await keys('import', role, key(role), ...state);
  const back = await again(t, hub);
  await publish(back, '3.0.0');
  await until('3.0.0 in the shadow', async () => (await shadow(back)) === '3.0.0', 60);
});

test('keys of other kinds are refused where a key file comes in', async (t) => {
  const hub = await testHub(t);
  await hub.running[Symbol.asyncDispose]();
  const folder = await temporaryFolder();
  const state = ['--state', hub.folder];
  for (const [kind, words] of [
    [['rsa', '2048'], /it is not a private ed25519 key: it is rsa 2048/],
    [['ec', 'prime256v1'], /it is ec prime256v1/],
  ] as const) {
    const path = join(folder, `${kind[0]}.key`);
    await writeFile(path, (await signingRequest(kind)).key);
    await refused(words, 'import', 'root', path, ...state);
    await refused(words, 'sign', join(hub.folder, 'registry/metadata/1.root.json'), '--key', path);
    await cp(path, join(hub.folder, 'registry/keys/snapshot.key'));
    await chmod(join(hub.folder, 'registry/keys/snapshot.key'), 0o600);
    await assert.rejects(testHub(t, { folder: hub.folder }), { code: 'state_corrupt', message: words });
  }
  const nonsense = join(folder, 'nonsense');
  await writeFile(nonsense, 'no key');
  await refused(/it is not a private ed25519 key in PEM/, 'import', 'root', nonsense, ...state);
  await refused(/does not exist/, 'import', 'root', join(folder, 'nowhere'), ...state);
});

test('a device that has heard signed words refuses plain ones, says so on its page, and is over it with the next signed one', {
  timeout: 120_000,
}, async (t) => {
  const first = await testHub(t);
  await publish(first, '1.0.0');
  const agent = await agentOf(t, first, { kind: 'live' });
  await until('1.0.0 serves', async () => (await device(first))?.reported?.serving?.version === '1.0.0', 60);
  await until('it has heard a signed word', () => heardIn(agent.state), 60);
  await first.running[Symbol.asyncDispose]();
  // As of a hub before it signed: it has not heard of the agent, and sends plain words until it does.
  await tamper(first.folder, "update device set body = json_remove(body, '$.agent')");
  const hub = await again(t, first);
  await until('it refuses them', () => /error desired_forged: .*it is not signed/.test(agent.words()), 60);
  assert.match(agent.words(), /what to do: Somebody else may answer for the hub/);
  await publish(hub, '2.0.0');
  await until('signed words are followed', async () => (await shadow(hub)) === '2.0.0', 60);
  assert.equal((await device(hub))?.reported?.problem, null);
});

test('a device whose hub has signed nothing for two weeks serves on, and says so on its page', {
  timeout: 120_000,
}, async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  await until('1.0.0 serves', async () => (await device(hub))?.reported?.slot === 'confirmed', 60);
  await until('it has heard a signed word', () => heardIn(agent.state), 60);
  agent.child.kill('SIGTERM');
  await once(agent.child, 'exit');
  await hub.running[Symbol.asyncDispose]();
  const trust = await trustOf(agent.state);
  const expires = new Date(Date.now() - 1000).toISOString();
  await writeFile(join(agent.state, 'trust.json'), JSON.stringify({ ...trust, expires }));
  const alone = await agentOf(t, hub, { state: agent.state, token: 'used', kind: 'live' });
  await until('its page', () => alone.status() !== '', 60);
  const page = async () =>
    (await (await fetch(new URL('/api/state', alone.status()))).json()) as {
      serving: string | null;
      problem: { code: string; message: string } | null;
    };
  const shown = await until(
    'it says so',
    async () => {
      const state = await page();
      return state.serving === '1.0.0' && state.problem !== null && state;
    },
    60,
  );
  assert.equal(shown.problem?.code, 'desired_untimely');
  assert.match(shown.problem?.message ?? '', /nothing has come since/);
});

test('where no hub was there are no keys, and what is missing is said: the folder, and not that one is damaged', async () => {
  const folder = await temporaryFolder();
  const nothing = join(folder, 'nothing');
  const file = join(folder, 'file');
  for (const [args, doing] of [
    [['list'], 'list the keys'],
    [['export', 'root', file], 'export the key of root'],
    [['publish', file], 'publish .*file'],
    [['rotate', 'root'], 'rotate the key of root'],
  ] as const) {
    const { code, error } = await run(['keys', ...args, '--state', nothing]);
    assert.equal(code, 1);
    const words = `^error not_found: Cannot ${doing}: no hub has been started on ${nothing}\n`;
    assert.match(error, new RegExp(words));
    assert.match(error, /what to do: Give --state the folder of the hub/);
  }
});
