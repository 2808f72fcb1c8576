import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { fileDigest, type Recording } from '../dataset/recordings.js';
import { examplesOf, histogramExtractor, labelledFrames } from './extract.js';

const PREPROCESS = { width: 8, height: 8, scaler: 'area' } as const;
const FRAMES = 40;

/** Half content, half advertisement: a beginning alone has other shares. */
async function recordingIn(folder: string): Promise<Recording> {
  const video = join(folder, 'a.mkv');
  greyVideo(video, [
    { level: 40, seconds: FRAMES / 4 },
    { level: 200, seconds: FRAMES / 4 },
  ]);
  const half = FRAMES / 4;
  return {
    name: 'a',
    video,
    spans: [
      { start: 0, end: half, label: 'content' },
      { start: half, end: 2 * half, label: 'ad' },
    ],
  };
}

async function extract(recording: Recording, cache: string, options: { stopAt?: number } = {}) {
  const stop = new AbortController();
  let seen = 0;
  const [examples] = await examplesOf([recording], [histogramExtractor()], {
    preprocess: PREPROCESS,
    fps: 2,
    cache,
    signal: stop.signal,
    onFrame: () => {
      seen += 1;
      if (seen === options.stopAt) stop.abort();
    },
  });
  assert.ok(examples);
  return {
    seen,
    frames: examples.isAd.length,
    ads: examples.isAd.filter(Boolean).length,
    digest: sha256(new Uint8Array(examples.features.buffer)),
  };
}

describe('features of a recording', () => {
  test('interrupted at any frame leave nothing behind, and are whole the next time', async () => {
    const folder = await temporaryFolder();
    const recording = await recordingIn(folder);
    const undisturbed = await extract(recording, join(folder, 'undisturbed'));
    assert.deepEqual([undisturbed.frames, undisturbed.ads], [FRAMES, FRAMES / 2]);
    for (const stopAt of [1, 2, 7, 19, 20, 33, FRAMES - 1, FRAMES]) {
      const cache = join(folder, `cache-${stopAt}`);
      await assert.rejects(
        extract(recording, cache, { stopAt }),
        { name: 'AbortError' },
        `stopped at frame ${stopAt}`,
      );
      assert.deepEqual(await readdir(cache).catch(() => []), [], `stopped at frame ${stopAt}`);
      assert.deepEqual(await extract(recording, cache), undisturbed, `after a stop at frame ${stopAt}`);
    }
  });

  test('come from the cache the second time', async () => {
    const folder = await temporaryFolder();
    const recording = await recordingIn(folder);
    const first = await extract(recording, join(folder, 'cache'));
    assert.deepEqual(await extract(recording, join(folder, 'cache')), { ...first, seen: 0 });
  });

  test('are made anew where their entry is short, damaged or no entry at all', async () => {
    const folder = await temporaryFolder();
    const recording = await recordingIn(folder);
    const cache = join(folder, 'cache');
    const whole = await extract(recording, cache);
    const [name = ''] = await readdir(cache);
    const path = join(cache, name);
    const good = await readFile(path);
    const row = 512 * 4;
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(good.length - row / 2) ^ 1, good.length - row / 2);
    const headerEnd = good.indexOf('\n') + 1;
    for (const [what, bytes] of [
      ['cut at a row', good.subarray(0, good.length - row)],
      ['cut within a row', good.subarray(0, good.length - 3)],
      ['one bit flipped', flipped],
      ['empty', Buffer.alloc(0)],
      ['no header', good.subarray(headerEnd)],
      ['another header', Buffer.concat([Buffer.from('{"width":512,"rows":-1}\n'), good.subarray(headerEnd)])],
      ['longer', Buffer.concat([good, Buffer.alloc(row)])],
    ] as const) {
      await writeFile(path, bytes);
      assert.deepEqual(await extract(recording, cache), whole, what);
      assert.deepEqual(await readFile(path), good, what);
    }
  });

  test('that 0.1 kept of an interrupted run are not believed', async () => {
    const folder = await temporaryFolder();
    const recording = await recordingIn(folder);
    const cache = join(folder, 'cache');
    const whole = await extract(recording, join(folder, 'other'));
    // As 0.1 named and wrote them: bare rows, here the first three of forty.
    const key = sha256(JSON.stringify([await fileDigest(recording.video), PREPROCESS, 2]));
    const poisoned = join(folder, 'poisoned');
    await writeFile(poisoned, Buffer.alloc(3 * 512 * 4));
    await extract(recording, cache);
    for (const name of await readdir(cache)) await copyFile(poisoned, join(cache, name));
    await copyFile(poisoned, join(cache, `${sha256(key + histogramExtractor().identity)}.f32`));
    assert.deepEqual(await extract(recording, cache), whole);
  });
});

test('labelled frames of an interrupted pass are not taken for all', async () => {
  const folder = await temporaryFolder();
  const recording = await recordingIn(folder);
  const stop = new AbortController();
  const pass = async () => {
    for await (const _ of labelledFrames(recording, { preprocess: PREPROCESS, fps: 2, signal: stop.signal }))
      stop.abort();
  };
  await assert.rejects(pass, { name: 'AbortError' });
});
