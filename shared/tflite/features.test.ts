import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../errors.js';
import { TINY_SIZE, tinyModel, tinyRelease } from '../testing/tiny-model.js';
import { AdClassifier } from './classifier.js';
import { withFeatures } from './features.js';
import { openRuntime } from './open.js';
import { writeModel } from './write.js';

test('a model gives the vector that its last dense layer reads, and p(ad) as before', async () => {
  const { file, manifest } = tinyRelease('1.0.0');
  const runtime = openRuntime('auto');
  using plain = new AdClassifier(await runtime.open(file), manifest.preprocess);
  using more = new AdClassifier(await runtime.open(withFeatures(file)), manifest.preprocess);
  const pixels = Uint8Array.from({ length: TINY_SIZE * TINY_SIZE * 3 }, (_, i) => [200, 127, 40][i % 3] ?? 0);
  const { probability, features } = await more.judge(pixels);
  assert.equal(probability, await plain.adProbability(pixels));
  // The tiny model's features are the means of its colours, (x - 127) / 128.
  [0.57, 0, -0.68].forEach((mean, i) =>
    assert.ok(Math.abs((features[i] ?? 9) - mean) < 0.02, features.join()),
  );
  assert.equal((await plain.judge(pixels)).features.length, 0);
});

test('a model that ends in no dense layer has no features to read', () => {
  const model = tinyModel();
  const [graph] = model.subgraphs;
  assert.ok(graph !== undefined);
  const pooled = {
    ...model,
    subgraphs: [{ ...graph, operators: graph.operators.slice(0, 1), outputs: [2] }],
  };
  assert.throws(
    () => withFeatures(writeModel(pooled)),
    (error: unknown) => hasCode(error, 'model_unsupported'),
  );
});
