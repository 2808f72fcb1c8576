import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import { listen } from './listen.js';
import { ffmpeg } from './testing.js';

const never = new AbortController().signal;
/** Four seconds each: a test card, black without sound, white noise of colours. */
const PARTS = [
  ...['-f', 'lavfi', '-i', 'color=c=0x806040:s=160x90:r=25:d=4', '-f', 'lavfi', '-i', 'sine=r=48000:d=4'],
  ...[
    '-f',
    'lavfi',
    '-i',
    'color=c=black:s=160x90:r=25:d=1',
    '-f',
    'lavfi',
    '-i',
    'anullsrc=r=48000:cl=mono:d=1',
  ],
  ...['-f', 'lavfi', '-i', 'color=c=white:s=160x90:r=25:d=3', '-f', 'lavfi', '-i', 'sine=f=900:r=48000:d=3'],
  ...[
    '-f',
    'lavfi',
    '-i',
    'color=c=0x204080:s=160x90:r=25:d=2',
    '-f',
    'lavfi',
    '-i',
    'sine=f=300:r=48000:d=2',
  ],
  ...['-filter_complex', '[0:v][1:a][2:v][3:a][4:v][5:a][6:v][7:a]concat=n=4:v=1:a=1'],
];

async function heardOf(name: string, ...args: string[]) {
  const path = join(await temporaryFolder(), name);
  ffmpeg(...args, `file:${path}`);
  const { duration, ...facts } = await probeVideo(path);
  const times: number[] = [];
  const source = { path, name, facts: { ...facts, duration: duration ?? assert.fail() } };
  return { heard: await listen(source, (time) => void times.push(time), never), times };
}
const near = (found: readonly number[], wanted: readonly number[]) => {
  assert.equal(found.length, wanted.length, `${found}`);
  wanted.forEach((time, i) => assert.ok(Math.abs((found[i] ?? -1) - time) < 0.06, `${found}`));
};

describe('what is heard and seen of a recording', () => {
  for (const [name, offset] of [
    ['late.ts', '900.4'],
    ['plain.mkv', '0'],
  ] as const)
    test(`${name}: cuts, black and silence at their times, from the file’s start`, async () => {
      const { heard, times } = await heardOf(name, ...PARTS, '-output_ts_offset', offset);
      near(heard.cuts, [4, 5, 8]);
      near(heard.black.flat(), [4, 5]);
      near(heard.silence.flat(), [4, 5]);
      assert.ok(Math.abs(heard.wave.length - 100) <= 2);
      assert.ok((heard.wave[20] ?? 0) > 0.5 && (heard.wave[45] ?? 1) < 0.1);
      assert.equal(times.length, 250);
    });

  test('without sound there is none; hours of black are one stretch', async () => {
    const { heard } = await heardOf('black.mkv', '-f', 'lavfi', '-i', 'color=c=black:s=64x36:r=5:d=60');
    assert.deepEqual([heard.wave, heard.silence, heard.cuts], [[], [], []]);
    near(heard.black.flat(), [0, 59.8]);
  });

  test('what gives no frame is refused; who leaves is not waited for', async () => {
    const path = join(await temporaryFolder(), 'none.mkv');
    const source = { path, name: 'none.mkv', facts: { start: 0, duration: 1, hasSound: false } };
    await assert.rejects(
      listen(source, () => undefined, never),
      { code: 'video_unreadable', message: /none\.mkv/ },
    );
    const gone = AbortSignal.abort(new Error('gone'));
    await assert.rejects(
      listen(source, () => undefined, gone),
      /gone/,
    );
  });
});
