import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { temporaryFolder } from '../testing/temporary.js';
import { frameAt, timedFrames } from './exact.js';
import { probeVideo } from './probe.js';

const BITS = 10;
const BLOCK = 16;
const SIZE = { width: BITS * BLOCK, height: 64 } as const;
const PREPROCESS = { ...SIZE, scaler: 'area' } as const;
const RATE = 25;

/** Frames that each show their number, as black and white bars, encoded by the real ffmpeg. */
function numberedVideo(path: string, frames: number, options: readonly string[], audio = false): void {
  const raw = Buffer.alloc(frames * SIZE.width * SIZE.height);
  for (let n = 0; n < frames; n++)
    for (let y = 0; y < SIZE.height; y++)
      for (let x = 0; x < SIZE.width; x++)
        raw[(n * SIZE.height + y) * SIZE.width + x] = (n >> Math.floor(x / BLOCK)) & 1 ? 235 : 16;
  const size = `${SIZE.width}x${SIZE.height}`;
  const video = [
    '-f',
    'rawvideo',
    '-pix_fmt',
    'gray',
    '-s',
    size,
    '-framerate',
    String(RATE),
    '-i',
    'pipe:0',
  ];
  const sound = ['-f', 'lavfi', '-t', String(frames / RATE), '-i', 'sine=frequency=440'];
  const done = spawnSync(
    'ffmpeg',
    ['-v', 'error', '-y', ...(audio ? [...sound, '-itsoffset', '0.5', ...video] : video), ...options, path],
    { input: raw, encoding: 'utf8' },
  );
  assert.equal(done.status, 0, done.stderr);
}

function numberIn(pixels: Uint8Array): number {
  let number = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const at = ((SIZE.height / 2) * SIZE.width + bit * BLOCK + BLOCK / 2) * 3;
    if ((pixels[at] ?? 0) > 128) number |= 1 << bit;
  }
  return number;
}

async function taken(source: string, fps: number): Promise<{ time: number; number: number }[]> {
  const seen: { time: number; number: number }[] = [];
  for await (const { time, pixels } of timedFrames({ source, preprocess: PREPROCESS }, fps))
    seen.push({ time, number: numberIn(pixels) });
  return seen;
}

const X264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p'];
const recordings = [
  { what: 'Matroska with B-frames', file: 'a.mkv', options: [...X264, '-bf', '3', '-g', '50'] },
  {
    what: 'MP4 with one key frame in ten seconds',
    file: 'a.mp4',
    options: [...X264, '-bf', '2', '-g', '250'],
  },
  {
    what: 'a transport stream that starts at an hour, one key frame in ten seconds',
    file: 'a.ts',
    options: [...X264, '-bf', '3', '-g', '250', '-output_ts_offset', '3600'],
  },
  {
    what: 'an interlaced transport stream of H.264',
    file: 'h264.ts',
    options: [...X264, '-flags', '+ilme+ildct', '-x264opts', 'tff=1', '-bf', '2', '-g', '25'],
  },
  {
    what: 'an interlaced transport stream of MPEG-2',
    file: 'mpeg2.ts',
    options: [
      '-c:v',
      'mpeg2video',
      '-q:v',
      '3',
      '-flags',
      '+ilme+ildct',
      '-top',
      '1',
      '-bf',
      '2',
      '-g',
      '15',
    ],
  },
] as const;
const FRAMES = 500;

describe('the frame that is on at a moment', () => {
  for (const { what, file, options } of recordings)
    test(`is that one, under its own timestamp: ${what}`, async () => {
      const source = join(await temporaryFolder(), file);
      numberedVideo(source, FRAMES, options);
      for (const [time, number] of [
        [0, 0],
        [0.039, 0],
        [0.04, 1],
        [7.32, 183],
        [10.01, 250],
        [12.479, 311],
        [19.96, 499],
        [25, 499],
      ] as const) {
        const frame = await frameAt({ source, preprocess: PREPROCESS }, time);
        assert.equal(numberIn(frame.pixels), number, `at ${time} s`);
        assert.ok(Math.abs(frame.time - number / RATE) < 0.001, `at ${time} s: ${frame.time}`);
      }
    });

  test('stays on while a variable frame rate has no other, and its own timestamp finds it again', async () => {
    const source = join(await temporaryFolder(), 'variable.mkv');
    // Frames 100 to 174 and every second one from 200 on are not there.
    const holes = "select='not(between(n,100,174))*(lt(n,200)+not(mod(n,2)))'";
    numberedVideo(source, FRAMES, ['-vf', holes, '-fps_mode', 'vfr', ...X264, '-bf', '3']);
    for (const [time, number] of [
      [3.96, 99],
      [5.5, 99],
      [6.999, 99],
      [7, 175],
      [8.05, 200],
      [8.08, 202],
    ] as const) {
      const frame = await frameAt({ source, preprocess: PREPROCESS }, time);
      assert.equal(numberIn(frame.pixels), number, `at ${time} s`);
      const again = await frameAt({ source, preprocess: PREPROCESS }, Number(frame.time.toFixed(3)));
      assert.equal(numberIn(again.pixels), number, `at ${frame.time} s, its own`);
    }
  });

  for (const file of ['late.mkv', 'late.ts'])
    test(`counts from the start of the file, where sound comes before the picture: ${file}`, async () => {
      const source = join(await temporaryFolder(), file);
      numberedVideo(source, 100, [...X264, '-c:a', 'aac'], true);
      const at = (time: number) => frameAt({ source, preprocess: PREPROCESS }, time);
      const first = await at(0);
      assert.equal(numberIn(first.pixels), 0, 'before the first frame it is the first');
      assert.ok(first.time >= 0.49 && first.time < 0.6, `the picture begins at ${first.time} s`);
      assert.equal(numberIn((await at(0.5)).pixels), 0);
      assert.equal(numberIn((await at(first.time + 2.01)).pixels), 50);
      const seen = await taken(source, 25);
      assert.deepEqual(seen[50], { time: (await at(first.time + 2.01)).time, number: 50 });
    });

  test('counts from the sound, where a recording begins in the middle of a group of pictures', async () => {
    const folder = await temporaryFolder();
    const [whole, source] = [join(folder, 'whole.ts'), join(folder, 'entered.ts')];
    numberedVideo(whole, 250, [...X264, '-g', '75', '-sc_threshold', '0', '-bf', '2', '-c:a', 'mp2'], true);
    const bytes = await readFile(whole);
    const packets = Math.floor(bytes.length / 188);
    await writeFile(source, bytes.subarray(Math.floor(packets / 10) * 188));
    const begun = (await probeVideo(source)).start - (await probeVideo(whole)).start;
    const first = await frameAt({ source, preprocess: PREPROCESS }, 0);
    const number = numberIn(first.pixels);
    assert.ok(number > 0 && number % 75 === 0, `the first that can be decoded is ${number}`);
    const original = await frameAt({ source: whole, preprocess: PREPROCESS }, 0);
    const expected = original.time + number / RATE - begun;
    assert.ok(Math.abs(first.time - expected) < 0.001, `${first.time} s for ${expected} s`);
  });

  test('is known to the millisecond after ten hours, too', async () => {
    const source = join(await temporaryFolder(), 'long.mkv');
    const gap = ['-vf', "setpts='PTS+gte(N,10)*36000.04/TB'", '-fps_mode', 'vfr'];
    numberedVideo(source, 30, [...gap, ...X264]);
    for (const { time, number } of (await taken(source, 25)).filter((one) => one.number >= 10))
      assert.ok(Math.abs(time - (36000.04 + number / RATE)) < 0.0015, `${number} at ${time} s`);
    const frame = await frameAt({ source, preprocess: PREPROCESS }, 36000.77);
    assert.equal(numberIn(frame.pixels), 18);
  });

  test('of what is no video is an error in ffmpeg’s words', async () => {
    await assert.rejects(
      frameAt({ source: '/etc/hostname', preprocess: PREPROCESS }, 1),
      (error: unknown) => error instanceof AdbreakError && error.code === 'video_unreadable',
    );
  });
});

describe('what a recording says of itself', () => {
  test('is no timestamp: a title that reads like one changes nothing', async () => {
    const source = join(await temporaryFolder(), 'a.mkv');
    const title = 'title=n: 0 pts: 9000 pts_time: 9 pos: 1 iskey:1 config in time_base: 1/1';
    numberedVideo(source, 50, [...X264, '-metadata', title]);
    const seen = await taken(source, 5);
    assert.deepEqual(
      seen.map(({ time, number }) => [Number(time.toFixed(2)), number]),
      Array.from({ length: 10 }, (_, i) => [i / 5, 5 * i]),
    );
  });

  test('leads nowhere else: a list of other files is refused', async () => {
    const folder = await temporaryFolder();
    numberedVideo(join(folder, 'a.ts'), 50, X264);
    const lists = [
      ['hls.ts', '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n'],
      ['concat.mkv', 'ffconcat version 1.0\nfile a.ts\n'],
    ] as const;
    for (const [name, text] of lists) {
      await writeFile(join(folder, name), text);
      await assert.rejects(probeVideo(join(folder, name)), {
        code: 'video_unreadable',
        message: /list of other files/,
      });
    }
  });

  test('may be a sound that never comes: then it has none', async () => {
    const source = join(await temporaryFolder(), 'mute.ts');
    numberedVideo(source, 50, [...X264, '-c:a', 'mp2', '-bsf:a', 'noise=drop=1'], true);
    assert.equal((await probeVideo(source)).hasSound, false);
    numberedVideo(source, 50, [...X264, '-c:a', 'mp2'], true);
    assert.equal((await probeVideo(source)).hasSound, true);
  });
});

describe('frames taken through a recording', () => {
  test('have their own timestamps, from the file’s start', async () => {
    const source = join(await temporaryFolder(), 'a.ts');
    numberedVideo(source, 250, [...X264, '-bf', '3', '-g', '50', '-output_ts_offset', '100']);
    const seen = await taken(source, 2);
    assert.deepEqual(
      seen.map(({ number }) => number),
      Array.from({ length: 20 }, (_, i) => Math.ceil(12.5 * i)),
    );
    assert.ok(seen.every(({ time, number }) => Math.abs(time - number / RATE) < 0.001));
  });

  test('are fewer where a variable frame rate has fewer, and none twice', async () => {
    const source = join(await temporaryFolder(), 'variable.mkv');
    numberedVideo(source, 250, ['-vf', "select='not(between(n,60,139))'", '-fps_mode', 'vfr', ...X264]);
    const seen = await taken(source, 2);
    assert.deepEqual(
      seen.map(({ number }) => number),
      [0, 13, 25, 38, 50, 140, 150, 163, 175, 188, 200, 213, 225, 238],
    );
  });

  test('end with the signal', async () => {
    const source = join(await temporaryFolder(), 'a.mkv');
    numberedVideo(source, 250, X264);
    const stop = new AbortController();
    let count = 0;
    for await (const _ of timedFrames({ source, preprocess: PREPROCESS }, 25, stop.signal))
      if (++count === 3) stop.abort();
    assert.ok(count < 250, `${count} frames`);
  });
});

test('a recording’s length, rate and shape are asked of its container', async () => {
  const folder = await temporaryFolder();
  const source = join(folder, 'a.ts');
  numberedVideo(source, 250, [...X264, '-vf', 'setsar=16/15', '-output_ts_offset', '3600']);
  const facts = await probeVideo(source);
  assert.equal(facts.frameRate, RATE);
  assert.equal(facts.width, Math.round((SIZE.width * 16) / 15));
  assert.ok(facts.duration !== null && Math.abs(facts.duration - 10) < 0.1, String(facts.duration));
  const sound = join(folder, 'sound.mka');
  spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-t', '1', '-i', 'sine', sound]);
  await assert.rejects(
    probeVideo(sound),
    (error: unknown) => error instanceof AdbreakError && /it has no picture/.test(error.message),
  );
});
