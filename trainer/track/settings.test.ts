import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { addressOf } from './mlflow-address.js';
import { DEFAULT_TRACKING, trackers, trackingSchema } from './settings.js';
import { stubMlflow } from './testing/mlflow-server.js';
import { epochRecord, HEADER, outcome } from './testing/run.js';

const AROUND = { log: () => assert.fail('nothing is said'), env: {} };
const OFF = DEFAULT_TRACKING;
const withServer = (more: object) => ({ ...OFF, mlflow: { ...OFF.mlflow, enabled: true, ...more } });
const takes = (value: unknown) => trackingSchema.safeParse(value).success;

test('nothing is tracked where nothing is said', () => {
  assert.deepEqual(trackers(trackingSchema.parse(OFF), AROUND), []);
});

test('what cannot be is refused', () => {
  assert.ok(takes(withServer({})) && takes(withServer({ ca: 'ca.pem', url: 'https://a.example/mlflow' })));
  assert.ok(!takes({ ...OFF, tensorbord: true }));
  for (const url of ['file:///mlruns', 'sqlite:///mlflow.db', 'localhost:5000'])
    assert.ok(!takes(withServer({ url })), url);
  assert.ok(!takes(withServer({ token: 'a' })), 'secrets do not belong in a file');
  for (const alias of ['latest', 'Latest', 'v1', 'a b', '']) assert.ok(!takes(withServer({ alias })), alias);
  for (const alias of ['champion', 'v1a', 'latest2']) assert.ok(takes(withServer({ alias })), alias);
});

test('a secret comes from the address, else from the variables of MLflow, and leaves the address', () => {
  const env = {
    MLFLOW_TRACKING_TOKEN: 'token',
    MLFLOW_TRACKING_USERNAME: 'anna',
    MLFLOW_TRACKING_PASSWORD: 'secret',
  };
  const { MLFLOW_TRACKING_TOKEN: _, ...named } = env;
  const url = 'https://mlflow.example/base';
  assert.deepEqual(addressOf(url, {}), { url, secret: null });
  assert.deepEqual(addressOf(url, env), { url, secret: { token: 'token' } });
  assert.deepEqual(addressOf(url, named), { url, secret: { user: 'anna', password: 'secret' } });
  assert.deepEqual(addressOf('https://b%40c:p%2Fw@mlflow.example/base', env), {
    url,
    secret: { user: 'b@c', password: 'p/w' },
  });
});

test('both trackers together follow a training to its end', async (t) => {
  const server = await stubMlflow(t);
  const folder = await temporaryFolder();
  const list = trackers(
    { ...withServer({ url: server.url }), tensorboard: { enabled: true, path: folder } },
    AROUND,
  );
  assert.equal(list.length, 2);
  for (const tracker of list) await tracker.begin(HEADER);
  for (const tracker of list) await tracker.epoch(epochRecord(1));
  for (const tracker of list) await tracker.end(outcome());
  assert.equal(server.runs.get('r1')?.status, 'FINISHED');
  assert.deepEqual((await readdir(join(folder, HEADER.name))).sort(), [HEADER.version]);
});

test('an authority that is not there is said, and stops nothing', async () => {
  const said: string[] = [];
  const settings = withServer({ url: 'https://127.0.0.1:1', ca: '/nowhere/ca.pem' });
  const [tracker] = trackers(settings, { log: (line) => said.push(line), env: {} });
  await tracker?.begin(HEADER);
  await tracker?.end(outcome());
  assert.equal(said.length, 1);
  assert.match(
    said[0] ?? '',
    /^MLflow: Cannot read the authority of tracking\.mlflow\.ca: there is no \/nowhere/,
  );
});
