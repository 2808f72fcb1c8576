import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { test } from 'node:test';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { publish } from '../testing/chain.js';
import { testHub } from '../testing.js';

const VERSIONS = '/api/v1/models/base-ad-detector/versions';

test('a model is downloaded whole, in part, or not at all where the caller has it (RFC 9110, 13 and 14)', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const { file, manifest } = tinyRelease('1.0.0');
  const [all, size] = [Buffer.from(file).toString('latin1'), file.byteLength];
  const tag = `"${manifest.digest}"`;
  const agent = new Agent({ ca: hub.authority, keepAlive: true });
  t.after(() => agent.destroy());
  const get = (headers: Record<string, string>, method = 'GET') =>
    answerOf({
      hub: hub.hub,
      method,
      path: `${VERSIONS}/production/download`,
      headers: { authorization: `Bearer ${hub.token}`, ...headers },
      agent,
    });

  const whole = await get({});
  assert.deepEqual([whole.status, whole.body, whole.headers.etag], [200, all, tag]);
  assert.deepEqual(
    [whole.headers['accept-ranges'], whole.headers['x-model-version'], whole.headers.link],
    ['bytes', '1.0.0', `<${VERSIONS}/1.0.0/manifest>; rel="describedby"`],
  );
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    [`bytes=${size - 5}-`, size - 5, size - 1],
    ['bytes=-7', size - 7, size - 1],
    [`bytes=0-${10 ** 20}`, 0, size - 1],
    [`bytes=-${10 ** 20}`, 0, size - 1],
  ] as const) {
    const part = await get({ range });
    assert.deepEqual(
      [part.status, part.body, part.headers['content-range'], part.headers.etag],
      [206, all.slice(from, to + 1), `bytes ${from}-${to}/${size}`, tag],
      range,
    );
  }
  for (const range of ['bytes=5-2', 'bytes=0-1,4-5', 'lines=1-2', 'bytes=-', 'bytes=x-y'])
    assert.deepEqual([(await get({ range })).status, (await get({ range })).body], [200, all], range);
  for (const range of [`bytes=${size}-`, `bytes=${10 ** 20}-`, 'bytes=-0']) {
    const { status, headers, body } = await get({ range });
    assert.deepEqual([status, headers['content-range']], [416, `bytes */${size}`], range);
    assert.equal(problem.parse(JSON.parse(body)).code, 'range_unsatisfiable');
  }
  assert.equal((await get({ range: 'bytes=0-4', 'if-range': tag })).status, 206);
  assert.equal((await get({ range: 'bytes=0-4', 'if-range': '"another"' })).status, 200);
  for (const known of [tag, `"x", W/${tag}`, '*']) {
    const { status, headers, body } = await get({ 'if-none-match': known, range: 'bytes=0-4' });
    assert.deepEqual([status, headers.etag, body], [304, tag, ''], known);
  }
  assert.equal((await get({ 'if-none-match': '"another"' })).status, 200);
  const head = await get({ range: 'bytes=0-4' }, 'HEAD');
  assert.deepEqual(
    [head.status, head.headers['content-length'], head.headers.etag, head.body],
    [200, String(size), tag, ''],
  );
});

test('the manifest of a version lies beside its file', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  for (const version of ['1.0.0', 'production'])
    assert.deepEqual(await callHub(hub, `${VERSIONS}/${version}/manifest`), tinyRelease('1.0.0').manifest);
});
