import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { follow } from './follow.js';
import { checkOutputs } from './outputs.js';
import { openRegistry } from './registry.js';
import { formatVerdict, verdictsOf } from './requirements.js';

const coded = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

describe('requirements', () => {
  const wanted = { min_accuracy: 0.9, min_f1_score: 0.85, max_inference_time_ms: 100 };
  test('are met at their very value', () =>
    assert.ok(verdictsOf(wanted, { accuracy: 0.9, f1: 0.85 }, 100).every(({ met }) => met)));
  test('say by how much they are missed', () => {
    const told = verdictsOf(wanted, { accuracy: 0.884, f1: 0.93 }, 131.5).map(formatVerdict);
    assert.deepEqual(told, [
      '⚠ min_accuracy: 0.884, wanted 0.900, missed by 0.016',
      '✓ min_f1_score: 0.930, wanted 0.850',
      '⚠ max_inference_time_ms: 131.5, wanted 100.0, missed by 32',
    ]);
  });
});

describe('outputs', () => {
  test('are made where they are missing, and left as they were', async () => {
    const folder = join(await temporaryFolder(), 'a', 'b');
    await checkOutputs([folder, folder]);
    assert.deepEqual(await readdir(folder), []);
  });
  test('that cannot be written are refused before any work', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    for (const path of [join(folder, 'file'), join(folder, 'file', 'below'), '/proc/adbreak'])
      await assert.rejects(checkOutputs([path]), coded('state_unwritable', /Cannot write to/), path);
  });
  test('on a volume that is as good as full are refused before any work', async (t) => {
    const volume = await smallVolume(t, 512);
    await assert.rejects(checkOutputs([volume]), coded('disk_full', /0 MiB are free/));
  });
});

describe('the registry', () => {
  test('is sent no token in the open', async () => {
    for (const url of ['http://hub.example:8000', 'http://10.0.0.7:8000', 'http://127.0.0.1.example:8000'])
      await assert.rejects(
        openRegistry(url, { ADBREAK_TOKEN: 'secret' }),
        coded('input_invalid', /would go there unencrypted/),
        url,
      );
  });
  const { manifest, file } = tinyRelease('1.0.0');
  test('gets manifest and model of a version that is free', async (t) => {
    const asked: { method: string | undefined; path: string; body: string; token: string | undefined }[] = [];
    const hub = await stubHub(t, ({ path, body, message }, response) => {
      asked.push({ method: message.method, path, body, token: message.headers.authorization });
      response.statusCode = message.method === 'GET' ? 404 : 201;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ code: 'not_found', detail: 'there is none', error: 'not_found', message: 'none' }),
      );
    });
    const authority = join(await temporaryFolder(), 'ca.pem');
    await writeFile(authority, hub.authority);
    const registry = await openRegistry(hub.url, { ADBREAK_TOKEN: 'secret', ADBREAK_CA: authority });
    await registry.checkFree('base-ad-detector', '1.0.0');
    await registry.upload('base-ad-detector', '1.0.0', { manifest: JSON.stringify(manifest), model: file });
    const path = '/api/v1/models/base-ad-detector/versions/1.0.0';
    assert.deepEqual(
      asked.map((request) => [request.method, request.path, request.token]),
      [
        ['GET', path, 'Bearer secret'],
        ['PUT', path, 'Bearer secret'],
      ],
    );
    assert.match(asked[1]?.body ?? '', /name="manifest"[\s\S]*"digest"[\s\S]*name="model"/);
  });
  test('that has the version already, or cannot be asked, is known before any work', async (t) => {
    const hub = await stubHub(t, (_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    });
    const authority = join(await temporaryFolder(), 'ca.pem');
    await writeFile(authority, hub.authority);
    const env = { ADBREAK_TOKEN: 'secret', ADBREAK_CA: authority };
    const registry = await openRegistry(hub.url, env);
    await assert.rejects(registry.checkFree('m', '1.0.0'), coded('conflict', /has this version already/));
    await assert.rejects(openRegistry(hub.url, {}), coded('unauthorized', /ADBREAK_TOKEN/));
    await assert.rejects(openRegistry(hub.url, { ADBREAK_TOKEN: 'x' }), coded('unauthorized', /ADBREAK_CA/));
    await assert.rejects(openRegistry('hub:8443', env), coded('input_invalid', /must be a URL/));
    const closed = await openRegistry('http://127.0.0.1:9', env);
    await assert.rejects(closed.checkFree('m', '1.0.0'), coded('hub_unreachable', /reach the registry/));
  });
});

test('a tracker that fails is said once and left alone; the others go on', async () => {
  const said: string[] = [];
  const calls: string[] = [];
  const working = (name: string, fails: boolean) => {
    const call = (what: string) => async () => {
      calls.push(`${name} ${what}`);
      if (fails) throw new Error(`${name} is gone`);
    };
    return { begin: call('begin'), epoch: call('epoch'), end: call('end') };
  };
  const heard: number[] = [];
  const all = follow(
    [working('bad', true), working('good', false)],
    (line) => said.push(line),
    ({ epoch }) => heard.push(epoch),
  );
  await all.begin({ name: 'm', version: '1.0.0', startedAt: new Date(0), parameters: {} });
  await all.epoch({
    ...{ stage: 'head', epoch: 1, epochs: 2, trainLoss: 1, trainAccuracy: 0.5 },
    ...{ validationLoss: 1, validationAccuracy: 0.5, learningRate: 0.1, seconds: 1 },
  });
  await all.end({ status: 'finished', metrics: {}, histograms: [], pictures: [], scored: [], files: [] });
  assert.deepEqual(calls, ['bad begin', 'good begin', 'good epoch', 'good end']);
  assert.deepEqual(heard, [1]);
  assert.deepEqual(said, ['the training goes on without this tracker: bad is gone']);
});
