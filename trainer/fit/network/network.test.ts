import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import * as tf from '@tensorflow/tfjs-core';
import { countMultiplyAdds } from '../../nn/graph.js';
import { mobileNetV3 } from '../../nn/mobilenet-v3.js';
import { numbersOf, withNumbers } from '../../nn/numbers.js';
import type { EpochRecord } from '../../ports.js';
import { everything } from '../../testing/graphs.js';
import { compute } from '../../testing/oracle.js';
import { randomSource } from '../../weights/sources.js';
import { openBackend } from '../backend.js';
import type { FitState } from '../fit-state.js';
import { fitNetwork, type NetworkSettings } from './fit-network.js';
import { batchNorm, convolution, depthwise, product } from './gradients.js';
import type { Lesson } from './network.js';

const random = seeded('network');
const normal = (shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  );

before(() => openBackend());

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

describe('gradients on this backend, as finite differences have them', () => {
  test('of a product', () =>
    tf.tidy(() =>
      agrees('product', (a, w) => product(a as tf.Tensor2D, w as tf.Tensor2D), [
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
          (x, w) => convolution(x as tf.Tensor4D, w as tf.Tensor4D, { stride, padding }),
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
          (x, w) => depthwise(x as tf.Tensor4D, w as tf.Tensor4D, { stride, padding }),
          [normal([2, size, size + 1, 4]), normal([1, kernel, kernel, 4])],
        ),
      );
  });
  test('of a batch normalization by its own statistics, which it tells', () =>
    tf.tidy(() => {
      const x = tf.add(tf.mul(normal([3, 4, 5, 2]), 2), tf.tensor1d([10, -3]));
      agrees(
        'batch normalization',
        (a, gamma, beta) =>
          batchNorm(a ?? x, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-3, () => undefined),
        [x, normal([2]), normal([2])],
      );
      batchNorm(x, tf.ones([2]), tf.zeros([2]), 1e-3, ({ mean, variance }) => {
        const { mean: m, variance: v } = tf.moments(x, [0, 1, 2]);
        for (const [own, theirs] of [
          [mean, m.dataSync()],
          [variance, v.dataSync()],
        ] as const)
          own.forEach((value, c) => assert.ok(Math.abs(value - (theirs[c] ?? 0)) < 1e-3));
      });
    }));
});

test('numbers of a graph go out and in again; too few are refused', () => {
  const graph = everything();
  const numbers = numbersOf(graph);
  const doubled = withNumbers(
    graph,
    numbers.map((value) => value * 2),
  );
  assert.deepEqual(
    numbersOf(doubled),
    numbers.map((value) => value * 2),
  );
  assert.equal(countMultiplyAdds(doubled), countMultiplyAdds(graph));
  assert.throws(() => withNumbers(graph, numbers.subarray(1)), /numbers/);
});

describe('a network', () => {
  const SIZE = 32;
  const graph = () =>
    mobileNetV3(randomSource(seeded('weights')), { variant: 'small', inputSize: SIZE, classes: null });
  /** Brightness on the left or on the right: nothing that a histogram could tell. */
  const lessons = (count: number, seed: string): Lesson[] => {
    const draw = seeded(seed);
    return Array.from({ length: count }, (_, i) => {
      const target = i % 2;
      const picture = Float32Array.from({ length: SIZE * SIZE * 3 }, (__, p) => {
        const left = ((p / 3) | 0) % SIZE < SIZE / 2;
        return (left === (target === 1) ? 0.4 : -0.5) + 0.3 * draw.uniform();
      });
      return { fill: (batch, at) => batch.set(picture, at), target, features: null };
    });
  };
  const SETTINGS: NetworkSettings = {
    stage: 'all',
    seed: 1,
    batchSize: 8,
    epochs: 4,
    warmupEpochs: 1,
    learningRate: 0.003,
    schedule: 'cosine',
    patience: null,
  };
  const HELD = lessons(16, 'held');

  test('learns from nothing, leaks no tensor, and goes on from any epoch to the same bytes', {
    timeout: 120_000,
  }, async () => {
    const states: FitState[] = [];
    const tensors: number[] = [];
    const whole = await fitNetwork(graph(), lessons(48, 'lessons'), HELD, SETTINGS, {
      onEpoch: (_, state) => {
        states.push(state);
        tensors.push(tf.memory().numTensors);
      },
    });
    const losses = states.at(-1)?.history.map(({ trainLoss }) => trainLoss) ?? [];
    assert.ok((losses.at(-1) ?? 1) < 0.5 * (losses[0] ?? 0), losses.join());
    assert.equal(new Set(tensors).size, 1, tensors.join());
    const [, second] = states;
    assert.ok(second);
    const resumed = await fitNetwork(graph(), lessons(48, 'lessons'), HELD, SETTINGS, { from: second });
    assert.deepEqual(numbersOf(resumed), numbersOf(whole));
  });
  test('takes over what a teacher sees, and computes afterwards what converters will', {
    timeout: 120_000,
  }, async () => {
    const noise = seeded('teacher');
    const after = lessons(48, 'lessons').map(({ fill, target }) => ({
      fill,
      target: 0.1 + 0.8 * target,
      features: Float32Array.of(target * 2 - 1, 1 - target * 2, noise.normal() * 0.01),
    }));
    let last: EpochRecord | undefined;
    const student = await fitNetwork(graph(), after, HELD, SETTINGS, {
      onEpoch: (record) => {
        last = record;
      },
    });
    assert.ok((last?.trainLoss ?? 9) < 1.2, String(last?.trainLoss));
    const image = new Float32Array(SIZE * SIZE * 3);
    HELD[0]?.fill(image, 0);
    assert.ok(compute(student, image).get('features')?.every(Number.isFinite));
  });
  test('that begins with a read-out stays as it was where no epoch makes it better', async () => {
    const start = graph();
    // It says one half of everything; whoever learns labels that were exchanged is worse than that.
    const readOut = { kernel: new Float32Array(2 * 576), bias: new Float32Array(2) };
    const wrong = lessons(16, 'lessons').map((lesson) => ({ ...lesson, target: 1 - lesson.target }));
    const settings = { ...SETTINGS, epochs: 2, learningRate: 0.05 };
    const after = await fitNetwork(start, wrong, HELD, settings, { readOut });
    assert.deepEqual(numbersOf(after), numbersOf(start));
  });
  test('whose loss is no number stops and says where', async () => {
    await assert.rejects(
      fitNetwork(graph(), lessons(16, 'lessons'), HELD, { ...SETTINGS, learningRate: 1e30, epochs: 9 }),
      /the loss is no number any more, in the network's epoch \d+, (batch \d of 2|on validation)/,
    );
  });
});
