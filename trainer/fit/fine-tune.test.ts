import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { DEFAULT_CONFIG, type TrainingConfig } from '../config/schema.js';
import type { Dataset } from '../dataset/recordings.js';
import { samplesOfRecordings } from '../dataset/samples.js';
import type { Port } from '../nn/layers.js';
import { numbersOf } from '../nn/numbers.js';
import { randomSource } from '../weights/sources.js';
import { fineTuned, placesOf, tunedBy } from './fine-tune.js';
import { follow } from './follow.js';
import { type Backbone, graphOf } from './networks.js';

const PREPROCESS = { width: 32, height: 32, scaler: 'area' } as const;
const NOTHING: Dataset = { train: [], val: [], test: [] };
const { training, conversion } = DEFAULT_CONFIG;

test('a tuned network follows from its form, numbers and settings, not from what is behind it', async () => {
  const samples = await samplesOfRecordings(NOTHING);
  const networkOf = (port: Port) =>
    graphOf('mobilenet_v3_small', randomSource(seeded('weights')), PREPROCESS, port);
  const by = (config: TrainingConfig, port: Port = 'tensorflow', place = 'blocks.10') =>
    JSON.stringify(tunedBy(place, { graph: networkOf(port) }, { config, samples, preprocess: PREPROCESS }));
  const tuned = by(DEFAULT_CONFIG);
  for (const same of [
    { ...DEFAULT_CONFIG, conversion: { ...conversion, equalize: true } },
    { ...DEFAULT_CONFIG, training: { ...training, folds: 5, threads: 2 } },
    {
      ...DEFAULT_CONFIG,
      training: { ...training, fine_tuning: { ...training.fine_tuning, from: ['blocks.10', 'all'] } },
    },
  ])
    assert.equal(by(same), tuned);
  for (const other of [
    { ...DEFAULT_CONFIG, training: { ...training, seed: 2 } },
    { ...DEFAULT_CONFIG, training: { ...training, l2: 0.01 } },
    {
      ...DEFAULT_CONFIG,
      training: { ...training, fine_tuning: { ...training.fine_tuning, epochs: 9 } },
    },
  ])
    assert.notEqual(by(other), tuned);
  assert.notEqual(by(DEFAULT_CONFIG, 'tensorflow', 'all'), tuned);
  // The same numbers, imported as those of another port, are another network.
  assert.deepEqual(numbersOf(networkOf('torch')), numbersOf(networkOf('tensorflow')));
  assert.notEqual(by(DEFAULT_CONFIG, 'torch'), tuned);
});

test('auto tunes all of pretrained weights on TensorFlow’s kernels, nothing else, and says why it does not', () => {
  const asked = (weights: 'pretrained' | 'distilled', backend: string, from: string | null = 'auto') => {
    const said: string[] = [];
    const fine_tuning = { ...training.fine_tuning, from };
    const config = { ...DEFAULT_CONFIG, training: { ...training, fine_tuning } };
    process.env['ADBREAK_BACKEND'] = backend;
    return [placesOf({ weights }, { config, say: (line) => said.push(line) }), said.length];
  };
  const before = process.env['ADBREAK_BACKEND'];
  try {
    assert.deepEqual(asked('pretrained', 'tfjs-node'), [['all'], 0]);
    assert.deepEqual(asked('pretrained', 'wasm'), [[], 1]);
    assert.deepEqual(asked('distilled', 'tfjs-node'), [[], 0]);
    assert.deepEqual(asked('distilled', 'wasm', 'all'), [['all'], 0]);
    assert.deepEqual(asked('pretrained', 'tfjs-node', null), [[], 0]);
  } finally {
    if (before === undefined) delete process.env['ADBREAK_BACKEND'];
    else process.env['ADBREAK_BACKEND'] = before;
  }
});

test('where auto tunes nothing the network is the very one that was given: it has seen none of the pictures', async () => {
  const say = () => undefined;
  const fine_tuning = { ...training.fine_tuning, from: 'auto' };
  const base: Backbone = {
    graph: graphOf('mobilenet_v3_small', randomSource(seeded('weights')), PREPROCESS),
    ...{ architecture: 'mobilenet_v3_small', weights: 'distilled', normalization: { mean: 127, std: 128 } },
  };
  const given = await fineTuned(base, {
    config: { ...DEFAULT_CONFIG, training: { ...training, fine_tuning } },
    samples: await samplesOfRecordings(NOTHING),
    ...{ runtime: tfliteRuntime(), preprocess: PREPROCESS, tracker: follow([], say, say), say },
  });
  assert.equal(given, base);
});
