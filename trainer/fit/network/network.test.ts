import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import * as tf from '@tensorflow/tfjs-core';
import { foldBatchNorm } from '../../convert/optimise/fold.js';
import { countMultiplyAdds, isFiltered } from '../../nn/graph.js';
import { mobileNetV3 } from '../../nn/mobilenet-v3.js';
import { numbersOf, withNumbers } from '../../nn/numbers.js';
import type { EpochRecord } from '../../ports.js';
import { everything } from '../../testing/graphs.js';
import { compute } from '../../testing/oracle.js';
import { randomSource } from '../../weights/sources.js';
import { openBackend } from '../backend.js';
import type { FitState } from '../fit-state.js';
import { fitNetwork, type NetworkSettings } from './fit-network.js';
import { type Lesson, Network } from './network.js';

// `make verify-tfjs-node` names the other one.
process.env['ADBREAK_BACKEND'] ??= 'wasm';
before(() => openBackend());

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
  test('has the statistics of the first batch after it, and not what it began with', async () => {
    const { layers } = await openBackend();
    const network = new Network(graph(), 0, layers);
    const values = network.initial(1);
    const { statistics } = network.gradient(values, lessons(8, 'lessons'));
    network.countStatistics(values, statistics, 1);
    const normalized = network.graphOf(values).nodes.filter(isFiltered);
    assert.ok(statistics.size > 10);
    for (const { name, batchNorm } of normalized) {
      const found = statistics.get(name);
      if (found === undefined) continue;
      assert.deepEqual([batchNorm?.mean, batchNorm?.variance], [found.mean, found.variance], name);
    }
  });
  test('gives the same gradient where a batch does not fit into memory at once', async () => {
    const { layers } = await openBackend();
    const folded = foldBatchNorm(graph());
    const batch = lessons(8, 'lessons');
    const [whole, parts] = [layers.outputBytes, 1].map((outputBytes) => {
      const network = new Network(folded, 0, { ...layers, outputBytes });
      const { loss, right } = network.gradient(network.initial(1), batch);
      return { loss, right, sums: network.sums };
    });
    assert.ok(whole && parts);
    assert.ok(Math.abs(whole.loss - parts.loss) < 1e-5);
    assert.equal(parts.right, whole.right);
    const scale = whole.sums.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    whole.sums.forEach((value, i) => assert.ok(Math.abs(value - (parts.sums[i] ?? 0)) < 1e-4 * scale));
    assert.notDeepEqual(parts.sums, whole.sums);
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
