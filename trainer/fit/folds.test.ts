import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import type { HeadSettings } from './examples.js';
import { crossValidate, type Grouped, partition } from './folds.js';

const SETTINGS: HeadSettings = {
  seed: 1,
  batchSize: 16,
  epochs: 20,
  warmupEpochs: 0,
  learningRate: 0.02,
  schedule: 'constant',
  weightDecay: 0,
  l2: 0,
  labelSmoothing: 0,
  classWeights: [1, 1],
  dropout: 0,
  mixup: 0,
  patience: 3,
};

/** One feature, which tells the classes apart in every recording but the last, where labels are exchanged. */
function recordings(names: readonly string[]): Grouped {
  const random = seeded('recordings');
  const groups = names.flatMap((name) => Array<string>(20).fill(name));
  const isAd = groups.map((_, i) => i % 2 === 0);
  const features = Float32Array.from(isAd, (ad, i) => {
    const exchanged = groups[i] === names.at(-1);
    return (ad !== exchanged ? 2 : -2) + random.normal() * 0.3;
  });
  return { width: 1, groups, isAd, features, views: [] };
}

describe('a cross-validation', () => {
  test('never divides a recording, and has each picture held back once', () => {
    const groups = Array.from({ length: 200 }, (_, i) => `r${Math.floor(i ** 0.5)}`);
    const parts = partition(groups, 4, 1) ?? [];
    assert.equal(parts.length, 4);
    assert.deepEqual(parts.flat().sort(), [...new Set(groups)].sort());
    const sizes = parts.map((names) => groups.filter((group) => names.includes(group)).length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) < 30, sizes.join());
    assert.deepEqual(partition(groups, 4, 1), parts);
  });
  test('is not to be had with fewer recordings than parts', () =>
    assert.equal(partition(['a', 'a', 'b'], 3, 1), null));
  test('shows the recording on which the others do not help', async () => {
    const names = ['a', 'b', 'c', 'odd'];
    const result = await crossValidate(
      recordings(names),
      names.map((name) => [name]),
      () => SETTINGS,
      5,
    );
    const accuracies = result.folds.map(({ accuracy }) => accuracy);
    assert.ok(
      accuracies.slice(0, 3).every((accuracy) => accuracy > 0.9),
      accuracies.join(),
    );
    assert.ok((accuracies[3] ?? 1) < 0.1, accuracies.join());
    assert.ok(Math.abs(result.accuracy.mean - 0.75) < 0.1 && result.accuracy.deviation > 0.3);
  });
});
