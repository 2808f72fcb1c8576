import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import { z } from 'zod';
import { publish } from '../testing/chain.js';
import { type TestHub, testHub } from '../testing.js';

const PAGE = fileURLToPath(new URL('../../../docs/operations/http.md', import.meta.url));

/** The page's commands, to the letter. */
async function commands(): Promise<string[]> {
  const page = await readFile(PAGE, 'utf8');
  return [...page.matchAll(/^```bash\n(curl [\s\S]*?)\n```$/gm)].map(([, command = '']) => command);
}

/** As a shell runs it, but for the port: that of a test is any free one. */
async function run(hub: TestHub, command: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    'bash',
    ['-c', command.replaceAll('localhost:8000', `localhost:${hub.running.localPort}`)],
    { env: { ...process.env, TOKEN: hub.token, no_proxy: '*' } },
  );
  return JSON.parse(stdout);
}

const promoted = z.object({
  model_name: z.literal('base-ad-detector'),
  version: z.string(),
  production: z.string(),
  rollout: z
    .object({
      status: z.string(),
      ceiling: z.number(),
      plan: z.object({ stages: z.array(z.object({ percent: z.number() })) }),
    })
    .nullable(),
});

test('the commands of existing scripts run to the letter over plain HTTP on the loopback', async (t) => {
  const hub = await testHub(t, { local: { port: 0, asked: true } });
  for (const version of ['1.0.0', '1.1.0']) await publish(hub, version, 1, { promote: false });
  const [promote = '', canary = '', performance = '', drift = '', health = '', ...others] = await commands();
  assert.deepEqual(others, []);

  const first = promoted.parse(await run(hub, promote));
  assert.deepEqual([first.version, first.production, first.rollout], ['1.0.0', '1.0.0', null]);
  const second = promoted.parse(await run(hub, canary));
  assert.deepEqual([second.version, second.production], ['1.1.0', '1.0.0']);
  assert.deepEqual([second.rollout?.status, second.rollout?.ceiling], ['running', 10]);
  assert.deepEqual(
    second.rollout?.plan.stages.map(({ percent }) => percent),
    [0, 10, 34, 100],
    'the plan has a stage of the share that was asked for',
  );

  const measured = z
    .object({
      model_name: z.string(),
      version: z.string(),
      metrics: z.object({
        avg_inference_time_ms: z.null(),
        avg_confidence: z.null(),
        total_inferences: z.literal(0),
        ad_detection_rate: z.null(),
      }),
    })
    .parse(await run(hub, performance));
  assert.deepEqual([measured.model_name, measured.version], ['base-ad-detector', '1.0.0']);
  for (const command of [drift, health]) {
    const told = problem.parse(await run(hub, command));
    assert.deepEqual([told.status, told.code], [501, 'not_implemented']);
    assert.match(
      told.detail,
      /does not judge the (drift|health) of base-ad-detector outside of a rollout yet/,
    );
  }
});

test('what was promoted is listed, shown and downloaded in the same words', async (t) => {
  const hub = await testHub(t, { local: { port: 0, asked: true } });
  for (const version of ['1.0.0', '1.1.0']) await publish(hub, version, 1, { promote: false });
  const [promote = '', canary = ''] = await commands();
  await run(hub, promote);
  await run(hub, canary);
  const get = (path: string) =>
    run(hub, `curl http://localhost:8000/api/v1/models${path} -H "Authorization: Bearer $TOKEN"`);

  const line = z.object({ name: z.string(), production: z.string(), versions: z.array(z.string()) });
  assert.deepEqual(z.object({ models: z.array(line) }).parse(await get('')), {
    models: [{ name: 'base-ad-detector', production: '1.0.0', versions: ['1.0.0', '1.1.0'] }],
  });
  const words = z.object({
    version: z.string(),
    status: z.string(),
    is_production: z.boolean(),
    rollout_percentage: z.number(),
  });
  const { versions, rollout } = z
    .object({ versions: z.array(words), rollout: z.object({ version: z.string(), percent: z.number() }) })
    .parse(await get('/base-ad-detector'));
  assert.deepEqual(versions, [
    { version: '1.1.0', status: 'canary', is_production: false, rollout_percentage: 0 },
    { version: '1.0.0', status: 'production', is_production: true, rollout_percentage: 100 },
  ]);
  assert.deepEqual(rollout, { version: '1.1.0', percent: 0 });
  for (const version of ['1.0.0', 'production'])
    assert.deepEqual(words.parse(await get(`/base-ad-detector/versions/${version}`)), versions[1]);
  const missing = problem.parse(await get('/base-ad-detector/versions/9.9.9'));
  assert.deepEqual([missing.status, missing.code], [404, 'not_found']);
});
