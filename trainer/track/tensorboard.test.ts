import assert from 'node:assert/strict';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { z } from 'zod';
import { bucketsOf, curveOf } from './shapes.js';
import { tensorBoard } from './tensorboard.js';
import { epochRecord, HEADER, outcome } from './testing/run.js';

/** Made by TensorBoard's own messages and record writer: scripts/tracking/golden.py. */
const GOLDEN = new URL('../../track/testing/golden.json', import.meta.url);
const RUN = 'base-ad-detector/1.2.0/2026-11-01T12-00-00.000Z';
const AT = HEADER.startedAt;
const PARTS = ['', 'train', 'validation'] as const;

/** The event files of a part of the run, in the order in which readers take them. */
async function filesOf(folder: string, part: string): Promise<Buffer[]> {
  const names = (await readdir(join(folder, RUN, part))).filter((name) => name.includes('tfevents')).sort();
  return Promise.all(names.map((name) => readFile(join(folder, RUN, part, name))));
}

test('a run is, byte for byte, what TensorBoard itself would write', async () => {
  const golden = z.record(z.enum(PARTS), z.base64()).parse(JSON.parse(await readFile(GOLDEN, 'utf8')));
  const folder = await temporaryFolder();
  const tracker = tensorBoard(folder);
  await tracker.begin(HEADER, AT);
  await tracker.epoch(epochRecord(2), AT);
  await tracker.end(outcome(), AT);
  for (const part of PARTS) {
    const [file, ...others] = await filesOf(folder, part);
    assert.equal(others.length, 0);
    assert.equal(file?.toString('base64'), golden[part], part);
  }
});

test('an epoch is on the disk when it is over, and files only grow', async () => {
  const folder = await temporaryFolder();
  const tracker = tensorBoard(folder);
  await tracker.begin(HEADER);
  const seen: Buffer[] = [];
  for (let epoch = 1; epoch <= 3; epoch++) {
    await tracker.epoch(epochRecord(epoch));
    const [file = Buffer.alloc(0)] = await filesOf(folder, 'train');
    const before = seen.at(-1);
    if (before !== undefined) {
      assert.ok(file.length > before.length);
      assert.deepEqual(file.subarray(0, before.length), before);
    }
    seen.push(file);
  }
  await tracker.end(outcome());
});

test('a run that goes on has new files in the same folder, and leaves those before as they are', async () => {
  const folder = await temporaryFolder();
  const first = tensorBoard(folder);
  await first.begin(HEADER);
  await first.epoch(epochRecord(1));
  const [before] = await filesOf(folder, 'train');
  const second = tensorBoard(folder);
  await second.begin(HEADER);
  await second.epoch(epochRecord(2));
  const files = await filesOf(folder, 'train');
  assert.equal(files.length, 2);
  assert.deepEqual(files[0], before);
  for (const tracker of [first, second]) await tracker.end(outcome());
});

test('a full volume is said with the path, and a folder that is a file too', async (t) => {
  const volume = await smallVolume(t, 64);
  await writeFile(join(volume, 'full'), Buffer.alloc(60 * 1024));
  const tracker = tensorBoard(join(volume, 'logs'));
  await assert.rejects(
    tracker.begin({ ...HEADER, parameters: { long: 'x'.repeat(32_000) } }),
    (error: unknown) =>
      error instanceof AdbreakError && error.code === 'disk_full' && /tfevents/.test(error.message),
  );
  const file = join(await temporaryFolder(), 'file');
  await writeFile(file, '');
  await chmod(file, 0o600);
  await assert.rejects(tensorBoard(file).begin(HEADER), { code: 'ENOTDIR' });
});

test('a histogram has every finite value once, the largest one too', () => {
  const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 3);
  const buckets = bucketsOf(Float32Array.of(...values, Number.NaN, Number.POSITIVE_INFINITY));
  assert.equal(buckets.length, 90);
  let counted = 0;
  for (let i = 0; i < 30; i++) {
    const [left = 0, right = 0, count = 0] = buckets.subarray(3 * i);
    const inside = values.filter((value) => value >= left && (value < right || i === 29)).length;
    assert.ok(Math.abs(inside - count) <= 1, `bucket ${i}`);
    counted += count;
  }
  assert.equal(counted, 1000);
});

test('a curve of a split with one class, and of nothing, is numbers', () => {
  for (const scored of [[], [{ probability: 0.5, isAd: true }], [{ probability: 2, isAd: false }]])
    assert.ok(curveOf(scored).every(Number.isFinite));
});
