import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract } from '@adbreak/shared/contract/http/contract.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { z } from 'zod';
import { callBy, callHub } from './client.js';

const ask = { what: 'reach the hub', token: 'adbreak_token_0' } as const;

test('a command asks under its token, and hears JSON or bytes', async (t) => {
  const { url, authority } = await stubHub(t, ({ path, body, message }, response) => {
    const { method, headers } = message;
    if (path === '/model') response.end(Buffer.from([0, 255]));
    else
      response
        .writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
        .end(JSON.stringify({ method, body, authorization: headers.authorization }));
  });
  const address = { hub: url, token: 'adbreak_token_0', authority };
  assert.deepEqual(await callHub(address, '/api', { method: 'PATCH', json: { tags: 1 } }), {
    method: 'PATCH',
    body: '{"tags":1}',
    authorization: 'Bearer adbreak_token_0',
  });
  assert.deepEqual(await callHub(address, '/model'), Buffer.from([0, 255]));
});

test('a command waits for no hub that is silent, drips, sends without end or elsewhere', async (t) => {
  const { url, authority } = await stubHub(t, ({ path }, response) => {
    if (path === '/long') response.end('x'.repeat(3000));
    if (path === '/elsewhere') response.writeHead(302, { location: '/long' }).end();
    if (path === '/half') response.write('{');
    if (path === '/drip') {
      const drip = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(drip));
    }
  });
  await using client = new HubClient(url, { authority }, { silenceMs: 1000, reader: 'person' });
  for (const [path, why] of [
    ['/silence', /^Cannot reach the hub at .*: it was silent too long/],
    ['/half', /it was silent too long/],
    ['/drip', /no whole answer within 3 s/],
    ['/long', /its answer has more than 2000 bytes/],
    ['/elsewhere', /it answered status 302, and not as a hub does/],
  ] as const)
    await assert.rejects(client.askAs(path, { ...ask, timeoutMs: 3000, limit: 2000 }), (error) => {
      assert.ok(error instanceof AdbreakError && error.code === 'hub_unreachable', path);
      assert.match(error.message, why);
      return true;
    });
});

test('a person is told of flags, not of a card', async (t) => {
  const [hub, other] = [await stubHub(t, () => undefined), await stubHub(t, () => undefined)];
  await assert.rejects(
    callHub({ hub: hub.url, token: 't', authority: other.authority }, '/api'),
    (error) => error instanceof AdbreakError && /--ca \(ADBREAK_CA\)/.test(error.remedy),
  );
  await assert.rejects(
    callHub({ hub: 'https://127.0.0.1:1', token: 't', authority: hub.authority }, '/api'),
    (error) =>
      error instanceof AdbreakError &&
      error.remedy === 'Check that the hub runs, and that --hub (ADBREAK_HUB) is its address.',
  );
});

test('a call by its contract fills in path and query, and takes no answer that does not fit', async (t) => {
  const { url, authority } = await stubHub(t, ({ path, body, message }, response) => {
    const wrong = path.startsWith('/rooms/cellar');
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ asked: wrong ? null : `${message.method} ${path} ${body}` }));
  });
  const room = contract({
    method: 'POST',
    path: '/rooms/{name}/lamps',
    access: 'viewer',
    summary: 'A lamp.',
    params: z.object({ name: z.string() }),
    query: z.object({ size: z.number().optional() }),
    body: z.object({ on: z.boolean() }),
    answer: z.object({ asked: z.string() }),
  });
  const address = { hub: url, token: 'adbreak_token_0', authority };
  const { asked } = await callBy(address, room, {
    params: { name: 'a/b c' },
    query: { size: 3 },
    body: { on: true },
  });
  assert.equal(asked, 'POST /rooms/a%2Fb%20c/lamps?size=3 {"on":true}');
  await assert.rejects(
    callBy(address, room, { params: { name: 'cellar' }, query: {}, body: { on: false } }),
    (error) =>
      error instanceof AdbreakError &&
      error.code === 'hub_unreachable' &&
      /Cannot accept the answer of the hub: asked: must be a text: it is null/.test(error.message) &&
      /is a hub, and that it and this command are of one version/.test(error.remedy),
  );
});
