import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { greyVideo, smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DEFAULT_CONFIG } from '../config/schema.js';
import type { Recording } from '../dataset/recordings.js';
import { samplesOfRecordings } from '../dataset/samples.js';
import type { SampleSource } from '../ports.js';
import { histogramExtractor, pixelExtractor } from './extractors.js';
import { FeatureStore } from './feature-store.js';
import { featuresOf, shelfOf } from './features.js';

const PREPROCESS = { width: 8, height: 8, scaler: 'area' } as const;
/** Two a second; each part has another level, so that no picture is there twice. */
const PARTS = 20;
const FRAMES = 2 * PARTS;

/** Whole by its seal, and yet none of what was kept. */
function sealedNonsense(good: Buffer): Buffer {
  const facts = good.subarray(good.indexOf('{'), good.indexOf('\n') + 1);
  const content = Buffer.concat([facts, Buffer.from('{')]);
  return Buffer.concat([Buffer.from(`${sha256(content)} `), content]);
}

async function recordingIn(folder: string): Promise<Recording> {
  const video = join(folder, 'a.mkv');
  greyVideo(
    video,
    Array.from({ length: PARTS }, (_, i) => ({ level: 16 + 10 * i, seconds: 1 })),
  );
  const half = PARTS / 2;
  return {
    name: 'a',
    video,
    spans: [
      { start: 0, end: half, label: 'content' },
      { start: half, end: 2 * half, label: 'ad' },
    ],
  };
}
const samplesOf = (recording: Recording) =>
  samplesOfRecordings({ train: [recording], val: [], test: [] }, { fps: 2 });

async function extract(
  samples: SampleSource,
  cache: string,
  { stopAt, views = 0 }: { stopAt?: number; views?: number } = {},
) {
  const stop = new AbortController();
  let [read, computed] = [0, 0];
  const counted: SampleSource = {
    ...samples,
    async *read(...asked) {
      for await (const picture of samples.read(...asked)) {
        read += 1;
        if (read === stopAt) stop.abort();
        yield picture;
      }
    },
  };
  const histogram = histogramExtractor();
  const extractor = {
    ...histogram,
    extract: (pixels: Uint8Array) => {
      computed += 1;
      return histogram.extract(pixels);
    },
  };
  const { augmentation } = DEFAULT_CONFIG.training;
  const features = await featuresOf('train', [{ extractor, views, augmentation }], {
    samples: counted,
    preprocess: PREPROCESS,
    cache,
    say: () => undefined,
    signal: stop.signal,
  });
  const [rows = []] = features.of;
  return {
    cost: { read, computed },
    pictures: features.samples.length,
    ads: features.samples.filter(({ isAd }) => isAd).length,
    paths: [...new Set(features.samples.map(({ picture }) => picture.path))],
    digests: rows.map((view) => sha256(new Uint8Array(view.buffer))),
  };
}

describe('features of a split', () => {
  test('interrupted at any picture are whole the next time, and only what is missing is computed', async () => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const { cost, ...whole } = await extract(samples, join(folder, 'undisturbed'));
    assert.deepEqual([whole.pictures, whole.ads], [FRAMES, FRAMES / 2]);
    for (const stopAt of [1, 2, 7, 19, 33, FRAMES]) {
      const cache = join(folder, `cache-${stopAt}`);
      await assert.rejects(extract(samples, cache, { stopAt }), { name: 'AbortError' }, `at ${stopAt}`);
      const { cost: again, ...result } = await extract(samples, cache);
      assert.deepEqual(result, whole, `after a stop at picture ${stopAt}`);
      assert.ok(again.computed <= Math.max(0, cost.computed - stopAt / 2 + 1), `${again.computed} computed`);
    }
  });
  test('are neither read nor computed a second time', async () => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const { cost: _, ...first } = await extract(samples, join(folder, 'cache'));
    const { cost, ...second } = await extract(samples, join(folder, 'cache'));
    assert.deepEqual(second, first);
    assert.deepEqual(cost, { read: 0, computed: 0 });
  });
  test('of augmented views are kept, too; more views cost only themselves', async () => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const cache = join(folder, 'cache');
    const { cost: one } = await extract(samples, cache, { views: 1 });
    const { cost: three, digests } = await extract(samples, cache, { views: 3 });
    assert.equal(three.computed, one.computed);
    assert.equal(new Set(digests).size, 4);
    assert.deepEqual((await extract(samples, cache, { views: 3 })).cost, { read: 0, computed: 0 });
  });
  test('hold for other labels and other splits of the same pictures', async () => {
    const folder = await temporaryFolder();
    const recording = await recordingIn(folder);
    const cache = join(folder, 'cache');
    await extract(await samplesOf(recording), cache);
    const [first] = recording.spans;
    assert.ok(first);
    const relabelled = { ...recording, spans: [{ ...first, label: 'ad' as const }] };
    const { cost, pictures, ads } = await extract(await samplesOf(relabelled), cache);
    assert.deepEqual([cost.computed, pictures, ads], [0, FRAMES / 2, FRAMES / 2]);
  });
  test('are made anew where what is kept is short, damaged or nothing of ours', async () => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const cache = join(folder, 'cache');
    const { cost, ...whole } = await extract(samples, cache);
    for (const ending of ['.rows', '.index']) {
      const name = (await readdir(cache, { recursive: true })).find((entry) => entry.endsWith(ending)) ?? '';
      const path = join(cache, name);
      const good = await readFile(path);
      const flipped = Buffer.from(good);
      flipped.writeUInt8(flipped.readUInt8(good.length - 100) ^ 1, good.length - 100);
      for (const [what, bytes] of [
        ['short', good.subarray(0, good.length - 3)],
        ['one bit flipped', flipped],
        ['empty', Buffer.alloc(0)],
        ['no header', good.subarray(good.indexOf('\n') + 1)],
        [
          'another header',
          Buffer.concat([Buffer.from('{"rows":-1}\n'), good.subarray(good.indexOf('\n') + 1)]),
        ],
        ['longer', Buffer.concat([good, Buffer.alloc(64)])],
        ['sealed, and nonsense', sealedNonsense(good)],
      ] as const) {
        await writeFile(path, bytes);
        const { cost: again, ...result } = await extract(samples, cache);
        assert.deepEqual(result, whole, `${ending}: ${what}`);
        assert.equal(again.computed, ending === '.rows' ? cost.computed : 0, `${ending}: ${what}`);
        assert.deepEqual(await readFile(path), good, `${ending}: ${what}`);
      }
    }
  });
  test('of a data set that was moved are the same, and pictures are named where they lie now', async () => {
    const folder = await temporaryFolder();
    const recording = await recordingIn(folder);
    const cache = join(folder, 'cache');
    const { cost, ...first } = await extract(await samplesOf(recording), cache);
    const moved = { ...recording, video: join(folder, 'moved.mkv') };
    await rename(recording.video, moved.video);
    const { cost: again, ...second } = await extract(await samplesOf(moved), cache);
    assert.deepEqual([second.digests, again.computed], [first.digests, 0]);
    assert.ok(cost.computed > 0);
    assert.deepEqual([first.paths, second.paths], [[recording.video], [moved.video]]);
  });
  test('are made durable before they fill the memory', async () => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const rowBytes = 8 * 2 ** 20;
    let number = 0;
    const extractor = {
      ...{ identity: 'large', rowBytes, lanes: 1, [Symbol.dispose]: () => undefined },
      extract: async () => new Uint8Array(rowBytes).fill(number++),
    };
    const [cache, { augmentation }] = [join(folder, 'cache'), DEFAULT_CONFIG.training];
    const { samples: found, row } = await shelfOf(
      'train',
      { extractor, views: 0, augmentation },
      { samples, preprocess: PREPROCESS, cache, say: () => undefined },
    );
    const segments = (await readdir(cache, { recursive: true })).filter((name) => name.endsWith('.rows'));
    assert.ok(segments.length > 1, segments.join());
    assert.deepEqual([row(0, 0)[7], row(found.length - 1, 0)[7]], [0, PARTS - 1]);
  });
  test('stay on disk, and are read from there again', async () => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const cache = join(folder, 'cache');
    const preprocess = { width: 96, height: 64, scaler: 'area' } as const;
    const { augmentation } = DEFAULT_CONFIG.training;
    const want = { extractor: pixelExtractor(preprocess), views: 1, augmentation };
    const shelf = () => shelfOf('train', want, { samples, preprocess, cache, say: () => undefined });
    const expected: Uint8Array[] = [];
    for await (const { pixels } of samples.read('train', preprocess)) expected.push(pixels);
    for (const { samples: found, row } of [await shelf(), await shelf()]) {
      assert.equal(found.length, FRAMES);
      expected.forEach((pixels, i) => assert.deepEqual(row(i, 0), pixels));
      assert.notDeepEqual(row(0, 1), row(0, 0));
      assert.throws(() => row(0, 2), RangeError);
    }
    const { row } = await shelf();
    for (const name of await readdir(cache, { recursive: true }))
      if (name.endsWith('.rows')) await writeFile(join(cache, name), '');
    assert.throws(() => row(0, 0), { code: 'state_corrupt' });
  });
  test('of other data sets, whose rows are short, are not held in memory either', async () => {
    const folder = await temporaryFolder();
    const store = await FeatureStore.open(folder, 4);
    store.put('0'.repeat(32), Uint8Array.of(1, 2, 3, 4));
    await store.save();
    const opened = await FeatureStore.open(folder, 4);
    for (const one of [store, opened]) assert.deepEqual([...one.get('0'.repeat(32))], [1, 2, 3, 4]);
    for (const name of await readdir(folder)) await writeFile(join(folder, name), '');
    for (const one of [store, opened])
      assert.throws(() => one.get('0'.repeat(32)), { code: 'state_corrupt' });
  });
  test('that find no room fail with the path, and are whole once there is some', async (t) => {
    const folder = await temporaryFolder();
    const samples = await samplesOf(await recordingIn(folder));
    const cache = await smallVolume(t, 256);
    await writeFile(join(cache, 'others'), Buffer.alloc(232 * 1024));
    await assert.rejects(
      extract(samples, cache),
      (error: unknown) => error instanceof AdbreakError && error.code === 'disk_full',
    );
    const files = (await readdir(cache, { recursive: true })).filter((name) => name.endsWith('.part'));
    assert.deepEqual(files, []);
    await rm(join(cache, 'others'));
    const { cost: _, ...whole } = await extract(samples, join(folder, 'elsewhere'));
    const { cost: __, ...again } = await extract(samples, cache);
    assert.deepEqual(again, whole);
  });
});

test('what is read of a recording that is interrupted is not taken for all of it', async () => {
  const folder = await temporaryFolder();
  const samples = await samplesOf(await recordingIn(folder));
  const stop = new AbortController();
  const pass = async () => {
    for await (const _ of samples.read('train', PREPROCESS, stop.signal)) stop.abort();
  };
  await assert.rejects(pass, { name: 'AbortError' });
});
