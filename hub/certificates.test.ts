import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Agent, fetch } from 'undici';
import { callHub } from './cli/client.js';
import { Authority, fingerprint } from './identity/authority.js';
import { agentOf, overview, publish } from './testing/chain.js';
import { enrolByHand, mqttOf, renewByHand, session, signingRequest } from './testing/enrol.js';
import { auditLines, storedRows, storedState, tamper } from './testing/store.js';
import { type TestHub, testHub } from './testing.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const refused = (code: ErrorCode) => (error: unknown) => error instanceof AdbreakError && error.code === code;
const lives = (device: number, server = HOUR) => ({ lifetimes: { device, server } });

async function storedDevice(
  hub: TestHub,
  id: string,
): Promise<{ fingerprint: string; renewal: { fingerprint: string; ends: string } | null }> {
  const { devices } = await storedState(hub.folder);
  const device = devices[id];
  assert.ok(device !== undefined);
  return device;
}

/** Fingerprint of the hub's certificate as somebody sees it who connects now. */
async function seenAt(hub: TestHub, port: number): Promise<string> {
  const socket = tlsConnect({ port, host: '127.0.0.1', ca: hub.authority });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint(raw);
}

async function stopped(
  agent: Awaited<ReturnType<typeof agentOf>>,
): Promise<{ certificate: string; key: string }> {
  agent.child.kill('SIGTERM');
  await once(agent.child, 'exit');
  return JSON.parse(await readFile(join(agent.state, 'identity/identity.json'), 'utf8')) as {
    certificate: string;
    key: string;
  };
}
const end = async (certificate: string, more = 0) =>
  sleep(Math.max(0, validityOf(certificate).to + more + 1500 - Date.now()));

test('over many lives of certificates of seconds the fleet stays: windows arrive without a gap, sessions last as long as their certificates, the hub shows new ones', {
  timeout: 200_000,
}, async (t) => {
  const hub = await testHub(t, { certificates: { ...lives(18_000, 12_000), check: '* * * * * *' } });
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  const watcher = await enrolByHand(hub, 'pi-2');
  const long = await mqttOf(hub, watcher);
  t.after(() => long.endAsync(true));
  const devices = new Set<string>();
  const [https, mqtt] = [new Set<string>(), new Set<string>()];
  const closed: { at: number; certificatesOfHub: number }[] = [];
  long.once('close', () => closed.push({ at: Date.now(), certificatesOfHub: mqtt.size }));
  await until(
    'five certificates of the device, four of the hub at each of its doors',
    async () => {
      const entry = await storedDevice(hub, 'pi-1').catch(() => null);
      if (entry !== null) devices.add(entry.fingerprint);
      https.add(await seenAt(hub, hub.running.httpPort));
      mqtt.add(await seenAt(hub, hub.running.mqttPort));
      return devices.size >= 5 && https.size >= 4 && mqtt.size >= 4;
    },
    150,
  );
  const { sequence } = (await overview(hub)).devices.find(({ id }) => id === 'pi-1') ?? { sequence: 0 };
  await until('windows go on under the last certificate', async () =>
    (await overview(hub)).devices.some(
      ({ id, online, sequence: now }) => id === 'pi-1' && online && now >= sequence + 3,
    ),
  );
  const all = (await callHub(hub, '/api/v1/overview')) as {
    devices: { id: string; missingWindows: number; refusedReports: number }[];
  };
  const { missingWindows, refusedReports } =
    all.devices.find(({ id }) => id === 'pi-1') ?? assert.fail('pi-1 is gone');
  assert.deepEqual(
    { missingWindows, refusedReports },
    { missingWindows: 0, refusedReports: 0 },
    hub.log.join('\n'),
  );
  await until('the spool is empty', async () =>
    (await readdir(join(agent.state, 'spool'))).every((name) => !name.endsWith('.json')),
  );
  assert.doesNotMatch(agent.words(), /error identity|error unauthorized/);
  const [cut] = closed;
  assert.ok(cut !== undefined, 'a session ends with its certificate, which this device did not renew');
  assert.ok(cut.at >= validityOf(watcher.certificate).to, 'and not before, whatever the hub shows');
  assert.ok(cut.certificatesOfHub >= 2);
});

test('the certificate before is accepted until the new one was used, so that a lost answer locks nobody out', async (t) => {
  const hub = await testHub(t);
  const first = await enrolByHand(hub, 'pi-1');
  const lost = await renewByHand(hub, first);
  await session(hub, first);
  const second = await renewByHand(hub, first);
  await assert.rejects(session(hub, lost), refused('unauthorized'), 'the newest renewal counts');
  await session(hub, first);
  assert.equal((await storedDevice(hub, 'pi-1')).renewal?.fingerprint, fingerprint(second.certificate));
  const client = await mqttOf(hub, second);
  await client.endAsync(true);
  await assert.rejects(session(hub, first), refused('unauthorized'));
  await assert.rejects(mqttOf(hub, first), /Not authorized/);
  await assert.rejects(renewByHand(hub, first), refused('unauthorized'));
  await session(hub, second);
  await until('it is on the disk', async () => {
    const stored = await storedDevice(hub, 'pi-1');
    return stored.fingerprint === fingerprint(second.certificate) && stored.renewal === null;
  });
  const audit = (await auditLines(hub.folder)).join('\n');
  assert.match(audit, /"who":"device:pi-1","what":"device\.renew"/);
  assert.match(audit, /"who":"device:pi-1","what":"device\.renewed"/);
  const { devices } = (await callHub(hub, '/api/v1/overview')) as { devices: { certificateEnds: string }[] };
  assert.equal(devices[0]?.certificateEnds, new Date(validityOf(second.certificate).to).toISOString());
});

test('a device renews three times at once, then once a minute: what comes sooner is 429 with Retry-After and leaves no trace', async (t) => {
  let ahead = 0;
  const hub = await testHub(t, { now: () => new Date(Date.now() + ahead) });
  const device = await enrolByHand(hub, 'pi-1');
  const other = await enrolByHand(hub, 'pi-2');
  for (let i = 0; i < 3; i++) await renewByHand(hub, device);
  const lines = async () => (await auditLines(hub.folder)).length;
  const before = await lines();
  for (let i = 0; i < 5; i++) await assert.rejects(renewByHand(hub, device), refused('too_many_requests'));
  assert.equal(await lines(), before);
  await renewByHand(hub, other);
  const dispatcher = new Agent({ connect: { ca: hub.authority, key: device.key, cert: device.certificate } });
  t.after(() => dispatcher.close());
  const body = JSON.stringify({ csr: (await signingRequest()).csr });
  const answer = await fetch(new URL('/agent/renew', hub.hub), {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  assert.equal(answer.status, 429);
  const wait = Number(answer.headers.get('retry-after'));
  assert.ok(wait > 0 && wait <= 60, `${wait}`);
  ahead = 61_000;
  await renewByHand(hub, device);
  await assert.rejects(renewByHand(hub, device), refused('too_many_requests'));
  ahead = -HOUR;
  await renewByHand(hub, device);
});

test('one that has ended opens the renewal alone, within the grace period; revoked, forged and late ones open nothing', async (t) => {
  let ahead = 0;
  const hub = await testHub(t, { now: () => new Date(Date.now() + ahead), certificates: lives(6000) });
  const [first, revoked] = [await enrolByHand(hub, 'pi-1'), await enrolByHand(hub, 'pi-2')];
  await callHub(hub, '/api/v1/devices/pi-2/revoke', { method: 'POST' });
  await assert.rejects(renewByHand(hub, revoked), refused('identity_revoked'));
  await end(first.certificate);
  await assert.rejects(session(hub, first), refused('identity_expired'));
  await assert.rejects(mqttOf(hub, first));
  await assert.rejects(renewByHand(hub, revoked), refused('identity_revoked'));
  const second = await renewByHand(hub, first);
  await session(hub, second);
  // The device's name from an authority of its own, and from ours without the hub's doing.
  for (const folder of ['forger', 'identity']) {
    const authority = await Authority.open(join(hub.folder, folder), new Date());
    const { key, csr } = await signingRequest();
    const forged = {
      device: 'pi-1',
      key,
      certificate: await authority.issueDevice('pi-1', csr, new Date(Date.now() + HOUR)),
    };
    await assert.rejects(session(hub, forged), refused('unauthorized'), folder);
    await assert.rejects(renewByHand(hub, forged), refused('unauthorized'), folder);
  }
  ahead = 31 * DAY;
  await assert.rejects(renewByHand(hub, second), refused('identity_expired'));
  ahead = 29 * DAY;
  await renewByHand(hub, second);
});

test('a state from before renewals loads, and its devices renew', async (t) => {
  const hub = await testHub(t);
  const first = await enrolByHand(hub, 'pi-1');
  await hub.running[Symbol.asyncDispose]();
  await tamper(hub.folder, "update device set body = json_remove(body, '$.certificateEnds', '$.renewal')");
  const again = await testHub(t, { folder: hub.folder });
  await session(again, first);
  const next = await renewByHand(again, first);
  await session(again, next);
  const print = fingerprint(next.certificate);
  await until(
    'its first use is written down',
    async () => (await storedDevice(again, 'pi-1')).fingerprint === print,
  );
  await assert.rejects(session(again, first), refused('unauthorized'));
});

test('a clock of the hub that steps takes no certificate from anybody', async (t) => {
  let ahead = 0;
  const hub = await testHub(t, { now: () => new Date(Date.now() + ahead), certificates: lives(HOUR) });
  const first = await enrolByHand(hub, 'pi-1');
  for (const step of [1000 * DAY, -1000 * DAY]) {
    ahead = step;
    await assert.rejects(renewByHand(hub, first), refused(step > 0 ? 'identity_expired' : 'conflict'));
    ahead = 0;
    await session(hub, first);
  }
  // Renewed while the clock stands in the future: not valid yet when it is right again, and renewed all the same.
  ahead = 20 * DAY;
  const future = await renewByHand(hub, first);
  ahead = 0;
  await assert.rejects(session(hub, future), refused('identity_expired'));
  const mended = await renewByHand(hub, future);
  await session(hub, mended);
});

test('an authority in its last year is told in the log from the start', async (t) => {
  const years = 3400 * DAY;
  const old = await testHub(t, { now: () => new Date(Date.now() - years) });
  assert.doesNotMatch(old.log.join('\n'), /AUTHORITY/);
  await old.running[Symbol.asyncDispose]();
  await Authority.open(join(old.folder, 'identity'), new Date());
  const hub = await testHub(t, { folder: old.folder });
  assert.match(hub.log.join('\n'), /THE AUTHORITY OF THIS FLEET ENDS on .*, in 250 days/);
});

test('a hub whose state comes from a backup still knows the certificate before the newest renewal', {
  timeout: 120_000,
}, async (t) => {
  const certificates = lives(18_000);
  const hub = await testHub(t, { certificates });
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  await until('online', async () =>
    (await overview(hub)).devices.some(({ online, sequence }) => online && sequence >= 1),
  );
  const backup = join(await temporaryFolder(), 'backup.db');
  await storedRows(hub.folder, { sql: 'vacuum into ?', parameters: [backup] });
  const { fingerprint: enrolled } = await storedDevice(hub, 'pi-1');
  await until('renewed and used', async () => (await storedDevice(hub, 'pi-1')).fingerprint !== enrolled, 60);
  await hub.running[Symbol.asyncDispose]();
  await cp(backup, join(hub.folder, 'hub.db'));
  const { httpPort, mqttPort } = hub.running;
  const restored = {
    ...(await testHub(t, { folder: hub.folder, certificates, httpPort, mqttPort })),
    token: hub.token,
  };
  await until(
    'online again',
    async () => (await overview(restored)).devices.some(({ online, sequence }) => online && sequence > 1),
    60,
  );
  await until(
    'the new one counts',
    async () => (await storedDevice(restored, 'pi-1')).fingerprint !== enrolled,
  );
  assert.equal(agent.child.exitCode, null);
});

test('an agent that was off beyond the end of its certificate comes back by itself within the grace period', {
  timeout: 120_000,
}, async (t) => {
  const hub = await testHub(t, { certificates: lives(8000) });
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('online', async () =>
    (await overview(hub)).devices.some(({ online, sequence }) => online && sequence >= 1),
  );
  const before = await stopped(first);
  await end(before.certificate);
  const again = await agentOf(t, hub, {
    token: 'adbreak_claim_used_long_ago',
    state: first.state,
    kind: 'live',
  });
  await until('online again', async () => (await overview(hub)).devices.some(({ online }) => online), 60);
  assert.match(again.words(), /pi-1: a new certificate until/);
  // Memory knows it a moment before the disk.
  await until(
    'the new one is the one that counts',
    async () => (await storedDevice(hub, 'pi-1')).fingerprint !== fingerprint(before.certificate),
  );
});

/** A preload of Node that sets the clock of a process back. */
function clockBehind(milliseconds: number): string {
  const code = `
    const Real = Date;
    globalThis.Date = class extends Real {
      static now() { return Real.now() - ${milliseconds}; }
      constructor(...given) { if (given.length > 0) super(...given); else super(Real.now() - ${milliseconds}); }
    };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

test('a Pi whose clock is an hour behind hears from the hub that its certificate has ended', {
  timeout: 120_000,
}, async (t) => {
  const hub = await testHub(t, { certificates: lives(8000) });
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('online', async () =>
    (await overview(hub)).devices.some(({ online, sequence }) => online && sequence >= 1),
  );
  const before = await stopped(first);
  await end(before.certificate);
  const again = await agentOf(t, hub, {
    state: first.state,
    kind: 'live',
    node: ['--import', clockBehind(HOUR)],
  });
  await until('online again', async () => (await overview(hub)).devices.some(({ online }) => online), 60);
  assert.match(again.words(), /pi-1: a new certificate until/);
});

test('beyond the grace period it needs a claim: without one it serves on and says so, with one it enrols', {
  timeout: 160_000,
}, async (t) => {
  const hub = await testHub(t, { certificates: { ...lives(8000), grace: 1000 } });
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('confirmed', async () =>
    (await overview(hub)).devices.some(({ reported }) => reported?.slot === 'confirmed'),
  );
  const before = await stopped(first);
  await end(before.certificate, 1000);
  const late = await agentOf(t, hub, {
    token: 'adbreak_claim_used_long_ago',
    state: first.state,
    kind: 'live',
  });
  await until('it says so', async () => /error identity_expired: Cannot renew pi-1/.test(late.words()), 60);
  assert.match(late.words(), /what to do: Make a claim for it, `adbreak devices claim --device pi-1`/);
  await until('the model acts all the same', async () => /1\.0\.0 acts/.test(late.words()), 60);
  assert.equal(late.child.exitCode, null);
  assert.ok((await overview(hub)).devices.every(({ online }) => !online));
  await stopped(late);
  const [token] = (
    (await callHub(hub, '/api/v1/claims', { method: 'POST', json: { device: 'pi-1' } })) as {
      tokens: [string];
    }
  ).tokens;
  const claimed = await agentOf(t, hub, { token, state: first.state, kind: 'live' });
  await until(
    'online',
    async () => (await overview(hub)).devices.some(({ online, sequence }) => online && sequence > 0),
    60,
  );
  assert.match(claimed.words(), /pi-1: enrolled anew/);
});

test('a revoked device is not renewed, and says why', { timeout: 120_000 }, async (t) => {
  const hub = await testHub(t, { certificates: lives(8000) });
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('online', async () =>
    (await overview(hub)).devices.some(({ online, sequence }) => online && sequence >= 1),
  );
  const before = await stopped(first);
  await callHub(hub, '/api/v1/devices/pi-1/revoke', { method: 'POST' });
  // A slow agent may have been stopped while its next certificate was on the way.
  const { renewal } = await storedDevice(hub, 'pi-1');
  await end(renewal?.ends ?? before.certificate);
  const again = await agentOf(t, hub, {
    token: 'adbreak_claim_used_long_ago',
    state: first.state,
    kind: 'live',
  });
  await until('it says so', async () => /error identity_revoked/.test(again.words()), 60);
  assert.ok((await overview(hub)).devices.every(({ online }) => !online));
  assert.deepEqual((await storedDevice(hub, 'pi-1')).renewal, renewal);
});

test('an identity that the card has damaged is enrolled anew with a good claim token, and left alone with a bad one', {
  timeout: 120_000,
}, async (t: TestContext) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const first = await agentOf(t, hub, { kind: 'live' });
  await until('online', async () => (await overview(hub)).devices.some(({ online }) => online));
  await stopped(first);
  const path = join(first.state, 'identity/identity.json');
  await writeFile(path, 'half of it');
  const bad = await agentOf(t, hub, { token: 'adbreak_claim_used_long_ago', state: first.state });
  assert.deepEqual(await once(bad.child, 'exit'), [1, null]);
  assert.match(
    bad.words(),
    /error state_corrupt: Cannot accept .*identity\.json: it is not JSON .*claim token is not known/,
  );
  assert.match(bad.words(), /what to do: Make a claim for it, `adbreak devices claim --device pi-1`/);
  assert.equal(await readFile(path, 'utf8'), 'half of it');
  const [token] = (
    (await callHub(hub, '/api/v1/claims', { method: 'POST', json: { device: 'pi-1' } })) as {
      tokens: [string];
    }
  ).tokens;
  await agentOf(t, hub, { token, state: first.state, kind: 'live' });
  await until('online again', async () => (await overview(hub)).devices.some(({ online }) => online), 60);
});
