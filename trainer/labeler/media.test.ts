import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { timedFrames } from '@adbreak/shared/video/exact.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import sharp from 'sharp';
import { DiskCache } from './disk-cache.js';
import { frameTimes, packFrames, parsePacket, pieceStarts, unpackFrames } from './frame-times.js';
import { Library } from './library.js';
import { Media, PIECE_SECONDS } from './media.js';
import { codecsOf, makePiece } from './piece.js';
import { broadcast, ffmpeg } from './testing.js';

const TINY = { width: 16, height: 9, scaler: 'area' } as const;
/** A tick of 90 kHz, and what a container of milliseconds rounds away. */
const CLOSE = 0.0006;

/** Timestamps and pictures of a file as `exact.ts`, by which labels count, has them. */
async function decoded(path: string, start?: number) {
  const frames = [];
  const request = { source: path, preprocess: TINY, ...(start !== undefined && { start }) };
  for await (const frame of timedFrames(request, 1000)) frames.push(frame);
  return frames;
}

function packets(path: string): { kind: string; time: number; seconds: number }[] {
  const shown = ['-show_entries', 'packet=codec_type,pts_time,duration_time', '-of', 'csv=p=0'];
  const text = execFileSync('ffprobe', ['-v', 'error', ...shown, path], { encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(','))
    .map(([kind = '', time, seconds]) => ({ kind, time: Number(time), seconds: Number(seconds) }));
}

const KINDS: Record<string, (path: string) => void> = {
  'H.264 with B-frames in Matroska.mkv': (path) => broadcast(path, 9),
  'a transport stream that starts late.ts': (path) => broadcast(path, 9, '-output_ts_offset', '3600.7'),
  'a variable rate.mp4': (path) =>
    broadcast(path, 9, '-vf', "select='not(mod(n,7))+lt(mod(n,50),20)'", '-fps_mode', 'vfr'),
  'MPEG-2 without sound.ts': (path) =>
    ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=160x90:r=30000/1001:d=7',
      '-c:v',
      'mpeg2video',
      '-g',
      '15',
      '-bf',
      '2',
      `file:${path}`,
    ),
};

describe('pieces', () => {
  for (const [name, make] of Object.entries(KINDS))
    test(`${name}: every frame once, at its own time, with the picture of the source`, async () => {
      const folder = await temporaryFolder();
      const path = join(folder, name);
      make(path);
      const facts = await probeVideo(path);
      const truth = await decoded(path);
      const list = await frameTimes({ path, name, facts });
      assert.equal(list.times.length, truth.length, 'the list has the frames that are decoded');
      truth.forEach(({ time }, i) => assert.ok(Math.abs(time - (list.times[i] ?? -1)) < CLOSE, `frame ${i}`));

      const starts = pieceStarts(list.times, 2);
      let played = 0;
      const heard: { time: number; seconds: number }[] = [];
      for (const [n, from] of starts.entries()) {
        const to = starts[n + 1] ?? facts.duration ?? assert.fail();
        const { init, media } = await makePiece({ path, ...facts }, list, [from, to], join(folder, 'x.part'));
        const file = join(folder, `piece-${n}.mp4`);
        await writeFile(file, Buffer.concat([init, media]));
        for (const { time, pixels } of await decoded(file, 0)) {
          const own = truth[played++];
          assert.ok(
            own !== undefined && Math.abs(own.time - time) < CLOSE,
            `frame ${played} at ${time}, not ${own?.time}`,
          );
          const far =
            pixels.reduce((sum, value, i) => sum + Math.abs(value - (own.pixels[i] ?? 0)), 0) / pixels.length;
          assert.ok(far < 6, `frame ${played} is another picture: ${far.toFixed(1)} levels`);
        }
        const sound = packets(file).filter(({ kind }) => kind === 'audio');
        assert.equal(sound.length > 0, facts.hasSound);
        const [last, next] = [heard.at(-1), sound[0]];
        if (last !== undefined && next !== undefined)
          assert.ok(
            Math.abs(next.time - last.time - last.seconds) < CLOSE,
            `the sound goes on at ${next.time}`,
          );
        heard.push(...sound);
      }
      assert.equal(played, truth.length);
    });

  test('the codecs are those that the init segment declares', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'a.mkv');
    broadcast(path, 3);
    const source = { path, ...(await probeVideo(path)) };
    const list = await frameTimes({ path, name: 'a.mkv', facts: source });
    const { init } = await makePiece(source, list, [list.times[0] ?? 0, 2], join(folder, 'x.part'));
    const at = Buffer.from(init).indexOf('avcC');
    const declared = Buffer.from(init.subarray(at + 5, at + 8)).toString('hex');
    assert.equal(codecsOf(source), `video/mp4; codecs="avc1.${declared}, mp4a.40.2"`);
  });
});

test('packets that are not shown are no frames; borders of pieces are frames, behind a gap the grid begins anew', () => {
  assert.deepEqual(parsePacket('1.500000,K__'), { time: 1.5, isKey: true });
  assert.equal(parsePacket('1.500000,KD_'), null);
  assert.equal(parsePacket('N/A,__'), null);
  const times = Float64Array.of(...Array.from({ length: 50 }, (_, i) => i / 10), 60, 60.1, 62.1, 63);
  assert.deepEqual(pieceStarts(times, 2), [0, 2, 4, 60, 62.1]);
});

test('a list of frames that was kept is the same one; what is no list is made again', () => {
  const list = { times: Float64Array.of(0, 0.04, 0.08), keys: Float64Array.of(0) };
  const packed = packFrames(list);
  assert.deepEqual(unpackFrames(packed), list);
  assert.equal(unpackFrames(undefined), null);
  assert.equal(unpackFrames(packed.subarray(0, 20)), null);
  assert.equal(
    unpackFrames(packFrames({ times: Float64Array.of(0.08, 0.04), keys: Float64Array.of(0) })),
    null,
  );
  assert.equal(unpackFrames(new Uint8Array(Float64Array.of(1e9, 1).buffer)), null);
});

/** A library of one recording of 20 s, and what plays it. */
async function mediaOf(onPiece = (_recording: string, _piece: number) => {}) {
  const folder = await temporaryFolder();
  const path = join(folder, 'evening.mkv');
  broadcast(path, 20);
  const library = new Library(folder, assert.fail);
  await library.rescan();
  const cache = await DiskCache.open(join(folder, '.cache'), 100_000_000, assert.fail);
  const media = new Media({ library, cache, say: assert.fail, onPiece });
  const { id } = library.recordings[0] ?? assert.fail('no recording');
  return { media, id, path, cache, folder };
}
const never = new AbortController().signal;

describe('what a player is given', () => {
  test('a piece is made once, kept, and what follows is made ahead; one that is nowhere is refused', async () => {
    const made: number[] = [];
    const { media, id } = await mediaOf((_, piece) => made.push(piece));
    const [one, other] = await Promise.all([media.piece(id, 3, never), media.piece(id, 3, never)]);
    assert.deepEqual(one, other);
    assert.equal(made.filter((piece) => piece === 3).length, 1);
    const { starts } = await media.pieces(id);
    assert.equal(starts.length, 20 / PIECE_SECONDS);
    while (made.length < starts.length - 2) await new Promise((soon) => setTimeout(soon, 20));
    assert.deepEqual(
      [...made].sort((a, b) => a - b),
      [2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.deepEqual((await media.pieces(id)).ready, [2, 3, 4, 5, 6, 7, 8, 9]);
    await assert.rejects(media.piece(id, 99, never), { code: 'not_found' });
    await media[Symbol.asyncDispose]();
  });

  test('who goes away is not waited for, and nothing half-made is left', async () => {
    const { media, id, cache, folder } = await mediaOf();
    await media.frames(id);
    const gone = new AbortController();
    const asked = media.piece(id, 5, gone.signal);
    setTimeout(() => gone.abort(new Error('gone')), 30);
    await assert.rejects(asked, /gone/);
    await media[Symbol.asyncDispose]();
    for (
      let tries = 0;
      (await readdir(join(folder, '.cache'))).some((name) => name.endsWith('.part'));
      tries++
    ) {
      assert.ok(tries < 100, 'a part was left');
      await new Promise((soon) => setTimeout(soon, 20));
    }
    assert.equal(cache.has(`${id}/${PIECE_SECONDS}s-5.mp4`), false);
  });

  test('the picture of a moment is that of the frame that is on', async () => {
    const { media, id, path } = await mediaOf();
    const truth = await decoded(path);
    for (const time of [0, 7.33, 19.99, 500]) {
      const jpeg = await media.picture(id, time, 160, never);
      const small = await sharp(jpeg).resize(16, 9, { fit: 'fill' }).removeAlpha().raw().toBuffer();
      const on = truth.findLast((frame) => frame.time <= time + 0.0005) ?? truth[0];
      const far = (pixels: Uint8Array) =>
        small.reduce((sum, value, i) => sum + Math.abs(value - (pixels[i] ?? 0)), 0);
      const nearest = truth.reduce((best, frame) => (far(frame.pixels) < far(best.pixels) ? frame : best));
      assert.ok(
        Math.abs(nearest.time - (on?.time ?? -1)) < 0.09,
        `at ${time}: ${nearest.time}, not ${on?.time}`,
      );
    }
    await media[Symbol.asyncDispose]();
  });
});
