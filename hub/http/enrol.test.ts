import assert from 'node:assert/strict';
import { request as httpsRequest } from 'node:https';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { callHub } from '../cli/client.js';
import { card } from '../testing/cards.js';
import { enrolByHand, mqttOf } from '../testing/enrol.js';
import { holdDatabase, storedState } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

interface Answer {
  readonly certificate: string;
  readonly device: string;
}
const claim = async (hub: TestHub, body: object = {}) =>
  ((await callHub(hub, '/api/v1/claims', { method: 'POST', json: body })) as { tokens: string[] })
    .tokens[0] ?? '';
const enrol = async (hub: TestHub, token: string, device: string, csr: string) =>
  (await callHub(hub, '/api/v1/enrol', {
    method: 'POST',
    json: { token, device, csr, instance: 'i' },
  })) as Answer;
const codeOf = (result: PromiseSettledResult<unknown>) =>
  result.status === 'fulfilled'
    ? 'enrolled'
    : result.reason instanceof AdbreakError
      ? result.reason.code
      : String(result.reason);
const enrolled = async (hub: TestHub) =>
  ((await callHub(hub, '/api/v1/overview')) as { devices: { id: string }[] }).devices.map(({ id }) => id);

test('eight cards with one claim at once: one is enrolled, seven hear that the token is used', async (t) => {
  const hub = await testHub(t);
  const token = await claim(hub);
  const cards = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => ({ device: `pi-${i}`, ...(await card(`pi-${i}`)) })),
  );
  const results = await Promise.allSettled(cards.map(({ device, csr }) => enrol(hub, token, device, csr)));
  assert.deepEqual(results.map(codeOf).sort(), [
    'enrolled',
    ...Array.from({ length: 7 }, () => 'token_used'),
  ]);
  assert.equal((await enrolled(hub)).length, 1);
});

test('two claims for one name at once: one card gets it', async (t) => {
  const hub = await testHub(t);
  const tokens = await Promise.all([claim(hub), claim(hub)]);
  const cards = await Promise.all([card('pi-1'), card('pi-1')]);
  const results = await Promise.allSettled(
    tokens.map((token, i) => enrol(hub, token, 'pi-1', cards[i]?.csr ?? '')),
  );
  assert.deepEqual(results.map(codeOf).sort(), ['enrolled', 'identity_in_use']);
});

test('a card whose answer was lost asks again with its key and hears the same; another key or name does not', async (t) => {
  let now = new Date('2026-01-01T00:00:00.000Z');
  const hub = await testHub(t, { now: () => now });
  const token = await claim(hub, { hours: 1 });
  const { csr } = await card('pi-1');
  const [first, second] = await Promise.all([enrol(hub, token, 'pi-1', csr), enrol(hub, token, 'pi-1', csr)]);
  assert.deepEqual(second, first, 'also at once');
  // Late, and after a restart of the hub.
  now = new Date('2026-01-01T02:00:00.000Z');
  await hub.running[Symbol.asyncDispose]();
  const again = { ...(await testHub(t, { now: () => now, folder: hub.folder })), token: hub.token };
  assert.equal((await enrol(again, token, 'pi-1', csr)).certificate, first.certificate);
  const other = await card('pi-1');
  await assert.rejects(
    enrol(again, token, 'pi-1', other.csr),
    (error: unknown) => error instanceof AdbreakError && error.code === 'token_used',
  );
  await assert.rejects(
    enrol(again, token, 'pi-2', csr),
    (error: unknown) => error instanceof AdbreakError && error.code === 'token_used',
  );
  await callHub(again, '/api/v1/devices/pi-1/revoke', { method: 'POST', json: {} });
  await assert.rejects(
    enrol(again, token, 'pi-1', csr),
    (error: unknown) => error instanceof AdbreakError && error.code === 'token_used',
    'revoked stays revoked',
  );
});

test('who asks again and again with a claim that it has used is told to come later; another card is answered', async (t) => {
  const hub = await testHub(t);
  const token = await claim(hub);
  const { csr } = await card('pi-1');
  const { certificate } = await enrol(hub, token, 'pi-1', csr);
  for (let asked = 0; asked < 5; asked++)
    assert.equal((await enrol(hub, token, 'pi-1', csr)).certificate, certificate);
  const again = await Promise.allSettled(Array.from({ length: 10 }, () => enrol(hub, token, 'pi-1', csr)));
  assert.deepEqual([...new Set(again.map(codeOf))], ['too_many_requests']);
  const other = await claim(hub);
  assert.equal((await enrol(hub, other, 'pi-2', (await card('pi-2')).csr)).device, 'pi-2');
});

test('a new card ends the session of the one before it at once, also where its enrolment cannot be written', async (t) => {
  const hub = await testHub(t);
  const one = await enrolByHand(hub, 'pi-1');
  const { device } = one;
  const token = await claim(hub, { device });
  const old = await mqttOf(hub, one);
  t.after(() => old.end(true));
  const closed = new Promise<string>((resolve) => old.once('close', () => resolve('closed')));
  const release = await holdDatabase(hub.folder);
  await assert.rejects(enrol(hub, token, device, (await card(device)).csr));
  assert.equal(await Promise.race([closed, sleep(10_000, 'still connected', { ref: false })]), 'closed');
  await release();
});

test('a claim is free again when nothing could be issued for it', async (t) => {
  const hub = await testHub(t);
  const token = await claim(hub);
  const { csr } = await card('pi-1');
  const broken = csr.replace(/^(.{100})./s, (_, head: string) => `${head}${csr[100] === 'A' ? 'B' : 'A'}`);
  const results = await Promise.allSettled([
    enrol(hub, token, 'pi-1', broken),
    enrol(hub, token, 'pi-1', broken),
  ]);
  assert.ok(results.every(({ status }) => status === 'rejected'));
  assert.equal((await enrol(hub, token, 'pi-1', csr)).device, 'pi-1');
});

test('a day after they expired, claims are gone from the state', async (t) => {
  const START = Date.parse('2026-01-01T00:00:00.000Z');
  let now = new Date(START);
  const hub = await testHub(t, { now: () => now });
  await callHub(hub, '/api/v1/claims', { method: 'POST', json: { hours: 1, count: 50 } });
  // A clock that jumps there takes none with it.
  now = new Date('2026-01-02T01:00:01.000Z');
  await claim(hub);
  const remembered = async () => Object.keys((await storedState(hub.folder)).claims).length;
  assert.equal(await remembered(), 51);
  for (let hour = 1; hour <= 25; hour++) {
    now = new Date(START + hour * 3_600_000);
    await callHub(hub, '/api/v1/overview');
  }
  now = new Date(START + 25 * 3_600_000 + 1000);
  await claim(hub);
  assert.equal(await remembered(), 2);
});

test('wrong tokens of one address are slowed down by 429 with Retry-After; a right one is answered at once', async (t) => {
  const now = new Date('2026-01-01T00:00:00.000Z');
  const hub = await testHub(t, { now: () => now });
  const right = await claim(hub, {});
  const { csr } = await card('pi-1');
  const status = (token: string) =>
    new Promise<{ status: number; retryAfter: string | undefined; error: unknown }>((resolve, reject) => {
      const body = JSON.stringify({ token, device: 'pi-1', csr, instance: 'i' });
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      httpsRequest(`${hub.hub}/api/v1/enrol`, { method: 'POST', ca: hub.authority, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            retryAfter: answer.headers['retry-after'],
            error: JSON.parse(text).error,
          }),
        );
      })
        .on('error', reject)
        .end(body);
    });
  const answers = [];
  for (let i = 0; i < 30; i++) answers.push(await status(`adbreak_claim_${String(i).padStart(40, '0')}`));
  assert.deepEqual([answers[0]?.status, answers[0]?.error], [401, 'token_invalid']);
  const last = answers.at(-1);
  assert.deepEqual([last?.status, last?.error, last?.retryAfter], [429, 'too_many_requests', '1']);
  assert.equal((await status(right)).status, 200);
  // The same for wrong bearer tokens; the administrator goes on.
  await assert.rejects(
    callHub({ ...hub, token: 'adbreak_token_0' }, '/api/v1/overview'),
    (error: unknown) => error instanceof AdbreakError && error.code === 'too_many_requests',
  );
  assert.deepEqual(await enrolled(hub), ['pi-1']);
});

test('with 5,000 open claims a wrong token costs the hub well under a millisecond of processor', async (t) => {
  const hub = await testHub(t);
  for (let i = 0; i < 5; i++) await callHub(hub, '/api/v1/claims', { method: 'POST', json: { count: 1000 } });
  const { Claims } = await import('../identity/claims.js');
  const state = await storedState(hub.folder);
  assert.equal(Object.keys(state.claims).length, 5000);
  const redeem = new Claims<never>(
    () => state,
    () => new Date(),
  );
  const before = process.cpuUsage();
  for (let i = 0; i < 2000; i++)
    assert.throws(
      () =>
        redeem.redeem(
          { token: `adbreak_claim_${i}`, device: 'pi-1', csr: '' },
          { issue: () => assert.fail(), again: () => assert.fail() },
        ),
      (error: unknown) => error instanceof AdbreakError && error.code === 'token_invalid',
    );
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 2000 < 1000, `${(user + system) / 2000} µs each`);
});

/** One request over a TLS connection of its own; gives the answer and the session, with which the next one may resume. */
function overTls(
  hub: TestHub,
  path: string,
  options: { session?: Buffer; key?: string; cert?: string },
): Promise<{ text: string; session: Buffer; reused: boolean }> {
  return new Promise((resolve, reject) => {
    let session: Buffer = Buffer.alloc(0);
    let text = '';
    const socket: TLSSocket = connect(
      {
        host: '127.0.0.1',
        port: Number(new URL(hub.hub).port),
        servername: 'localhost',
        ca: hub.authority,
        ...options,
      },
      () => socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`),
    );
    socket.on('session', (ticket: Buffer) => {
      session = ticket;
    });
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('end', () => resolve({ text, session, reused: socket.isSessionReused() }));
    socket.on('error', reject);
  });
}

test('a resumed TLS 1.3 session without a certificate is no device, one with the enrolled certificate is', async (t) => {
  const hub = await testHub(t);
  const first = await overTls(hub, '/healthz', {});
  assert.ok(first.session.length > 0);
  const resumed = await overTls(hub, '/tuf/metadata/timestamp.json', { session: first.session });
  assert.equal(resumed.reused, true);
  assert.match(resumed.text, /^HTTP\/1\.1 401 /);
  assert.match(resumed.text, /"error":"unauthorized"/);

  const { key, csr } = await card('pi-1');
  const { certificate: cert } = await enrol(hub, await claim(hub), 'pi-1', csr);
  const own = await overTls(hub, '/tuf/metadata/timestamp.json', { key, cert });
  assert.match(own.text, /^HTTP\/1\.1 200 /);
  const back = await overTls(hub, '/tuf/metadata/timestamp.json', { key, cert, session: own.session });
  assert.match(back.text, /^HTTP\/1\.1 200 /);
});
