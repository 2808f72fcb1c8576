import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { AdbreakError, explain } from './errors.js';
import { HubClient } from './hub-client.js';
import { HubRefusal, retryAfterOf } from './hub-fault.js';
import { pause } from './retry.js';
import { leftOn } from './testing/listeners.js';
import { keyPem, newKeys, stubHub } from './testing/stub-hub.js';
import { until } from './testing/until.js';

const json = (response: ServerResponse, status: number, body: unknown, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const thrown = async (work: Promise<unknown>) =>
  work.then(
    () => assert.fail('it works'),
    (error: unknown) => error,
  );
const bytesOf = async (stream: ReadableStream<Uint8Array>) => {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
};

test('asks under the newest certificate, over one connection as long as it is the same; no TLS session is taken up again', async (t) => {
  const seen: string[] = [];
  const sockets = new Set<unknown>();
  const note = ({ socket }: IncomingMessage) => {
    assert.ok(socket instanceof TLSSocket && !socket.isSessionReused());
    sockets.add(socket);
    seen.push(socket.getPeerX509Certificate()?.serialNumber ?? 'none');
  };
  const hub = await stubHub(
    t,
    ({ path, body, message }, response) => {
      note(message);
      json(response, 200, { path, body: body === '' ? null : JSON.parse(body), method: message.method });
    },
    { server: { requestCert: true, rejectUnauthorized: false } },
  );
  const pair = async () => {
    const { publicKey, privateKey } = await newKeys();
    return { certificate: await hub.issue(publicKey), key: await keyPem(privateKey) };
  };
  const identity = { authority: hub.authority, ...(await pair()) };
  await using client = new HubClient(hub.url, identity);
  assert.deepEqual(await client.ask('/agent/a', { what: 'ask' }), {
    path: '/agent/a',
    body: null,
    method: 'GET',
  });
  // The connection is free again a moment after the answer.
  await pause(100);
  assert.deepEqual(await client.ask('/agent/b?c=d', { what: 'tell', body: { x: 1 } }), {
    path: '/agent/b?c=d',
    body: { x: 1 },
    method: 'POST',
  });
  assert.equal(sockets.size, 1);
  Object.assign(identity, await pair());
  await client.ask('/agent/a', { what: 'ask' });
  assert.equal(sockets.size, 2);
  assert.deepEqual([seen[0] === seen[1], new Set(seen).size, seen.includes('none')], [true, 2, false]);
  await using bare = new HubClient(hub.url, { authority: hub.authority });
  await bare.ask('/agent/a', { what: 'ask' });
  assert.equal(seen.at(-1), 'none');
});

test("the hub's own no keeps its code, words and remedy, says which path gave it, and how long to wait", async (t) => {
  const hub = await stubHub(t, ({ path }, response) => {
    const after = { '/soon': '7', '/never': '999999999', '/date': 'Wed, 21 Oct 2026 07:28:00 GMT' }[path];
    json(
      response,
      429,
      { error: 'too_many_requests', message: 'Cannot renew pi-1', remedy: 'Wait.' },
      after === undefined ? {} : { 'retry-after': after },
    );
  });
  await using client = new HubClient(hub.url, hub);
  const no = async (path: string) => {
    const error = await thrown(client.ask(path, { what: 'renew' }));
    assert.ok(error instanceof HubRefusal);
    assert.deepEqual(
      [error.code, error.message, error.remedy, error.status],
      ['too_many_requests', 'Cannot renew pi-1', 'Wait.', 429],
    );
    assert.ok(explain(error).includes(`${hub.url}${path} answered status 429`));
    // Also behind what others have made of it.
    return retryAfterOf(new Error('Cannot take a model', { cause: error }));
  };
  assert.deepEqual(
    [await no('/soon'), await no('/never'), await no('/date'), await no('/none')],
    [7000, 3_600_000, 0, 0],
  );
  assert.equal(retryAfterOf('nothing'), 0);
});

/** What answers in the place of a hub, and what is said of it. */
const STRANGERS: Readonly<Record<string, { answer: (response: ServerResponse) => unknown; says: RegExp }>> = {
  'a page of a proxy': {
    answer: (response) => response.writeHead(502).end('<html>Bad gateway</html>'),
    says: /answered status 502, and not as a hub does/,
  },
  'an error of something else': {
    answer: (response) => json(response, 400, { error: 'constructor', message: 'x' }),
    says: /answered status 400/,
  },
  'a way to somewhere else': {
    answer: (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
    says: /answered status 302/,
  },
  'a page that is well': {
    answer: (response) => response.end('<html>Welcome</html>'),
    says: /its answer is not JSON/,
  },
  'too much': {
    answer: (response) => response.end(JSON.stringify('x'.repeat(3000))),
    says: /its answer has more than 2000 bytes/,
  },
  'too much in a small parcel': {
    answer: (response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify('x'.repeat(1e6)))),
    says: /its answer has more than 2000 bytes/,
  },
  'too much of a no': {
    answer: (response) => response.writeHead(500).end('x'.repeat(3000)),
    says: /its answer has more than 2000 bytes/,
  },
  silence: { answer: () => undefined, says: /it was silent too long/ },
  'half an answer': { answer: (response) => response.write('{"a":'), says: /it was silent too long/ },
  'an answer that never ends': {
    answer: (response) => {
      const drip = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(drip));
    },
    says: /no whole answer within 3 s/,
  },
  'a line that breaks': {
    answer: (response) => response.socket?.destroy(),
    says: /Cannot renew pi-1 at \S+$/m,
  },
};
for (const [name, { answer, says }] of Object.entries(STRANGERS)) {
  test(`${name} is no hub: the address is named, and what came`, { timeout: 20_000 }, async (t) => {
    const hub = await stubHub(t, (_, response) => answer(response));
    await using client = new HubClient(hub.url, hub, { silenceMs: 400 });
    const error = await thrown(
      client.ask('/agent/renew?x', { what: 'renew pi-1', limit: 2000, timeoutMs: 3000 }),
    );
    assert.ok(error instanceof AdbreakError, String(error));
    assert.equal(error.code, 'hub_unreachable');
    assert.ok(error.message.startsWith(`Cannot renew pi-1 at ${hub.url}/agent/renew`), error.message);
    assert.match(error.message, says);
    assert.match(error.remedy, /hub/);
  });
}

test('a certificate that does not fit is said with what to do about it', async (t) => {
  const hub = await stubHub(t, (_, response) => json(response, 200, {}));
  const other = await stubHub(t, () => undefined);
  const day = 86_400_000;
  const over = await stubHub(t, () => undefined, {
    validity: { notBefore: new Date(Date.now() - 2 * day), notAfter: new Date(Date.now() - day) },
  });
  const said = async (url: string, authority: string) => {
    await using client = new HubClient(url, { authority });
    const error = await thrown(client.ask('/healthz', { what: 'ask' }));
    assert.ok(error instanceof AdbreakError && error.code === 'hub_unreachable', String(error));
    return `${error.message}. ${error.remedy}`;
  };
  assert.match(
    await said(hub.url.replace('127.0.0.1', '127.0.0.2'), hub.authority),
    /is not for 127\.0\.0\.2\. Start the hub with `--name 127\.0\.0\.2`/,
  );
  assert.match(
    await said(hub.url, other.authority),
    /is not from the authority on the card\. Copy the hub's identity\/ca\.pem/,
  );
  assert.match(await said(over.url, over.authority), /by this clock .* is not valid now\. Set the clock/);
  assert.match(
    await said('https://127.0.0.1:1', hub.authority),
    /^Cannot ask at https:\/\/127\.0\.0\.1:1\/healthz\. Check that the hub runs/,
  );
});

test('a stop ends a request and a download at once, with its own reason', { timeout: 20_000 }, async (t) => {
  const hub = await stubHub(t, ({ path }, response) =>
    path === '/half' ? response.write('half') : undefined,
  );
  await using client = new HubClient(hub.url, hub);
  const stop = new AbortController();
  const asked = thrown(client.ask('/agent', { what: 'ask', signal: stop.signal }));
  const half = thrown(bytesOf(await client.download('/half', { what: 'download', signal: stop.signal })));
  stop.abort(new Error('the agent stops'));
  assert.deepEqual([await asked, await half], [stop.signal.reason, stop.signal.reason]);
  assert.equal(await thrown(client.ask('/agent', { what: 'ask', signal: stop.signal })), stop.signal.reason);
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
});

test('requests, answered and refused, and downloads leave nothing on the signal of an agent that runs for years', async (t) => {
  const hub = await stubHub(t, ({ path }, response) => {
    if (path === '/model') response.end(Buffer.alloc(5000));
    else if (path === '/agent') json(response, 200, {});
    else json(response, 404, { error: 'not_found', message: 'There is nothing' });
  });
  await using client = new HubClient(hub.url, hub);
  const { signal } = new AbortController();
  for (let i = 0; i < 5; i++) {
    await client.ask('/agent', { what: 'ask', signal });
    await thrown(client.ask('/nothing', { what: 'ask', signal }));
    await thrown(client.download('/nothing', { what: 'download', signal }));
    assert.equal(await bytesOf(await client.download('/model', { what: 'download', signal })), 5000);
    await (await client.download('/model', { what: 'download', signal })).cancel();
  }
  assert.equal(leftOn(signal), 0);
});

test('a download is bounded in bytes and in silence, not by a slow line; what the hub refuses is a refusal', {
  timeout: 20_000,
}, async (t) => {
  const hub = await stubHub(t, async ({ path }, response) => {
    if (path === '/refused')
      json(response, 403, { error: 'identity_revoked', message: 'Cannot let pi-1 in' });
    for (let i = 0; i < 10 && !response.writableEnded; i++) {
      response.write(Buffer.alloc(1000));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    if (path === '/slow' || path === '/large') response.end();
  });
  await using client = new HubClient(hub.url, hub, { silenceMs: 300 });
  assert.equal(
    await bytesOf(await client.download('/slow', { what: 'take a model', limit: 10_000 })),
    10_000,
  );
  const fault = async (path: string, limit: number) => {
    const error = await thrown(client.download(path, { what: 'take a model', limit }).then(bytesOf));
    return error instanceof AdbreakError ? `${error.code}: ${error.message}` : String(error);
  };
  assert.equal(
    await fault('/large', 9999),
    `hub_unreachable: Cannot take a model at ${hub.url}/large: its answer has more than 9999 bytes`,
  );
  assert.equal(
    await fault('/stuck', 10_000),
    `hub_unreachable: Cannot take a model at ${hub.url}/stuck: it was silent too long`,
  );
  assert.equal(await fault('/refused', 10_000), 'identity_revoked: Cannot let pi-1 in');
});

test('a client that is disposed of waits for no answer that nobody reads', { timeout: 10_000 }, async (t) => {
  let closed = false;
  const hub = await stubHub(t, async (_, response) => {
    response.write(Buffer.alloc(1000));
    await once(response, 'close');
    closed = true;
  });
  const client = new HubClient(hub.url, hub);
  const reader = (await client.download('/model', { what: 'take a model' })).getReader();
  await reader.read();
  reader.releaseLock();
  await client[Symbol.asyncDispose]();
  await until('the hub sees the end', () => closed, 5);
});
