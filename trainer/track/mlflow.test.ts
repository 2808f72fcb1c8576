import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { artifactFolder, artifactsOf } from './artifacts.js';
import { type MlflowOptions, mlflow } from './mlflow.js';
import { metricBatches, parameterBatches } from './mlflow-batches.js';
import { type Misdeed, type StubMlflow, stubMlflow } from './testing/mlflow-server.js';
import { epochRecord, HEADER, outcome } from './testing/run.js';

const AT = new Date('2026-11-01T12:30:00.000Z');
const SOON = { firstMs: 5, longestMs: 20, jitter: 0 };

/** A tracker of this server, and the trouble that it told of. */
function follow(t: TestContext, url: string, more: Partial<MlflowOptions> = {}) {
  const trouble: AdbreakError[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  const options = {
    url,
    secret: null,
    experiment: 'adbreak',
    alias: 'candidate',
    backoff: SOON,
    silenceMs: 300,
  };
  const tracker = mlflow(
    { ...options, ...more },
    {
      signal: stop.signal,
      troubled: (error) => trouble.push(error instanceof AdbreakError ? error : assert.fail(String(error))),
    },
  );
  return { tracker, trouble, stop };
}
async function release(): Promise<string[]> {
  const folder = await temporaryFolder();
  const files = [join(folder, 'model.tflite'), join(folder, 'manifest.json')];
  for (const file of files) await writeFile(file, `bytes of ${file}`);
  return files;
}
/** A whole training of two epochs. */
async function train(t: TestContext, server: StubMlflow, more: Partial<MlflowOptions> = {}) {
  const { tracker, trouble } = follow(t, server.url, more);
  await tracker.begin(HEADER, AT);
  for (const epoch of [1, 2]) await tracker.epoch(epochRecord(epoch), AT);
  await tracker.end(outcome(await release()), AT);
  return trouble;
}
/** What the server must have, once each, whatever happened on the way. */
function assertWhole(server: StubMlflow): void {
  assert.deepEqual([...server.experiments], [['adbreak', '1']]);
  assert.equal(server.runs.size, 1);
  const run = server.run('r1');
  assert.deepEqual(run.params, HEADER.parameters);
  assert.equal(run.metrics.size, 2 * 6 + 2);
  assert.ok(run.metrics.has(JSON.stringify(['head/validation_loss', 0.625, AT.getTime(), 2])));
  assert.ok(run.metrics.has(JSON.stringify(['test/accuracy', 0.9375, AT.getTime(), 0])));
  assert.equal(run.status, 'FINISHED');
  const folder = '1/r1/artifacts';
  assert.deepEqual(
    [...server.files.keys()],
    ['pictures/mistakes/1.png', 'model.tflite', 'manifest.json'].map((name) => `${folder}/${name}`),
  );
  assert.match(server.files.get(`${folder}/manifest.json`) ?? '', /^bytes of .*manifest\.json$/);
  assert.deepEqual(server.versions, [
    { name: HEADER.name, version: '1', run: 'r1', source: `mlflow-artifacts:/${folder}` },
  ]);
  assert.deepEqual(server.aliases, { [`${HEADER.name}@candidate`]: '1' });
}

test('a training is a run with parameters, metrics, files and a registered version', async (t) => {
  const server = await stubMlflow(t);
  assert.deepEqual(await train(t, server), []);
  assertWhole(server);
});

test('an experiment and a registered model that are there are taken', async (t) => {
  const server = await stubMlflow(t);
  server.experiments.set('adbreak', '1');
  server.models.add(HEADER.name);
  assert.deepEqual(await train(t, server), []);
  assertWhole(server);
});

/** What a server does with the first request of each kind, and what is said of it. */
const PASSING: Readonly<Record<string, { misdeed: Misdeed; says: RegExp }>> = {
  'an error': { misdeed: { status: 500, text: 'oh' }, says: /answered status 500, and not as MLflow does/ },
  "MLflow's own error": {
    misdeed: { status: 500, text: JSON.stringify({ error_code: 'INTERNAL_ERROR', message: 'oh' }) },
    says: /answered status 500 INTERNAL_ERROR: oh/,
  },
  'a wish to be left alone': {
    misdeed: { status: 429, text: '{}', headers: { 'retry-after': '0' } },
    says: /answered status 429/,
  },
  silence: { misdeed: 'silence', says: /it was silent too long/ },
  'half a batch': { misdeed: 'half', says: /answered status 500/ },
  'a line that breaks after the work': { misdeed: 'cut', says: /^Cannot / },
  'an answer without end': {
    misdeed: { status: 200, text: JSON.stringify('x'.repeat(2 ** 20)) },
    says: /more than 1048576 bytes/,
  },
  'a page': { misdeed: { status: 200, text: '<html>Welcome</html>' }, says: /not one of MLflow's/ },
  'an answer of something else': { misdeed: { status: 200, text: '7' }, says: /not one of MLflow's/ },
};
for (const [name, { misdeed, says }] of Object.entries(PASSING))
  test(`${name} at every first request is tried again, and leaves nothing twice and nothing out`, {
    timeout: 60_000,
  }, async (t) => {
    const server = await stubMlflow(t, (_, count) => (count === 1 ? misdeed : null));
    const trouble = await train(t, server);
    assertWhole(server);
    assert.ok(trouble.length > 0);
    for (const error of trouble) {
      assert.ok(['tracker_unreachable', 'tracker_refused'].includes(error.code));
      assert.match(error.message, says);
      assert.ok(error.message.includes(server.url), error.message);
    }
  });

test('a training that goes on has the run that it had', async (t) => {
  const server = await stubMlflow(t);
  const first = follow(t, server.url);
  await first.tracker.begin(HEADER, AT);
  await first.tracker.epoch(epochRecord(1), AT);
  await first.tracker.end({ ...outcome(), status: 'interrupted', metrics: {}, pictures: [] }, AT);
  assert.equal(server.run('r1').status, 'KILLED');
  assert.equal(server.versions.length, 0);
  const second = follow(t, server.url);
  await second.tracker.begin(HEADER, AT);
  assert.equal(server.run('r1').status, 'RUNNING');
  await second.tracker.epoch(epochRecord(2), AT);
  await second.tracker.end(outcome(await release()), AT);
  assertWhole(server);
  assert.deepEqual([...first.trouble, ...second.trouble], []);
});

test('what MLflow refuses is not tried again, and is said in its words with what to do', async (t) => {
  const refusals: readonly (readonly [Misdeed, RegExp, RegExp])[] = [
    [{ status: 401, text: 'You are not authenticated.' }, /status 401: You are not/, /MLFLOW_TRACKING_TOKEN/],
    [
      { status: 403, text: 'Invalid Host header - possible DNS rebinding attack detected' },
      /status 403: Invalid Host/,
      /--allowed-hosts/,
    ],
    [
      { status: 400, text: JSON.stringify({ error_code: 'INVALID_PARAMETER_VALUE', message: 'a\nb' }) },
      /status 400 INVALID_PARAMETER_VALUE: a\\x0ab/,
      /docs\/tracking\.md/,
    ],
    [{ status: 302, text: '', headers: { location: '/login' } }, /status 302, and not as MLflow/, /tracking/],
  ];
  for (const [misdeed, says, remedy] of refusals) {
    const server = await stubMlflow(t, () => misdeed);
    const { tracker, trouble } = follow(t, server.url);
    await assert.rejects(tracker.begin(HEADER, AT), (error: unknown) => {
      assert.ok(error instanceof AdbreakError);
      assert.match(error.message, says);
      assert.match(error.remedy, remedy);
      return true;
    });
    assert.equal(server.asked.length, 1);
    assert.deepEqual(trouble, []);
  }
});

test('a deleted experiment is not written to', async (t) => {
  const text = JSON.stringify({ experiment: { experiment_id: '1', lifecycle_stage: 'deleted' } });
  const server = await stubMlflow(t, () => ({ status: 200, text }));
  const { tracker } = follow(t, server.url);
  await assert.rejects(tracker.begin(HEADER, AT), /Cannot use the experiment adbreak: it was deleted/);
});

test('where only a part is refused, the rest is told, and the part is said', async (t) => {
  const refused = {
    status: 400,
    text: JSON.stringify({ error_code: 'INVALID_PARAMETER_VALUE', message: 'no' }),
  };
  for (const part of [/^runs\/log-batch$/, /^PUT .*model\.tflite$/, /^model-versions\/create$/]) {
    const server = await stubMlflow(t, (what, count) => (part.test(what) && count === 1 ? refused : null));
    const trouble = await train(t, server);
    assert.equal(trouble.length, 1);
    assert.match(trouble[0]?.message ?? '', /INVALID_PARAMETER_VALUE/);
    assert.equal(server.run('r1').status, 'FINISHED');
    assert.equal(server.run('r1').metrics.size, 14);
  }
});

test('files of a server that does not keep them itself are left out', async (t) => {
  const info = { run_id: 'r1', artifact_uri: 's3://bucket/1/r1/artifacts' };
  const server = await stubMlflow(t, (what) =>
    what === 'runs/create' || what === 'runs/update' || what === 'runs/log-batch'
      ? { status: 200, text: JSON.stringify({ run: { info } }) }
      : null,
  );
  const trouble = await train(t, server);
  assert.equal(trouble.length, 1);
  assert.match(trouble[0]?.message ?? '', /Cannot keep files at .*: they belong at s3:/);
  assert.equal(server.files.size + server.versions.length, 0);
});

test('a stop ends the tries at once', { timeout: 10_000 }, async (t) => {
  const server = await stubMlflow(t, () => 'silence');
  const { tracker, stop } = follow(t, server.url, { silenceMs: 60_000 });
  const begun = assert.rejects(tracker.begin(HEADER, AT), { name: 'AbortError' });
  setTimeout(() => stop.abort(), 100);
  await begun;
});

test('a secret is in each request and in no message, whatever the server repeats', async (t) => {
  for (const [secret, header] of [
    [{ token: 'swordfish' }, 'Bearer swordfish'],
    [{ user: 'anna', password: 'swordfish' }, `Basic ${Buffer.from('anna:swordfish').toString('base64')}`],
  ] as const) {
    const server = await stubMlflow(t);
    await train(t, server, { secret });
    assertWhole(server);
    for (const { headers } of server.asked) assert.equal(headers.authorization, header);
    const echo = await stubMlflow(t, () => ({ status: 403, text: `not for ${header}, swordfish` }));
    const { tracker } = follow(t, echo.url, { secret });
    await assert.rejects(tracker.begin(HEADER, AT), (error: unknown) => {
      assert.ok(error instanceof AdbreakError);
      assert.match(error.message, /\[secret\], \[secret\]/);
      assert.ok(!error.message.includes('swordfish') && !error.message.includes(header.slice(-10)));
      return true;
    });
  }
});

test('a secret goes over plain HTTP to this machine alone', (t) => {
  const secret = { token: 'swordfish' };
  for (const url of ['http://mlflow.example:5000', 'http://127.0.0.1.mlflow.example', 'http://192.0.2.1'])
    assert.throws(() => follow(t, url, { secret }), /Cannot send a secret to http/, url);
  for (const url of [
    'http://localhost:5000',
    'http://127.0.0.1:5000',
    'http://[::1]:5000',
    'https://a.example',
  ])
    follow(t, url, { secret });
  follow(t, 'http://mlflow.example:5000');
});

test('TLS is checked: an authority that is given is trusted, and no other', async (t) => {
  const seen: string[] = [];
  const server = await stubHub(t, ({ path }, response) => {
    seen.push(path);
    response.writeHead(401).end('no');
  });
  const given = follow(t, server.url, { authority: server.authority });
  await assert.rejects(given.tracker.begin(HEADER, AT), /status 401/);
  assert.equal(seen.length, 1);
  const { tracker, trouble, stop } = follow(t, server.url);
  const begun = assert.rejects(tracker.begin(HEADER, AT), { name: 'AbortError' });
  while (trouble.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  await begun;
  assert.match(trouble[0]?.message ?? '', /certificate is not from an authority that this machine knows/);
  assert.match(trouble[0]?.remedy ?? '', /tracking\.mlflow\.ca/);
  assert.equal(seen.length, 1);
});

test('batches keep the limits of MLflow in number, bytes, names and lengths', () => {
  const metrics = Array.from({ length: 1201 }, (_, i) => ({
    key: `a(${i})`,
    value: i,
    timestamp: 0,
    step: 0,
  }));
  const batches = metricBatches(metrics);
  assert.deepEqual(
    batches.map(({ length }) => length),
    [500, 500, 201],
  );
  assert.equal(batches[0]?.[7]?.key, 'a_7_');
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5];
  assert.deepEqual(
    metricBatches(odd.map((value) => ({ key: 'a', value, timestamp: 0, step: 0 })))[0]?.map(
      ({ value }) => value,
    ),
    ['NaN', 'Infinity', '-Infinity', 0.5],
  );
  const long = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`p${i}`, '漢'.repeat(7000)]));
  const parameters = parameterBatches(long);
  assert.equal(parameters.flat().length, 250);
  for (const batch of parameters) {
    assert.ok(batch.length <= 100);
    assert.ok(Buffer.byteLength(JSON.stringify(batch)) < 1_000_000);
  }
  assert.equal(parameters[0]?.[0]?.value.length, 6000);
});

test('files are called by where they lie below the folder that has them all', () => {
  const names = (...files: string[]) => artifactsOf(files).map(({ name }) => name);
  assert.deepEqual(names(), []);
  assert.deepEqual(names('out/model.tflite'), ['model.tflite']);
  assert.deepEqual(names('out/model.tflite', 'out/report/index.html'), ['model.tflite', 'report/index.html']);
  assert.deepEqual(names('/a/b/one', '/a/bc/two', '/a/b/d/three'), ['b/one', 'bc/two', 'b/d/three']);
  assert.deepEqual(names('/one', '/a/two'), ['one', 'a/two']);
});

test("a run's files go to the server's own store, and to no other host", () => {
  const server = 'https://mlflow.example:5000/base';
  assert.equal(artifactFolder('mlflow-artifacts:/1/r1/artifacts', server), '1/r1/artifacts');
  assert.equal(
    artifactFolder('mlflow-artifacts://mlflow.example:5000/1/r1/artifacts/', server),
    '1/r1/artifacts',
  );
  for (const uri of [
    'mlflow-artifacts://other.example/1/r1',
    's3://bucket/1',
    '/mlruns/1',
    'file:///mlruns/1',
    '',
  ])
    assert.equal(artifactFolder(uri, server), null, uri);
});
