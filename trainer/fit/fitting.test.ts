import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { DEFAULT_CONFIG } from '../config/schema.js';
import type { SeenDeep } from './data.js';
import { crossValidated } from './fitting.js';

/** Pictures of recordings, with one feature that tells the classes apart; `isAd` by recording and picture. */
function seenIn(names: readonly string[], isAd: (recording: number, picture: number) => boolean): SeenDeep {
  const random = seeded(names.join());
  const labels = names.flatMap((_, i) => Array.from({ length: 20 }, (__, k) => isAd(i, k)));
  const examples = {
    width: 1,
    isAd: labels,
    features: Float32Array.from(labels, (ad) => (ad ? 2 : -2) + random.normal() * 0.3),
    views: [],
  };
  const samples = labels.map((ad, i) => ({
    isAd: ad,
    group: names[Math.floor(i / 20)] ?? '',
    source: 'a',
    picture: { path: 'a', at: i },
    hash: { high: 0, low: 0 },
  }));
  return { samples, features: examples, histograms: examples };
}

async function validated(isAd: (recording: number, picture: number) => boolean, hasSeen: boolean) {
  const said: string[] = [];
  const config = { ...DEFAULT_CONFIG, training: { ...DEFAULT_CONFIG.training, folds: 3 } };
  const [train, val] = [seenIn(['a', 'b', 'c'], isAd), seenIn(['d', 'e', 'f'], isAd)];
  const result = await crossValidated(
    train,
    val,
    { epochs: 3, hasSeen },
    { config, say: (line) => said.push(line) },
  );
  return { result, said: said.join('\n') };
}

describe('the configured cross-validation', () => {
  test('says that it is too good where the network has learnt from what is held back', async () => {
    const mixed = (_: number, picture: number) => picture % 2 === 0;
    const frozen = await validated(mixed, false);
    assert.deepEqual([frozen.result?.folds.length, frozen.result?.optimistic], [3, false]);
    assert.doesNotMatch(frozen.said, /too good/);
    const tuned = await validated(mixed, true);
    assert.equal(tuned.result?.optimistic, true);
    assert.match(tuned.said, /it is of the head alone: the network has learnt from these pictures/);
  });
  test('of parts that lack a class is none, and never an accuracy of nothing', async () => {
    const { result, said } = await validated(() => true, false);
    assert.equal(result, null);
    assert.match(said, /no cross-validation: 3 of 3 parts, or what is left without them, lack ad or content/);
  });
});
