import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callHub } from '../cli/client.js';
import { pushVersion } from '../cli/push.js';
import { card } from '../testing/cards.js';
import { type Shot, shot } from '../testing/odd-requests.js';
import { tamper } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

/** Requests that nobody meant, at a real hub: whatever comes, the caller hears a code, and the hub goes on. SEED=… repeats another run. */
const SEED = process.env['SEED'] ?? 'doors';
const REQUESTS = 2000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

function send(hub: TestHub, { method, path, headers, body }: Shot, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(`${hub.hub}/`, { method, path, headers, agent, timeout: 20_000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
      answer.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 20 s')));
    asked.on('error', reject);
    asked.end(body ?? undefined);
  });
}

/** Bytes as they are, for what Node's client would not send. */
function sendRaw(hub: TestHub, bytes: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(
      { host: '127.0.0.1', port: Number(new URL(hub.hub).port), servername: 'localhost', ca: hub.authority },
      () => socket.write(bytes),
    );
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('close', () =>
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
        body: text.slice(text.indexOf('\r\n\r\n') + 4),
      }),
    );
    socket.on('error', reject);
  });
}

/** What is wrong with an answer; null where nothing is. */
function complaint({ status, body }: Answer, method: string): string | null {
  // 501 is no fault: what may be asked for by its path is not all answered yet.
  if ((status >= 500 && status !== 501) || status < 200) return `status ${status}: ${body}`;
  if (status < 400 || method === 'HEAD') return null;
  // The pages for people refuse as pages.
  if (/^<!doctype html>.*<p role="alert">/s.test(body)) return null;
  let code: unknown;
  try {
    code = JSON.parse(body).error;
  } catch {
    return `status ${status} without JSON: ${body.slice(0, 200)}`;
  }
  return typeof code === 'string' && isErrorCode(code)
    ? null
    : `status ${status} without a code: ${body.slice(0, 200)}`;
}

async function furnished(
  hub: TestHub,
): Promise<{ tokens: string[]; ids: string[]; key: string; cert: string }> {
  const folder = await temporaryFolder();
  for (const version of ['1.0.0', '1.1.0']) {
    const { file, manifest } = tinyRelease(version);
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'model.tflite'), file);
    await writeFile(join(folder, version, 'manifest.json'), JSON.stringify(manifest));
    await pushVersion(hub, join(folder, version));
    await callHub(hub, `/api/v1/models/base-ad-detector/versions/${version}/promote`, {
      method: 'POST',
      json: {},
    });
  }
  const post = (path: string, json: object) => callHub(hub, path, { method: 'POST', json });
  const made = await Promise.all(
    ['viewer', 'operator'].map(
      async (role) => ((await post('/api/v1/tokens', { id: role, role })) as { token: string }).token,
    ),
  );
  const { tokens } = (await post('/api/v1/claims', {})) as { tokens: [string] };
  const { key, csr } = await card('pi-1');
  const { certificate: cert } = (await post('/api/v1/enrol', {
    token: tokens[0],
    device: 'pi-1',
    csr,
    instance: 'i',
  })) as { certificate: string };
  const { rollouts } = (await callHub(hub, '/api/v1/overview')) as { rollouts: { id: string }[] };
  return { tokens: [hub.token, ...made], ids: rollouts.map(({ id }) => id), key, cert };
}

test(`${REQUESTS} odd requests, with and without token and certificate: no fault, and a code in every refusal (seed ${SEED})`, async (t) => {
  const hub = await testHub(t);
  const { tokens, ids, key, cert } = await furnished(hub);
  const random = seeded(SEED);
  // Few requests on each connection, so that many resume the TLS session of an earlier one.
  const options = { ca: hub.authority, servername: 'localhost', keepAlive: false };
  // From many addresses: one of them alone would be told to come again later.
  const agents = Array.from({ length: 40 }, (_, i) => {
    const from = { ...options, localAddress: `127.3.0.${i + 1}` };
    return { with: new Agent({ ...from, key, cert }), without: new Agent(from) };
  });
  const wrong: string[] = [];
  const seen = new Map<number, number>();
  for (let i = 0; i < REQUESTS; i++) {
    const one = shot(random, hub, tokens, ids);
    const agent = agents[i % agents.length] ?? assert.fail();
    const answer = await send(hub, one, one.certified ? agent.with : agent.without);
    seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
    const what = complaint(answer, one.method);
    if (what !== null)
      wrong.push(
        `${i}: ${one.method} ${one.path} ${JSON.stringify(one.headers)} ${one.body?.toString().slice(0, 200) ?? ''}\n    ${what}`,
      );
  }
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${REQUESTS} (seed ${SEED}):\n${wrong.slice(0, 20).join('\n')}\n${hub.log
      .filter((line) => /request/.test(line))
      .join('\n')
      .slice(0, 4000)}`,
  );
  assert.ok(
    [200, 201, 400, 401, 403, 404].every((status) => seen.has(status)),
    `it came behind the doors too: ${JSON.stringify([...seen])}`,
  );
  assert.deepEqual(await callHub(hub, '/healthz'), { ok: true });
});

test('what is no HTTP request at all is refused with a code too', async (t) => {
  const hub = await testHub(t);
  for (const bytes of [
    'GET / HTTP/9.9\r\n\r\n',
    'nonsense\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n',
    `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    'POST /api/v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
    'POST /api/v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'POST /api/v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n',
    'GET /api/v1/rollouts/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nhost: x\r\nexpect: wonders\r\nconnection: close\r\n\r\n',
  ]) {
    const answer = await sendRaw(hub, bytes);
    assert.equal(
      complaint(answer, 'GET'),
      null,
      `${JSON.stringify(bytes.slice(0, 80))}: ${JSON.stringify(answer)}`,
    );
  }
});

test('a request with two Hosts is refused, as one without (RFC 9112 section 3.2)', async (t) => {
  const hub = await testHub(t);
  for (const hosts of ['', 'host: x\r\nHost: y\r\n', 'Host: x\r\nHost: x\r\n'])
    assert.match(
      JSON.stringify(await sendRaw(hub, `GET /healthz HTTP/1.1\r\n${hosts}connection: close\r\n\r\n`)),
      /400.*it has (no|2) Host/,
    );
  assert.match(
    JSON.stringify(await sendRaw(hub, 'GET /healthz HTTP/1.1\r\nHost: x\r\nconnection: close\r\n\r\n')),
    /200/,
  );
});

test('names that every object has are unknown names', async (t) => {
  const hub = await testHub(t);
  const coded = async (path: string, method: 'GET' | 'POST' | 'PUT' = 'GET', json?: object) =>
    callHub(hub, path, { method, ...(json !== undefined && { json }) }).then(
      () => 'answered',
      (error: { code?: string }) => error.code,
    );
  const versions = '/api/v1/models/constructor/versions/1.0.0';
  assert.equal(await coded(`${versions}/promote`, 'POST', {}), 'not_found');
  assert.equal(await coded(`${versions}/download`), 'not_found');
  assert.equal(await coded('/api/v1/models/constructor/versions/production/download'), 'not_found');
  assert.equal(
    await coded('/api/v1/devices/constructor/revoke', 'POST', {}),
    'input_invalid',
    'no device may have this name',
  );
  assert.equal(await coded('/api/v1/devices/constructor/tags', 'PUT', { tags: {} }), 'input_invalid');
  assert.equal(await coded('/api/v1/rollouts/constructor'), 'not_found');
  assert.equal(await coded('/api/v1/evaluations/constructor'), 'not_found');
  assert.equal(
    await coded('/api/v1/evaluations', 'POST', { model: 'constructor', candidate: '1.0.0' }),
    'not_found',
  );
  assert.equal(
    await coded('/api/v1/rollouts/compare', 'POST', { model: 'constructor', versions: ['1.0.0', '1.1.0'] }),
    'not_found',
  );
  assert.equal(await coded('/api/v1/claims', 'POST', { device: 'constructor' }), 'input_invalid');
});

test('a fault of the hub is told by the id of its request, and the log has its inside', async (t) => {
  const hub = await testHub(t);
  const { ids } = await furnished(hub);
  // The event log of a rollout is lost: no request can be blamed for that.
  await tamper(hub.folder, 'drop table event');
  const agent = new Agent({ ca: hub.authority });
  const headers = { authorization: `Bearer ${hub.token}` };
  const { status, body } = await send(
    hub,
    { method: 'GET', path: `/api/v1/rollouts/${ids[0]}/events`, headers, body: null, certified: false },
    agent,
  );
  const { error, message, request } = JSON.parse(body) as { error: string; message: string; request: string };
  assert.deepEqual([status, error], [500, 'internal']);
  assert.ok(!body.includes('no such table') && message.includes(request));
  const line = hub.log.find((one) => one.startsWith(`request ${request} (GET /api/v1/rollouts/:id/events)`));
  assert.match(line ?? hub.log.join('\n'), /no such table/);
});
