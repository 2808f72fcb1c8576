import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import { breakVideo, folderWithModel } from '../testing/detecting.js';
import { keyframesOf } from './key-frames.js';

test('key frames are found in their order; whoever ends the search hears of it once, and the program lives', async () => {
  const { folder } = await folderWithModel();
  const recording = join(folder, 'a.ts');
  breakVideo(recording);
  const facts = await probeVideo(recording);
  const found = await keyframesOf(recording, facts, new AbortController().signal);
  assert.equal(found.length, 60);
  assert.ok(
    found.every((time, i) => Math.abs(time - i) < 0.11),
    found.join(),
  );
  const stop = new AbortController();
  const search = keyframesOf(recording, facts, stop.signal);
  stop.abort();
  await assert.rejects(search, { name: 'AbortError' });
});
