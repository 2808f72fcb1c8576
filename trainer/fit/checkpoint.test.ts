import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { readCheckpoint, removeCheckpoint, writeCheckpoint } from './checkpoint.js';
import type { FitState } from './fit-state.js';

const BINDING = { 'training.epochs': '30', 'training.seed': '1', 'the data set': 'abc' };
const STATE: FitState = {
  epoch: 3,
  bestEpoch: 2,
  bestLoss: 0.4375,
  values: Float32Array.of(1, -0, 3.5),
  first: Float32Array.of(0.1, 0.2, 0.3),
  second: Float32Array.of(1e-9, 2, 3),
  best: Float32Array.of(7, 8, 9),
  history: [
    {
      stage: 'head',
      epoch: 3,
      epochs: 30,
      trainLoss: 0.5,
      trainAccuracy: 0.75,
      validationLoss: 0.4375,
      validationAccuracy: 0.8,
      learningRate: 1e-3,
      seconds: 0.25,
    },
  ],
};

const refused = (reading: Promise<unknown>, code: ErrorCode, words: RegExp) =>
  assert.rejects(
    reading,
    (error: unknown) => error instanceof AdbreakError && error.code === code && words.test(error.message),
  );

test('a checkpoint gives back every bit of a state, and nothing where there is none', async () => {
  const path = join(await temporaryFolder(), 'checkpoint.bin');
  assert.equal(await readCheckpoint(path, BINDING), null);
  await writeCheckpoint(path, BINDING, STATE);
  assert.deepEqual(await readCheckpoint(path, BINDING), STATE);
  await removeCheckpoint(path);
  assert.equal(await readCheckpoint(path, BINDING), null);
});

test('a checkpoint of another training is refused with what differs', async () => {
  const path = join(await temporaryFolder(), 'checkpoint.bin');
  await writeCheckpoint(path, BINDING, STATE);
  await refused(
    readCheckpoint(path, { ...BINDING, 'training.epochs': '40' }),
    'conflict',
    /training\.epochs was 30, now 40/,
  );
  const { 'training.seed': _, ...fewer } = BINDING;
  await refused(readCheckpoint(path, fewer), 'conflict', /training\.seed was 1, now gone/);
});

test('a checkpoint of very many recordings is gone on from, and other ones are told in short', async () => {
  const path = join(await temporaryFolder(), 'checkpoint.bin');
  const listOf = (first: number) =>
    JSON.stringify(Array.from({ length: 10_000 }, (_, i) => `${'evening '.repeat(20)}${first + i}`));
  const binding = { ...BINDING, 'dataset.only': listOf(0) };
  await writeCheckpoint(path, binding, STATE);
  assert.deepEqual(await readCheckpoint(path, binding), STATE);
  await assert.rejects(
    readCheckpoint(path, { ...binding, 'dataset.only': listOf(1) }),
    (error: unknown) =>
      error instanceof AdbreakError && error.code === 'conflict' && error.message.length < 1000,
  );
});

test('a damaged checkpoint is refused, wherever the damage is', async () => {
  const path = join(await temporaryFolder(), 'checkpoint.bin');
  await writeCheckpoint(path, BINDING, STATE);
  const good = await readFile(path);
  for (const at of [0, 40, good.length - 1]) {
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
    await writeFile(path, bad);
    await refused(readCheckpoint(path, BINDING), 'state_corrupt', /is damaged/);
  }
  for (const bytes of [good.subarray(0, good.length - 4), Buffer.alloc(0), Buffer.from('{}\n')]) {
    await writeFile(path, bytes);
    await refused(readCheckpoint(path, BINDING), 'state_corrupt', /is damaged/);
  }
});
