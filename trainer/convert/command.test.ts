import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { manifest } from '@adbreak/shared/contract/manifest.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import { MAIN } from '../testing/datasets.js';
import { writeScenes } from '../testing/pictures.js';

const SMALL = ['--architecture', 'mobilenet_v3_small', '--weights', 'random:1', '--input-size', '32'];
const converted = (...args: string[]) => {
  const done = spawnSync(process.execPath, [MAIN, 'convert', ...SMALL, ...args], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
};

test('a converted model of two classes has its manifest beside it, with what the Pi gets of test patterns', async () => {
  const folder = await temporaryFolder();
  await writeScenes(folder, { ad: 8, content: 0 });
  const said = converted(
    ...['--classes', '2', '--calibration', join(folder, 'ad'), '--name', 'mine', '--version', '2.3.4'],
    ...['--output', join(folder, 'out/model.tflite'), '--input-type', 'uint8', '--runtime', 'tflite'],
  );
  assert.match(said, /wrote .*out\/manifest\.json: mine 2\.3\.4, not measured yet/);
  const facts = manifest.parse(JSON.parse(await readFile(join(folder, 'out/manifest.json'), 'utf8')));
  const model = await readFile(join(folder, 'out/model.tflite'));
  assert.deepEqual(
    [facts.digest, facts.bytes, facts.architecture, facts.weights, facts.metrics.frames],
    [sha256(model), model.byteLength, 'mobilenet_v3_small', 'scratch', 0],
  );
  assert.deepEqual(facts.input, { type: 'uint8', shape: [1, 32, 32, 3] });
  assert.ok(facts.lineage);
  using classifier = new AdClassifier(await tfliteRuntime().open(model), facts.preprocess);
  assert.equal(facts.golden.length, 3);
  for (const { pattern, ad } of facts.golden)
    assert.equal(await classifier.adProbability(testPattern(pattern, 32, 32)), ad);
});

test('manifests of several models in one folder have their names; of what tells no two classes there is none', async () => {
  const folder = await temporaryFolder();
  const float = (name: string, ...args: string[]) =>
    converted('--quantize', 'none', '--output', join(folder, name), ...args);
  float('a.tflite', '--classes', '2');
  float('b.tflite', '--classes', '3');
  float('c.tflite', '--classes', '2', '--logits');
  float('d.tflite', '--headless');
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.json')),
    ['a.manifest.json'],
  );
  const { input, lineage } = manifest.parse(
    JSON.parse(await readFile(join(folder, 'a.manifest.json'), 'utf8')),
  );
  assert.equal(input.type, 'float32');
  assert.match(lineage?.parent ?? '', /^[0-9a-f]{64}$/);
});

test('what a conversion is made of, or would write twice, is refused before its work; so is a folder', async () => {
  const folder = await temporaryFolder();
  const weights = join(folder, 'w.safetensors');
  await writeFile(weights, 'mine');
  const model = join(folder, 'm.tflite');
  for (const [args, words] of [
    [
      ['--weights', weights, '--output', weights],
      /input_invalid: Cannot write .*w\.safetensors: it is named/,
    ],
    [['--output', model, '--report', model], /input_invalid: Cannot write .*m\.tflite: it is named/],
    [['--output', folder], /input_invalid: Cannot write .*: it is a folder/],
  ] as const) {
    const all = [MAIN, 'convert', ...SMALL, '--quantize', 'none', ...args];
    const done = spawnSync(process.execPath, all, { encoding: 'utf8' });
    assert.equal(done.status, 1, done.stdout);
    assert.match(done.stderr, words);
  }
  assert.deepEqual([await readdir(folder), await readFile(weights, 'utf8')], [['w.safetensors'], 'mine']);
});
