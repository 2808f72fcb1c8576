import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { convertToInt8 } from '../convert/convert.js';
import { type Graph, isFiltered } from '../nn/graph.js';
import { everything, SIZE } from '../testing/graphs.js';
import { keptObserved } from './observed.js';

const NORMALIZATION = { mean: 127, std: 128 };
const random = seeded('observed');
/** Drawn once: each call gives other weights. */
const graph = everything();
const pictures = Array.from({ length: 6 }, () =>
  Uint8Array.from({ length: SIZE * SIZE * 3 }, () => random.integer(256)),
);

/** The same network with another last layer. */
function withHead(of: Graph, factor: number): Graph {
  const last = of.nodes.findLast(isFiltered)?.name;
  return {
    ...of,
    nodes: of.nodes.map((node) =>
      isFiltered(node) && node.name === last
        ? { ...node, kernel: { ...node.kernel, data: node.kernel.data.map((value) => value * factor) } }
        : node,
    ),
  };
}

/** The INT8 file, and how often the pictures were looked at for it. */
async function converted(of: Graph, cache: string | null, given = pictures) {
  let made = 0;
  const file = await convertToInt8(of, tfliteRuntime(), given, {
    normalization: NORMALIZATION,
    ...(cache !== null && {
      keep: (key, make) =>
        keptObserved(cache, key, () => {
          made += 1;
          return make();
        }),
    }),
  });
  return { file: Buffer.from(file), made };
}

test('what calibration saw holds for another head: the same file, without another look', async () => {
  const cache = await temporaryFolder();
  const other = withHead(graph, -3);
  const first = await converted(graph, cache);
  const second = await converted(other, cache);
  assert.deepEqual([first.made, second.made], [1, 0]);
  assert.deepEqual(first.file, (await converted(graph, null)).file);
  assert.deepEqual(second.file, (await converted(other, null)).file);
  assert.notDeepEqual(second.file, first.file);
});

test('other pictures, another network and another order of the pictures are looked at', async () => {
  const cache = await temporaryFolder();
  await converted(graph, cache);
  assert.equal((await converted(graph, cache, pictures.slice(1))).made, 1);
  assert.equal((await converted(graph, cache, pictures.toReversed())).made, 1);
  const nodes = graph.nodes.map((node, i) => {
    if (!isFiltered(node) || graph.nodes.findIndex(isFiltered) !== i) return node;
    return { ...node, kernel: { ...node.kernel, data: node.kernel.data.map((value) => value + 0.01) } };
  });
  assert.equal((await converted({ ...graph, nodes }, cache)).made, 1);
  assert.equal((await converted(graph, cache)).made, 0);
});

test('what is kept is made anew where it is short, damaged, or of another form', async () => {
  const cache = await temporaryFolder();
  const { file } = await converted(graph, cache);
  const path = join(cache, (await readdir(cache))[0] ?? '');
  const good = await readFile(path);
  const flipped = Buffer.from(good);
  flipped.writeUInt8(flipped.readUInt8(good.length - 9) ^ 1, good.length - 9);
  for (const [what, bytes] of [
    ['short', good.subarray(0, good.length - 8)],
    ['one bit flipped', flipped],
    ['empty', Buffer.alloc(0)],
    ['another form', Buffer.from('{"facts":{"nodes":-1},"sha256":""}\n')],
  ] as const) {
    await writeFile(path, bytes);
    const again = await converted(graph, cache);
    assert.equal(again.made, 1, what);
    assert.deepEqual(again.file, file, what);
    assert.deepEqual(await readFile(path), good, what);
  }
});
