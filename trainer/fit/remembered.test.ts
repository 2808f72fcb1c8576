import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { withFeatures } from '@adbreak/shared/tflite/features.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { convertToInt8 } from '../convert/convert.js';
import { type Graph, isFiltered } from '../nn/graph.js';
import { everything, SIZE } from '../testing/graphs.js';
import { openRemembering } from './remembered.js';

const random = seeded('remembered');
const graph = everything();
const pictures = Array.from({ length: 20 }, () =>
  Uint8Array.from({ length: SIZE * SIZE * 3 }, () => random.integer(256)),
);

/** Of the network with its last layer times a factor. */
function int8(factor: number): Promise<Uint8Array> {
  const last = graph.nodes.findLast(isFiltered)?.name;
  const nodes = graph.nodes.map((node) =>
    isFiltered(node) && node.name === last
      ? { ...node, kernel: { ...node.kernel, data: node.kernel.data.map((value) => value * factor) } }
      : node,
  );
  const other: Graph = { ...graph, nodes };
  return convertToInt8(other, tfliteRuntime(), pictures, { normalization: { mean: 127, std: 128 } });
}

/** The real runtime, which counts runs of models with two outputs: whole ones. */
function counting(): { runtime: TfliteRuntime; runs: () => number } {
  const real = tfliteRuntime();
  let runs = 0;
  const runtime: TfliteRuntime = {
    name: real.name,
    version: real.version,
    open: async (file, options) => {
      const opened = await real.open(file, options);
      return {
        inputs: opened.inputs,
        outputs: opened.outputs,
        invoke: (inputs) => {
          runs += opened.outputs.length === 2 ? 1 : 0;
          return opened.invoke(inputs);
        },
        [Symbol.dispose]: () => opened[Symbol.dispose](),
      };
    },
  };
  return { runtime, runs: () => runs };
}

async function answers(file: Uint8Array, cache: string) {
  const { runtime, runs } = counting();
  using opened = await openRemembering(file, runtime, { threads: 1, cache });
  const all: Buffer[] = [];
  for (const picture of pictures)
    all.push(Buffer.concat(await opened.interpreter.invoke([picture.map((value) => value ^ 128)])));
  await opened.save();
  return { all, runs: runs() };
}
async function plainAnswers(file: Uint8Array): Promise<Buffer[]> {
  using interpreter = await tfliteRuntime().open(withFeatures(file));
  const all: Buffer[] = [];
  for (const picture of pictures)
    all.push(Buffer.concat(await interpreter.invoke([picture.map((value) => value ^ 128)])));
  return all;
}

test('a file with another head answers byte for byte as it would, and runs whole for a few pictures', async () => {
  const cache = await temporaryFolder();
  const [one, other] = [await int8(1), await int8(-3)];
  const first = await answers(one, cache);
  assert.equal(first.runs, pictures.length);
  assert.deepEqual(first.all, await plainAnswers(one));
  const second = await answers(other, cache);
  assert.equal(second.runs, 8);
  assert.deepEqual(second.all, await plainAnswers(other));
  assert.notDeepEqual(second.all, first.all);
});
