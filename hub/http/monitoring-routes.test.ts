import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarySchema } from '@adbreak/shared/contract/http/monitoring.js';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { z } from 'zod';
import { callHub } from '../cli/client.js';
import { after, report } from '../rollouts/fixtures.js';
import { openStore } from '../store/open.js';
import { publish } from '../testing/chain.js';
import { take } from '../testing/rollups.js';
import { deviceEntry } from '../testing/state.js';
import { testHub } from '../testing.js';

const MODEL = '/api/v1/monitoring/models/base-ad-detector';
const now = () => after(30);

/** A hub with a version in production, and windows of two days that were taken before it was started again. */
async function watched(t: Parameters<typeof testHub>[0]) {
  const folder = await temporaryFolder();
  const first = await testHub(t, { folder, now });
  await publish(first, '1.0.0');
  await first.running[Symbol.asyncDispose]();
  const store = await openStore(folder, now);
  await store.change((state) => void Object.assign(state.devices, { 'pi-1': deviceEntry('pi-1', 'one') }));
  const { digest } = tinyRelease('1.0.0').manifest;
  const send = (device: string, sequence: number, hour: number, change: Partial<WindowReport>) =>
    take(
      store,
      device,
      report(
        sequence,
        hour,
        { agreed: 10 },
        { production: digest, candidate: null, joint: null, ...alone(hour), ...change },
      ),
    );
  await send('pi-1', 1, 2, {
    frames: 100,
    adFrames: 25,
    latency: {
      production: [
        [16, 90],
        [24, 10],
      ],
      candidate: null,
    },
  });
  await send('pi-2', 1, 3, {
    slice: { channel: 'TWO', site: 'home', hardware: 'pi4' },
    frames: 300,
    adFrames: 75,
  });
  await send('pi-1', 5, 26, { frames: 10 });
  await store.close();
  const hub = await testHub(t, { folder, now });
  return { ...hub, token: first.token };
}
const alone = (hour: number): Partial<WindowReport> => {
  const { histograms } = report(1, hour, { agreed: 10 });
  return { histograms: { production: histograms.production, candidate: null } };
};

test('what a version did is read by day and hour, by channel and hardware, and in the shape that scripts know', async (t) => {
  const hub = await watched(t);
  const days = z.object({
    version: z.string(),
    days: z.array(summarySchema.extend({ day: z.string() })),
  });
  const read = async (query: string) => {
    const answer = days.parse(await callHub(hub, `${MODEL}/days?${query}`));
    return answer.days.map(({ day, devices, episodes }) => [day, devices, episodes]);
  };
  assert.deepEqual(await read('days=3'), [
    ['2025-12-31', 0, 0],
    ['2026-01-01', 2, 20],
    ['2026-01-02', 1, 10],
  ]);
  assert.deepEqual(await read('days=1&until=2026-01-01&channel=two'), [['2026-01-01', 1, 10]]);
  assert.deepEqual(await read('days=1&until=2026-01-01&hardware=pi5'), [['2026-01-01', 1, 10]]);
  const hours = z.object({ hours: z.array(summarySchema.extend({ hour: z.string() })) });
  const day = hours.parse(await callHub(hub, `${MODEL}/hours?day=2026-01-01`)).hours;
  assert.deepEqual(
    [day.length, ...day.filter(({ episodes }) => episodes > 0).map(({ hour }) => hour)],
    [24, '2026-01-01T02:00:00.000Z', '2026-01-01T03:00:00.000Z'],
  );
  const performance = z
    .record(z.string(), z.unknown())
    .parse(await callHub(hub, `${MODEL}/performance?days=1&until=2026-01-01&channel=one`));
  const { metrics, avg_inference_time_ms: latency, avg_confidence: confidence, ...rest } = performance;
  assert.deepEqual(rest, {
    model_name: 'base-ad-detector',
    version: '1.0.0',
    period_days: 1,
    total_inferences: 100,
    ad_detection_rate: 0.25,
  });
  assert.ok(Math.abs(Number(latency) - (90 * 2 ** 4.125 + 10 * 2 ** 6.125) / 100) < 1e-9);
  assert.deepEqual(metrics, {
    avg_inference_time_ms: latency,
    avg_confidence: confidence,
    total_inferences: 100,
    ad_detection_rate: 0.25,
  });
  assert.ok(Number(confidence) > 0.89 && Number(confidence) < 0.91, 'ten episodes at .1');
});

test('what a device sent and owed is read by day', async (t) => {
  const hub = await watched(t);
  const answer = await callHub(hub, '/api/v1/monitoring/devices/pi-1/days?days=2');
  const days = z.object({
    days: z.array(
      z.looseObject({
        day: z.string(),
        windows: z.int(),
        owed: z.int(),
        series: z.array(z.looseObject({ hours: z.array(z.int()) })),
      }),
    ),
  });
  assert.deepEqual(
    days
      .parse(answer)
      .days.map(({ day, windows, owed, series }) => [day, windows, owed, series.map(({ hours }) => hours)]),
    [
      ['2026-01-01', 1, 1, [[2]]],
      ['2026-01-02', 1, 1, [[2]]],
    ],
  );
});

test('what does not exist, cannot be asked or may not be seen is refused with its code', async (t) => {
  const hub = await testHub(t, { now });
  await publish(hub, '1.0.0');
  for (const [path, code] of [
    [`${MODEL}/days?days=101`, 'input_invalid'],
    [`${MODEL}/days?days=`, 'input_invalid'],
    [`${MODEL}/days?until=yesterday`, 'input_invalid'],
    [`${MODEL}/days?week=1`, 'input_invalid'],
    [`${MODEL}/days?version=9.0.0`, 'not_found'],
    ['/api/v1/monitoring/models/another/performance', 'not_found'],
    ['/api/v1/monitoring/devices/pi-9/days', 'not_found'],
    [`${MODEL}/drift`, 'not_implemented'],
    [`${MODEL}/health`, 'not_implemented'],
    ['/api/v1/monitoring/models/another/drift', 'not_found'],
  ] as const)
    await assert.rejects(callHub(hub, path), { code }, path);
  for (const path of [
    `${MODEL}/performance`,
    `${MODEL}/days`,
    `${MODEL}/hours`,
    `${MODEL}/drift`,
    `${MODEL}/health`,
    '/api/v1/monitoring/devices/pi-1/days',
  ])
    await assert.rejects(callHub({ ...hub, token: '' }, path), { code: 'unauthorized' }, path);
  assert.match(JSON.stringify(await callHub(hub, `${MODEL}/performance`)), /"avg_inference_time_ms":null/);
});
