import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import * as tf from '@tensorflow/tfjs-core';
import { foldBatchNorm } from '../../convert/optimise/fold.js';
import type { Graph } from '../../nn/graph.js';
import { mobileNetV3 } from '../../nn/mobilenet-v3.js';
import { numbersOf } from '../../nn/numbers.js';
import { compute } from '../../testing/oracle.js';
import { randomSource } from '../../weights/sources.js';
import { backendName, openBackend } from '../backend.js';
import { forward } from './forward.js';
import type { Layers } from './layers.js';
import { layersOf, slotsOf, tensorsOf } from './parameters.js';

// The suite that every backend passes; `make verify-tfjs-node` names the other one.
process.env['ADBREAK_BACKEND'] ??= 'wasm';
let layers: Layers;
before(async () => {
  const backend = await openBackend();
  assert.equal(backend.name, process.env['ADBREAK_BACKEND']);
  ({ layers } = backend);
});

const random = seeded('network');
const normal = (shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  );

/**
 * The slope of a weighted sum of the outputs along a few directions: by the gradient, and by going a little
 * each way.
 */
function agrees(what: string, layer: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]): void {
  const weights = normal(layer(...inputs).shape);
  const loss = (...given: tf.Tensor[]) => tf.sum(tf.mul(layer(...given), weights)) as tf.Scalar;
  const gradients = tf.grads(loss)(inputs);
  inputs.forEach((input, which) => {
    for (let trial = 0; trial < 3; trial++) {
      const direction = normal(input.shape);
      const moved = (step: number) =>
        inputs.map((one, i) => (i === which ? tf.add(one, tf.mul(direction, step)) : one));
      const at = (step: number) => loss(...moved(step)).dataSync()[0] ?? 0;
      const step = 2 ** -7;
      const slope = (at(step) - at(-step)) / (2 * step);
      const expected = tf.sum(tf.mul(gradients[which] ?? tf.scalar(0), direction)).dataSync()[0] ?? 0;
      const scale = Math.max(1, Math.abs(slope), Math.abs(expected));
      assert.ok(Math.abs(slope - expected) / scale < 0.02, `${what}, input ${which}: ${slope}, ${expected}`);
    }
  });
}

describe(`gradients on ${process.env['ADBREAK_BACKEND']}, as finite differences have them,`, () => {
  test('of a product', () =>
    tf.tidy(() =>
      agrees('product', (a, w) => layers.product(a as tf.Tensor2D, w as tf.Tensor2D), [
        normal([7, 5]),
        normal([3, 5]),
      ]),
    ));
  test('of a convolution, of every stride, padding and size', () => {
    for (const [size, kernel, stride, padding] of [
      [6, 1, 1, 'same'],
      [7, 3, 1, 'same'],
      [6, 3, 2, 'same'],
      [7, 3, 2, 'same'],
      [8, 5, 2, 'same'],
      [9, 3, 2, 'valid'],
      [8, 3, 2, 'valid'],
    ] as const)
      tf.tidy(() =>
        agrees(
          `convolution ${size} ${kernel} ${stride} ${padding}`,
          (x, w) => layers.convolution(x as tf.Tensor4D, w as tf.Tensor4D, { stride, padding }),
          [normal([2, size, size + 1, 3]), normal([4, kernel, kernel, 3])],
        ),
      );
  });
  test('of a depthwise convolution, of every stride, padding and size', () => {
    for (const [size, kernel, stride, padding] of [
      [7, 3, 1, 'same'],
      [6, 3, 2, 'same'],
      [7, 3, 2, 'same'],
      [8, 5, 1, 'same'],
      [8, 5, 2, 'same'],
      [9, 5, 2, 'same'],
      [10, 3, 2, 'valid'],
    ] as const)
      tf.tidy(() =>
        agrees(
          `depthwise ${size} ${kernel} ${stride} ${padding}`,
          (x, w) => layers.depthwise(x as tf.Tensor4D, w as tf.Tensor4D, { stride, padding }),
          [normal([2, size, size + 1, 4]), normal([1, kernel, kernel, 4])],
        ),
      );
  });
  test('of a batch normalization by its own statistics, which it tells', () =>
    tf.tidy(() => {
      const x: tf.Tensor4D = tf.add(tf.mul(normal([3, 4, 5, 2]), 2), tf.tensor1d([10, -3]));
      agrees(
        'batch normalization',
        (a, gamma, beta) =>
          layers.batchNorm(
            a as tf.Tensor4D,
            gamma as tf.Tensor1D,
            beta as tf.Tensor1D,
            1e-3,
            () => undefined,
          ),
        [x, normal([2]), normal([2])],
      );
      layers.batchNorm(x, tf.ones([2]), tf.zeros([2]), 1e-3, ({ mean, variance }) => {
        const { mean: m, variance: v } = tf.moments(x, [0, 1, 2]);
        for (const [own, theirs] of [
          [mean, m.dataSync()],
          [variance, v.dataSync()],
        ] as const)
          own.forEach((value, c) => assert.ok(Math.abs(value - (theirs[c] ?? 0)) < 1e-3));
      });
    }));
  test('of relu6 and hard swish', () =>
    tf.tidy(() => {
      // Away from their corners, where a difference of two sides is neither.
      const away = (...corners: number[]) => {
        const x = normal([4, 5, 5, 3]);
        const values = x.dataSync().map((value) => {
          const wide = 4 * value;
          return corners.some((corner) => Math.abs(wide - corner) < 0.2) ? wide + 0.4 : wide;
        });
        return tf.tensor(values, x.shape);
      };
      agrees('relu6', (x) => layers.relu6(x as tf.Tensor), [away(0, 6)]);
      const hardSwish = (x: tf.Tensor) => tf.mul(x, tf.mul(layers.relu6(tf.add(x, 3)), 1 / 6));
      agrees('hard swish', (x) => hardSwish(x as tf.Tensor), [away(-3, 3)]);
    }));
});

test('a network computes on it what it is defined to', () => {
  const side = 32;
  const graph = foldBatchNorm(
    mobileNetV3(randomSource(seeded('weights')), { variant: 'small', inputSize: side, classes: null }),
  );
  const image = Float32Array.from({ length: side * side * 3 }, () => random.normal());
  const expected = compute(graph, image).get('features') ?? new Float32Array(0);
  const features = featuresOf(graph, image, side);
  assert.equal(features.length, expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  features.forEach((value, i) => assert.ok(Math.abs(value - (expected[i] ?? 0)) < 1e-4 * scale));
});

function featuresOf(graph: Graph, image: Float32Array, side: number): Float32Array {
  return tf.tidy(() => {
    const slots = slotsOf(graph);
    const numbers = layersOf(slots, tensorsOf(slots, numbersOf(graph)));
    const pass = { layers, numbers, onStatistics: () => undefined };
    return Float32Array.from(forward(graph, tf.tensor4d(image, [1, side, side, 3]), pass).dataSync());
  });
}

describe('the choice of a backend', () => {
  test('is what was named, else what was built, and says what it is not', () => {
    assert.equal(backendName('wasm'), 'wasm');
    assert.equal(backendName('tfjs-node'), 'tfjs-node');
    process.env['ADBREAK_TFJS_NODE'] = '/nowhere';
    assert.equal(backendName('auto'), 'wasm');
    delete process.env['ADBREAK_TFJS_NODE'];
    assert.throws(() => backendName('cuda'), { code: 'input_invalid', message: /ADBREAK_BACKEND must be/ });
  });
  test('of what was not built is refused, with what builds it', () => {
    const program = `import(${JSON.stringify(new URL('../backend.js', import.meta.url).href)})
      .then((backend) => backend.openBackend())
      .catch((error) => console.log(error.code, error.remedy))`;
    const env = { ...process.env, ADBREAK_BACKEND: 'tfjs-node', ADBREAK_TFJS_NODE: '/nowhere' };
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
      env,
    });
    assert.match(stdout, /^runtime_unavailable Build it with `make tfjs-node`/);
  });
});
