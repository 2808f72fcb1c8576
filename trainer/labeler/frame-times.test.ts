import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { frameTimes } from './frame-times.js';
import { broadcast } from './testing.js';

/** A recording, and an ffprobe that lists two of its packets and then does something else. */
async function listedBy(t: TestContext, then: string) {
  const folder = await temporaryFolder();
  const path = join(folder, 'evening.mkv');
  broadcast(path, 2);
  const real = execFileSync('which', ['ffprobe'], { encoding: 'utf8' }).trim();
  const list = `*packet=pts_time*) printf '0.000000,K__\\n0.040000,___\\n'; ${then};;`;
  const script = `#!/bin/sh\ncase "$*" in ${list} *) exec ${real} "$@";; esac\n`;
  await writeFile(join(folder, 'ffprobe'), script, { mode: 0o755 });
  const before = process.env.PATH;
  process.env.PATH = `${folder}${delimiter}${before}`;
  t.after(() => {
    process.env.PATH = before;
  });
  return { path, name: 'evening.mkv', facts: { start: 0 } };
}

test('half a list of frames, of an ffprobe that was killed, is not taken for the whole', async (t) => {
  const recording = await listedBy(t, 'kill -9 $$');
  await assert.rejects(frameTimes(recording), { code: 'video_unreadable', message: /SIGKILL/ });
});

test('who calls a list of frames off while it is read hears of that alone', async (t) => {
  const recording = await listedBy(t, 'exec sleep 20');
  const stop = new AbortController();
  const reading = frameTimes(recording, stop.signal);
  void sleep(1500).then(() => stop.abort(new Error('called off')));
  await assert.rejects(reading, /called off/);
});
