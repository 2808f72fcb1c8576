import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import sharp from 'sharp';
import type { LabelledPicture, SampleSource, Split } from '../ports.js';
import { scenePicture, sceneVideo, writeScenes } from '../testing/pictures.js';
import { pixelsOf } from './picture.js';
import { prepare } from './prepare.js';
import { DEFAULT_RATIO } from './ratio.js';
import { openSamples } from './samples.js';
import { scaled } from './scaled.js';

const PREPROCESS = { width: 48, height: 32, scaler: 'area' } as const;

async function prepareIn(folder: string): Promise<string> {
  const output = join(folder, 'set');
  await prepare({
    source: join(folder, 'raw'),
    output,
    ratio: DEFAULT_RATIO,
    maxFrames: null,
    fps: 1,
    seed: 1,
    recordings: 'auto',
    labelFormat: 'csv',
    labelWords: {},
    force: false,
    onProgress: () => undefined,
  });
  return output;
}
async function readAll(source: SampleSource, split: Split): Promise<LabelledPicture[]> {
  const all: LabelledPicture[] = [];
  for await (const picture of source.read(split, PREPROCESS)) all.push(picture);
  return all;
}
/** A picture as the Pi would see it: ffmpeg's own decoder, the same scaler. */
function throughFfmpeg(path: string): Uint8Array {
  const { width, height, scaler } = PREPROCESS;
  const scale = `scale=${width}:${height}:flags=${scaler}+accurate_rnd`;
  const options = ['-v', 'error', '-i', path, '-vf', scale, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
  return spawnSync('ffmpeg', options).stdout;
}
/** A picture as a grabber hands it over: a JPEG with half the colours. */
async function asGrabbed(path: string, folder: string): Promise<string> {
  if (path.endsWith('.jpg')) return path;
  const grabbed = join(folder, 'grabbed.jpg');
  await sharp(path).jpeg({ quality: 100, chromaSubsampling: '4:2:0' }).toFile(grabbed);
  return grabbed;
}
/** Mean absolute difference, in levels of 0 to 255. */
function levelsApart(a: Uint8Array, b: Uint8Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}

describe('samples of a prepared data set', () => {
  test('are each picture once, with its label, the same at every reading, scaled as the Pi scales', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 12, content: 12 });
    // Of other sizes and formats in between: each is scaled from its own size.
    for (const [i, [width, height]] of [
      [321, 243],
      [640, 360],
      [48, 32],
      [34, 78],
    ].entries())
      await scenePicture(`odd ${i}`, width, height)
        .png()
        .toFile(join(folder, 'raw/ad', `odd${i}.png`));
    const source = await openSamples(await prepareIn(folder));
    let sum = 0;
    for (const split of ['train', 'val', 'test'] as const) {
      const first = await readAll(source, split);
      assert.equal(first.length, source.count(split));
      assert.deepEqual(await readAll(source, split), first);
      sum += first.length;
      for (const { isAd, picture, pixels } of first) {
        assert.equal(isAd, picture.path.includes('/ad/'));
        const apart = levelsApart(pixels, throughFfmpeg(await asGrabbed(picture.path, folder)));
        assert.ok(apart < 1.5, `${picture.path}: ${apart} levels`);
      }
    }
    assert.equal(sum, 28);
    assert.ok((source.count('calibration') ?? 0) > 0);
  });

  test('are refused by name when a picture changed or is gone', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 12, content: 12 });
    const output = await prepareIn(folder);
    const source = await openSamples(output);
    const [, second] = await readAll(source, 'train');
    await appendFile(second?.picture.path ?? '', 'x');
    const refused = (words: RegExp) => (error: unknown) =>
      error instanceof AdbreakError && error.code === 'dataset_invalid' && words.test(error.message);
    await assert.rejects(readAll(source, 'train'), refused(/set\/train\/.*has changed/));
    await rm(second?.picture.path ?? '');
    await assert.rejects(readAll(source, 'train'), refused(/set\/train\/.*is gone/));
    await rm(join(output, 'dataset.json'));
    await assert.rejects(openSamples(output), refused(/it has no dataset\.json/));
  });

  test('end with the signal, and are not taken for all', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 20, content: 20 });
    const source = await openSamples(await prepareIn(folder));
    const stop = new AbortController();
    const read = async () => {
      for await (const _ of source.read('train', PREPROCESS, stop.signal)) stop.abort();
    };
    await assert.rejects(read, { name: 'AbortError' });
  });
});

describe('samples of recordings', () => {
  const record = async (folder: string, split: string, name: string) => {
    const path = join(folder, split, name);
    const scenes = ['a', 'b', 'c', 'd'].map((part, i) => ({
      seed: `${split} ${name} ${part}`,
      seconds: 5,
      label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
    }));
    await mkdir(join(folder, split), { recursive: true });
    await writeFile(`${path}.csv`, formatLabels(await sceneVideo(`${path}.mkv`, scenes)));
  };

  test('are labelled frames under their own timestamps; groups are recordings, of one alone its spans', async () => {
    const folder = await temporaryFolder();
    for (const name of ['one', 'two', 'three']) await record(folder, 'train', name);
    await record(folder, 'val', 'four');
    await record(folder, 'test', 'five');
    const source = await openSamples(folder, { fps: 2 });
    assert.equal(source.count('train'), 120);
    const train = await readAll(source, 'train');
    assert.equal(train.length, 120);
    assert.deepEqual(
      new Set(train.map(({ group }) => group)),
      new Set(['train/one', 'train/three', 'train/two']),
    );
    for (const { isAd, picture } of train) assert.equal(isAd, Math.floor((picture.at ?? 0) / 5) % 2 === 1);
    assert.equal(new Set((await readAll(source, 'val')).map(({ group }) => group)).size, 4);
    assert.equal((await readAll(source, 'calibration')).length, 120);
  });

  test('of one name in two splits are two groups: channels are often called alike', async () => {
    const folder = await temporaryFolder();
    for (const split of ['train', 'val'])
      for (const name of ['one', 'two', 'three']) await record(folder, split, name);
    await record(folder, 'test', 'one');
    const source = await openSamples(folder, { fps: 1 });
    const groups = async (split: Split) => (await readAll(source, split)).map(({ group }) => group);
    const train = new Set(await groups('train'));
    assert.ok((await groups('val')).every((group) => !train.has(group)));
    assert.deepEqual(new Set(await groups('calibration')), train);
  });

  test('have another fingerprint when a label changes', async () => {
    const folder = await temporaryFolder();
    for (const split of ['train', 'val', 'test']) await record(folder, split, 'one');
    const before = (await openSamples(folder)).fingerprint;
    assert.equal((await openSamples(folder)).fingerprint, before);
    await writeFile(join(folder, 'val/one.csv'), 'start,end,label\n0,5,content\n5,19,ad\n');
    assert.notEqual((await openSamples(folder)).fingerprint, before);
  });
});

test('a picture in a recording and the same picture in a file become the same pixels', async () => {
  const folder = await temporaryFolder();
  const scenes = [0, 1, 2].map((i) => ({
    seed: `same ${i}`,
    seconds: 2,
    label: i === 1 ? ('ad' as const) : ('content' as const),
  }));
  await mkdir(join(folder, 'video/train'), { recursive: true });
  const spans = await sceneVideo(join(folder, 'video/train/a.mkv'), scenes);
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(folder, 'video', split), { recursive: true });
    await writeFile(join(folder, 'video', split, 'a.csv'), formatLabels(spans));
    if (split !== 'train') await sceneVideo(join(folder, 'video', split, 'a.mkv'), scenes);
  }
  const frames = await readAll(await openSamples(join(folder, 'video'), { fps: 1 }), 'train');
  const ad = frames.find(({ isAd }) => isAd);
  assert.ok(ad);
  const decoded = async function* () {
    yield pixelsOf(await scenePicture('same 1').png().toBuffer());
  };
  for await (const pixels of scaled(decoded(), PREPROCESS)) {
    // Between them lies a lossy encoder, and a range that ends at 235.
    const apart = levelsApart(ad.pixels, pixels);
    assert.ok(apart < 3, `${apart} levels`);
  }
});
