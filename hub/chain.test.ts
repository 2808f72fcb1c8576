import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { connectAsync } from 'mqtt';
import { callHub } from './cli/client.js';
import { agentOf, labelForever, overview, publish, scenes } from './testing/chain.js';
import { testHub } from './testing.js';

test('a device enrols, fetches, verifies, serves, confirms and reports', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub);
  const device = await until('the device serves 1.0.0, confirmed', async () =>
    (await overview(hub)).devices.find(
      ({ reported }) => reported?.serving?.version === '1.0.0' && reported.slot === 'confirmed',
    ),
  );
  assert.equal(device.reported?.problem, null);
  await until('windows arrive', async () =>
    (await overview(hub)).devices.some(({ sequence }) => sequence >= 2),
  );
  await until('the source has ended', async () =>
    (await overview(hub)).devices.some(({ reported }) => reported?.source === 'ended'),
  );
  assert.equal((await overview(hub)).devices[0]?.refusedReports, 0, hub.log.join('\n'));
  await until(
    'acknowledged reports are gone from the disk',
    async () => (await readdir(join(agent.state, 'spool'))).every((name) => !name.endsWith('.json')),
    5,
  );
});

test('labels from the status page decide a rollout: the better model is promoted, the worse one rolled back', {
  timeout: 240_000,
}, async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0', -1);
  const video = await scenes();
  const agents = await Promise.all(
    ['pi-1', 'pi-2', 'pi-3'].map((device) => agentOf(t, hub, { device, input: video })),
  );
  const urls = await Promise.all(agents.map((agent) => until('status page', async () => agent.status())));
  const stop = new AbortController();
  t.after(() => stop.abort());
  // The person: a scene that begins at a multiple of 16 s is dark, so programme; the others are ads.
  for (const url of urls)
    void labelForever(url, (start) => (Math.floor(start / 8) % 2 === 0 ? 'content' : 'ad'), stop.signal);
  await until('all serve', async () => {
    const { devices } = await overview(hub);
    return devices.length === 3 && devices.every(({ reported }) => reported?.serving?.version === '1.0.0');
  });
  await publish(hub, '2.0.0', 1);
  const second = await until(
    '2.0.0 is decided',
    async () =>
      (await overview(hub)).rollouts.find(
        ({ to, status }) => to.version === '2.0.0' && status !== 'running' && status !== 'watching',
      ),
    60,
  );
  assert.equal(second.status, 'completed', JSON.stringify(second.history));
  assert.equal((await overview(hub)).models['base-ad-detector']?.production, '2.0.0');
  await publish(hub, '3.0.0', -1);
  const third = await until(
    '3.0.0 is decided',
    async () =>
      (await overview(hub)).rollouts.find(({ to, status }) => to.version === '3.0.0' && status !== 'running'),
    60,
  );
  assert.equal(third.status, 'rolled-back', JSON.stringify(third.history));
  assert.match(third.history.at(-1)?.reason ?? '', /worse by more than/);
  const after = await until('3.0.0 is off every device', async () => {
    const now = await overview(hub);
    return (
      now.devices.every(
        ({ reported }) => reported?.serving?.version === '2.0.0' && reported.shadow === null,
      ) && now
    );
  });
  assert.equal(after.models['base-ad-detector']?.versions['3.0.0']?.status, 'quarantined');
});

test('what the hub hands out is believed only as it was signed; the device goes on with what it has', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  await until('1.0.0 serves', async () =>
    (await overview(hub)).devices.some(({ reported }) => reported?.serving?.version === '1.0.0'),
  );
  // Somebody exchanges the artifact on the hub's disk, at the moment the next version is made known.
  const { manifest, file } = tinyRelease('2.0.0');
  const artifact = join(hub.folder, 'registry/targets', manifest.digest);
  const spoil = (async () => {
    for (;;) {
      if (
        await writeFile(
          artifact,
          file.map((byte, i) => (i === 400 ? byte ^ 1 : byte)),
          { flag: 'r+' },
        ).then(
          () => true,
          () => false,
        )
      )
        return;
      await sleep(1);
    }
  })();
  await publish(hub, '2.0.0');
  await spoil;
  const problem = await until(
    'the device says what is wrong',
    async () => (await overview(hub)).devices[0]?.reported?.problem,
  );
  assert.equal(problem.code, 'manifest_forged');
  assert.match(problem.message, /2\.0\.0/);
  assert.match(agent.words(), /what to do: Do not use this model/);
  assert.equal((await overview(hub)).devices[0]?.reported?.serving?.version, '1.0.0', 'the chain goes on');
  assert.deepEqual(
    (await readdir(join(agent.state, 'models'))).filter(
      (name) => name.includes('staging') || name === manifest.digest,
    ),
    [],
    'nothing half-written',
  );
});

test('a wrong claim token: one sentence, the remedy, an exit code, and no identity on the disk', async (t) => {
  const hub = await testHub(t);
  const agent = await agentOf(t, hub, { token: 'adbreak_claim_ffffffffffffffffffff' });
  const [code] = await once(agent.child, 'exit');
  assert.equal(code, 1);
  assert.match(agent.words(), /error token_invalid: Cannot enrol pi-1: its claim token is not known/);
  assert.match(agent.words(), /what to do: Make a new one with `adbreak devices claim`/);
  assert.deepEqual(await readdir(join(agent.state, 'identity')).catch(() => []), []);
});

test('a second agent with the same identity hears why it is refused; the first one goes on', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('the first is online', async () =>
    (await overview(hub)).devices.some(({ online, reported }) => online && reported?.serving),
  );
  const copy = join(await temporaryFolder(), 'copy');
  await cp(first.state, copy, { recursive: true });
  const second = await agentOf(t, hub, { state: copy, kind: 'live' });
  await until('the second says it', async () =>
    /error identity_in_use: Cannot connect pi-1: another agent is connected with the same identity/.test(
      second.words(),
    ),
  );
  assert.match(second.words(), /what to do: Stop the other agent, or give this card an identity of its own/);
  assert.ok((await overview(hub)).devices[0]?.online);
  const again = await agentOf(t, hub, {
    device: 'pi-1',
    state: join(await temporaryFolder(), 'new'),
    kind: 'live',
  });
  await once(again.child, 'exit');
  assert.match(
    again.words(),
    /error identity_in_use: Cannot enrol pi-1: a device of this name is enrolled already/,
  );
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
  await until('the second takes over when the first has ended', async () =>
    (await overview(hub)).devices.some(({ online }) => online),
  );
});

test('after a restart without a hub the confirmed model serves from the disk, and its reports wait for the hub', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('confirmed', async () =>
    (await overview(hub)).devices.some(({ reported }) => reported?.slot === 'confirmed'),
  );
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
  await hub.running[Symbol.asyncDispose]();
  const again = await agentOf(t, hub, {
    token: 'adbreak_claim_not_needed',
    state: first.state,
    kind: 'live',
  });
  await until('1.0.0 acts', async () => /1\.0\.0 acts/.test(again.words()));
  const waiting = await until(
    'reports wait',
    async () =>
      (await readdir(join(first.state, 'spool'))).filter((name) => name.endsWith('.json')).length > 1 &&
      'yes',
    15,
  );
  assert.equal(waiting, 'yes');
});

test('a revoked device loses its session within seconds and hears why', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  await until('online', async () => (await overview(hub)).devices.some(({ online }) => online));
  await callHub(hub, '/api/v1/devices/pi-1/revoke', { method: 'POST' });
  await until('offline', async () => (await overview(hub)).devices.every(({ online }) => !online), 5);
  await until('it says so', async () => /error identity_revoked/.test(agent.words()), 15);
});

test('a full disk on the device: said with the path and the numbers, and the model it has goes on', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const volume = await smallVolume(t, 4096);
  const agent = await agentOf(t, hub, { state: join(volume, 'state') });
  const problem = await until(
    'the device says what is wrong',
    async () => (await overview(hub)).devices[0]?.reported?.problem,
  );
  assert.equal(problem.code, 'disk_full');
  assert.match(problem.message, /KiB are free, \d+ KiB are needed/);
  assert.equal(agent.child.exitCode, null, 'the agent lives');
  assert.deepEqual(
    (await readdir(join(agent.state, 'models'))).filter((name) => name.includes('staging')),
    [],
  );
});

test('an unreadable video: the agent says so and stays', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const notes = join(await temporaryFolder(), 'notes.mkv');
  await writeFile(notes, 'no video at all');
  const agent = await agentOf(t, hub, { input: notes });
  await until('source lost', async () =>
    (await overview(hub)).devices.some(({ reported }) => reported?.source === 'lost'),
  );
  assert.match(agent.words(), /source lost: Cannot read the video .*notes\.mkv: .*Invalid data/);
  assert.equal(agent.child.exitCode, null);
});

test('a model that crashes its process is given up; production goes on', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  await until('1.0.0 serves', async () =>
    (await overview(hub)).devices.some(({ reported }) => reported?.serving),
  );
  const children = async () =>
    (await readFile(`/proc/${agent.child.pid}/task/${agent.child.pid}/children`, 'utf8'))
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  const workers = async () => {
    const all = await children();
    const named = await Promise.all(
      all.map(async (pid) =>
        (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('worker.js') ? pid : 0,
      ),
    );
    return named.filter((pid) => pid > 0);
  };
  const [worker] = await until('its worker', async () => {
    const found = await workers();
    return found.length === 1 && found;
  });
  process.kill(worker ?? 0, 'SIGKILL');
  await until('a new worker', async () => {
    const found = await workers();
    return found.length === 1 && found[0] !== worker;
  });
  assert.match(agent.words(), /the inference process of base-ad-detector 1\.0\.0 ended \(SIGKILL\)/);
});

test('the broker: no certificate, no session; own topics, no others', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub);
  await until('enrolled', async () => (await overview(hub)).devices.some(({ online }) => online));
  const { mqttPort } = hub.running;
  const bare = tlsConnect({ port: mqttPort, host: '127.0.0.1', ca: hub.authority });
  await assert.rejects(
    new Promise((resolve, reject) => {
      bare.on('error', reject);
      bare.on('close', () => reject(new Error('closed')));
      bare.on('data', resolve);
      bare.on('secureConnect', () => bare.write('x'));
    }),
  );
  agent.child.kill('SIGTERM');
  await once(agent.child, 'exit');
  const identity = JSON.parse(await readFile(join(agent.state, 'identity/identity.json'), 'utf8')) as {
    certificate: string;
    key: string;
  };
  const credentials = {
    ca: hub.authority,
    cert: identity.certificate,
    key: identity.key,
    protocolVersion: 4 as const,
    reconnectPeriod: 0,
  };
  await assert.rejects(
    connectAsync(`mqtts://127.0.0.1:${mqttPort}`, { ...credentials, clientId: 'pi-2', username: 'i' }),
    /Not authorized/,
  );
  const client = await connectAsync(`mqtts://127.0.0.1:${mqttPort}`, {
    ...credentials,
    clientId: 'pi-1',
    username: 'i',
  });
  const granted = await client
    .subscribeAsync([
      'adbreak/v1/devices/pi-1/desired',
      'adbreak/v1/devices/pi-2/desired',
      '#',
      'adbreak/v1/devices/pi-1/windows',
    ])
    .catch((error: unknown) => error);
  assert.ok(granted instanceof Error, 'a foreign filter ends the session');
  const writer = await connectAsync(`mqtts://127.0.0.1:${mqttPort}`, {
    ...credentials,
    clientId: 'pi-1',
    username: 'i',
  });
  const closed = new Promise<void>((resolve) => writer.once('close', () => resolve()));
  writer.publish('adbreak/v1/devices/pi-2/status', '{}', { qos: 1 });
  await closed;
  const other = await connectAsync(`mqtts://127.0.0.1:${mqttPort}`, {
    ...credentials,
    clientId: 'pi-1',
    username: 'j',
  });
  await other.publishAsync('adbreak/v1/devices/pi-1/windows', '{"sequence": 1, "lies": true}', { qos: 1 });
  assert.equal(
    (await overview(hub)).devices[0]?.refusedReports,
    1,
    'a report that fits no schema is refused, counted and acknowledged',
  );
  await other.endAsync(true);
});
