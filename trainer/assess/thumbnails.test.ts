import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { timedFrames } from '@adbreak/shared/video/exact.js';
import sharp from 'sharp';
import { thumbnailOf } from './thumbnails.js';

test('a report shows the very frame that was judged, also of a transport stream of 29.97 frames a second', async () => {
  const source = join(await temporaryFolder(), 'a.ts');
  // Each frame is ten levels brighter than the one before it.
  const pictures = "color=black:s=64x36:r=30000/1001:d=0.8,geq=lum='16+9*N':cb=128:cr=128";
  const inputs = ['-f', 'lavfi', '-i', 'sine=d=1', '-itsoffset', '0.4', '-f', 'lavfi', '-i', pictures];
  const encoder = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-qp', '1', '-bf', '2', '-c:a', 'mp2', source];
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...inputs, ...encoder]);
  const preprocess = { width: 64, height: 36, scaler: 'area' } as const;
  let looked = 0;
  for await (const { time, pixels } of timedFrames({ source, preprocess }, 30)) {
    const thumbnail = await thumbnailOf({ path: source, at: time });
    assert.ok('jpeg' in thumbnail, JSON.stringify(thumbnail));
    const shown = await sharp(thumbnail.jpeg).raw().toBuffer();
    const mean = (values: Uint8Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(Math.abs(mean(shown) - mean(pixels)) < 4, `at ${time} s: ${mean(shown)} for ${mean(pixels)}`);
    looked += 1;
  }
  assert.ok(looked > 20, `${looked} frames`);
  const gone = await thumbnailOf({ path: join(source, 'gone.ts'), at: 1 });
  assert.ok('problem' in gone && /gone\.ts/.test(gone.problem), JSON.stringify(gone));
});
