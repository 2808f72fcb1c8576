import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { frames } from '@adbreak/shared/video/frames.js';
import { labelAt, parseLabels } from '@adbreak/shared/video/labels.js';
import { loop } from './loop.js';

test('a recording that is played again has its labels where its pictures are, each time', async () => {
  const stem = join(await temporaryFolder(), 'own');
  greyVideo(`${stem}.mkv`, [
    { level: 40, seconds: 4 },
    { level: 220, seconds: 3 },
  ]);
  await writeFile(`${stem}.csv`, 'start,end,label\n0,4,content\n4,7,ad\n');
  const { times, spans } = await loop(stem, 20, new AbortController().signal);
  assert.deepEqual([times, spans], [3, 2]);
  const truth = parseLabels(await readFile(`${stem}.csv`, 'utf8'));
  assert.equal(truth.length, 6);
  const preprocess = { width: 16, height: 16, scaler: 'area' } as const;
  let [seen, wrong] = [0, 0];
  for await (const { time, pixels } of frames({ source: `${stem}.mkv`, preprocess, fps: 4 })) {
    seen += 1;
    if ((pixels[0] ?? 0) > 128 !== (labelAt(truth, time + 0.01) === 'ad')) wrong += 1;
  }
  assert.ok(seen >= 80, `${seen} frames`);
  // A frame at a border may be on either side of it.
  assert.ok(wrong <= 6, `${wrong} of ${seen} frames are labelled wrongly`);
});
