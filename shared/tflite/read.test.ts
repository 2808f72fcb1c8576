import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { seeded } from '../random.js';
import { tinyModel } from '../testing/tiny-model.js';
import { readModel } from './read.js';
import { writeModel } from './write.js';

test('what was written is read', () => {
  const model = tinyModel();
  const read = readModel(writeModel(model));
  assert.deepEqual(read.operatorCodes, model.operatorCodes);
  assert.deepEqual(
    read.buffers.map((b) => [...b]),
    model.buffers.map((b) => [...b]),
  );
  assert.deepEqual(read.subgraphs[0]?.tensors, model.subgraphs[0]?.tensors);
  assert.deepEqual(
    read.subgraphs[0]?.operators.map(({ inputs, outputs, code }) => ({ inputs, outputs, code })),
    model.subgraphs[0]?.operators.map(({ inputs, outputs, code }) => ({ inputs, outputs, code })),
  );
  assert.equal(read.description, 'brightness');
});

test('the same model gives the same bytes, read or made', () => {
  const bytes = writeModel(tinyModel());
  assert.deepEqual(writeModel(readModel(bytes)), bytes);
});

test('weights lie at multiples of 16 bytes', () => {
  const bytes = writeModel(tinyModel());
  for (const buffer of readModel(bytes).buffers.filter((b) => b.length > 0))
    assert.equal((buffer.byteOffset - bytes.byteOffset) % 16, 0);
});

test('3,000 damaged files end in a coded error or a model, never in anything else', () => {
  const seed = 7;
  const random = seeded(seed);
  const whole = writeModel(tinyModel());
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const file = Uint8Array.from(whole);
    for (let flips = 1 + random.integer(8); flips > 0; flips--)
      file[random.integer(file.length)] = random.integer(256);
    const cut = random.uniform() < 0.3 ? file.subarray(0, random.integer(file.length)) : file;
    try {
      readModel(cut);
    } catch (error) {
      assert.ok(error instanceof AdbreakError, `seed ${seed}, file ${i}: ${String(error)}`);
      refused += 1;
    }
  }
  assert.ok(refused > 500, `${refused} of 3000 were refused`);
});

test('a small file whose tables share one long vector cannot fill the memory', () => {
  const model = tinyModel();
  const [graph] = model.subgraphs;
  assert.ok(graph !== undefined);
  const long = {
    name: 'w',
    shape: [1],
    type: 'int8' as const,
    buffer: 0,
    quantization: {
      scale: Array<number>(60_000).fill(1),
      zeroPoint: Array<number>(60_000).fill(0),
      dimension: 0,
    },
  };
  const file = writeModel({
    ...model,
    subgraphs: [
      {
        ...graph,
        tensors: [
          ...graph.tensors,
          long,
          ...Array<typeof long>(400).fill({
            ...long,
            quantization: { scale: [1], zeroPoint: [0], dimension: 0 },
          }),
        ],
      },
    ],
  });
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // Every entry of the vector of tensors is made to name the one with the long vectors.
  const read = readModel(file);
  const count = read.subgraphs[0]?.tensors.length ?? 0;
  let vector = -1;
  for (let at = 0; at + 4 <= file.length && vector < 0; at += 4)
    if (view.getUint32(at, true) === count && at + 4 + 4 * count < file.length) vector = at;
  assert.ok(vector > 0);
  const at = (i: number) => vector + 4 + 4 * i;
  const target = at(graph.tensors.length) + view.getUint32(at(graph.tensors.length), true);
  for (let i = 0; i < count; i++) view.setUint32(at(i), target - at(i), true);
  assert.throws(
    () => readModel(file),
    (error: unknown) =>
      error instanceof AdbreakError &&
      error.code === 'model_corrupt' &&
      /fill the memory/.test(error.message),
  );
});
