import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyModel } from '@adbreak/shared/testing/tiny-model.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import sharp from 'sharp';
import { convertFloat, convertInt8 } from '../convert/convert.js';
import { loadPictures } from '../dataset/pictures.js';
import { everything, SIZE } from '../testing/graphs.js';
import { compare, compareLayers } from './compare.js';
import { describeModel, inspect } from './inspect.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const adbreak = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
const NORMALIZATION = { mean: 127, std: 128 };
const random = seeded('inspect');
const graph = everything();
const pictures = Array.from({ length: 30 }, () => {
  const tone = random.integer(160);
  return Uint8Array.from({ length: SIZE * SIZE * 3 }, () => tone + random.integer(96));
});

test('inspection counts multiply-adds, finds what XNNPACK leaves, and names it', () => {
  const facts = inspect(tinyModel());
  assert.deepEqual(facts.left, ['SOFTMAX probabilities']);
  assert.equal(facts.partitions, 1);
  assert.equal(facts.multiplyAdds, 6);
  const lines = describeModel(tinyModel(), 1120);
  assert.match(lines.at(-2) ?? '', /XNNPACK: 1 partition; leaves 1 \(!\): 1 SOFTMAX/);
  const float = inspect(convertFloat(graph));
  assert.deepEqual([float.partitions, float.left], [1, []]);
});

test('names within a model act on no terminal', async () => {
  const path = join(await temporaryFolder(), 'm.tflite');
  const model = tinyModel();
  await writeFile(path, writeModel({ ...model, description: 'a\x1b[2J\nXNNPACK: takes everything' }));
  const { stdout } = adbreak('model', 'inspect', path);
  assert.match(stdout, /^a\\x1b\[2J\\x0aXNNPACK: takes everything$/m);
});

describe('comparison', () => {
  test('a model with itself is exact; with its INT8 it is close, layer by layer', async () => {
    const float = writeModel(convertFloat(graph));
    const int8 = writeModel(
      (await convertInt8(graph, tfliteRuntime(), pictures, { normalization: NORMALIZATION })).model,
    );
    const same = await compare([float, float], tfliteRuntime(), pictures, NORMALIZATION);
    assert.deepEqual([same.agreement, same.largestError, same.decibels], [1, 0, Number.POSITIVE_INFINITY]);
    const close = await compare([float, int8], tfliteRuntime(), pictures, NORMALIZATION);
    assert.ok(close.agreement > 0.85 && close.decibels > 20, JSON.stringify(close));
    const layers = await compareLayers([float, int8], tfliteRuntime(), pictures.slice(0, 4), NORMALIZATION);
    assert.ok(layers.length > 8 && layers.every(({ decibels }) => decibels > 10), JSON.stringify(layers));
  });
  test('no pictures, or outputs of unlike size, are refused', async () => {
    const float = writeModel(convertFloat(graph));
    await assert.rejects(compare([float, float], tfliteRuntime(), [], NORMALIZATION), AdbreakError);
    const shorter = writeModel(convertFloat({ ...graph, nodes: graph.nodes.slice(0, 2) }));
    await assert.rejects(
      compare([float, shorter], tfliteRuntime(), pictures, NORMALIZATION),
      (error: unknown) =>
        error instanceof AdbreakError && /first model has 4 outputs, the second 200/.test(error.message),
    );
  });
});

describe('pictures', () => {
  test('come from a folder, evenly spread, at the size asked for', async () => {
    const folder = await temporaryFolder();
    for (const [i, colour] of ['#ff0000', '#00ff00', '#0000ff', '#ffffff'].entries())
      await sharp({ create: { width: 20, height: 10, channels: 3, background: colour } })
        .png()
        .toFile(join(folder, `${i}.png`));
    const loaded = await loadPictures(folder, 8, 2);
    assert.deepEqual(
      loaded.map((pixels) => [pixels.length, ...pixels.slice(0, 3)]),
      [
        [192, 255, 0, 0],
        [192, 0, 0, 255],
      ],
    );
    await writeFile(join(folder, '9.png'), 'no picture');
    await assert.rejects(
      loadPictures(folder, 8, 9),
      (error: unknown) => error instanceof AdbreakError && /9\.png is none/.test(error.message),
    );
  });
  test('of a folder are its files: a pipe or a folder among them holds nothing up', async () => {
    const folder = await temporaryFolder();
    await sharp({ create: { width: 20, height: 10, channels: 3, background: '#ff0000' } })
      .png()
      .toFile(join(folder, '1.png'));
    execFileSync('mkfifo', [join(folder, '0.png')]);
    await mkdir(join(folder, '2.png'));
    assert.equal((await loadPictures(folder, 8, 9)).length, 1);
  });
  test('raw frames must fill their file; an empty folder and a missing one are named', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a.rgb'), new Uint8Array(2 * 192));
    assert.equal((await loadPictures(join(folder, 'a.rgb'), 8, 9)).length, 2);
    const refused = (path: string, size: number, words: RegExp) =>
      assert.rejects(
        loadPictures(path, size, 9),
        (error: unknown) => error instanceof AdbreakError && words.test(error.message),
      );
    await refused(join(folder, 'a.rgb'), 9, /must hold frames of 243 bytes/);
    await mkdir(join(folder, 'empty'));
    await refused(join(folder, 'empty'), 8, /holds none/);
    await refused(join(folder, 'nowhere'), 8, /does not exist/);
  });
});

test('a network goes from the command line to INT8, with labels and report, and compares with its float file', async () => {
  const folder = await temporaryFolder();
  const at = (name: string) => join(folder, name);
  await writeFile(
    at('frames.rgb'),
    Uint8Array.from({ length: 6 * 64 * 64 * 3 }, () => random.integer(256)),
  );
  await writeFile(at('labels.txt'), 'content\nad\n');
  const common = [
    'convert',
    '--architecture',
    'mobilenet_v3_small',
    '--weights',
    'random:1',
    '--classes',
    '2',
    '--input-size',
    '64',
  ];
  const int8 = adbreak(
    ...common,
    '--calibration',
    at('frames.rgb'),
    '--labels',
    at('labels.txt'),
    '--output',
    at('i.tflite'),
    '--report',
    at('r.json'),
  );
  assert.equal(int8.status, 0, int8.stderr);
  assert.match(int8.stdout, /XNNPACK takes it in 1 partition, leaving 1 operator/);
  assert.match(adbreak('model', 'inspect', at('i.tflite')).stdout, /labels: content, ad/);
  assert.equal(adbreak(...common, '--quantize', 'none', '--output', at('f.tflite')).status, 0);
  const compared = adbreak(
    'model',
    'compare',
    at('f.tflite'),
    at('i.tflite'),
    '--images',
    at('frames.rgb'),
    '--architecture',
    'mobilenet_v3_small',
    '--json',
  );
  assert.equal(compared.status, 0, compared.stderr);
  const facts: unknown = JSON.parse(compared.stdout);
  assert.ok(typeof facts === 'object' && facts !== null && 'images' in facts && facts.images === 6);
  for (const [args, words] of [
    [[...common, '--output', at('x.tflite')], /needs pictures to calibrate with/],
    [
      [...common, '--quantize', 'int9', '--output', at('x.tflite')],
      /Allowed choices are int8, float16, dynamic, none/,
    ],
    [
      [...common, '--method', 'percentile:2', '--output', at('x.tflite')],
      /must be minmax, mse, or percentile/,
    ],
    [['convert', '--architecture', 'vgg', '--output', at('x.tflite')], /must be one of efficientnet_lite0/],
  ] as const) {
    const { status, stderr } = adbreak(...args);
    assert.equal(status, 1);
    assert.match(stderr, words);
  }
});
