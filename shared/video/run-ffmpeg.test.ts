import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../testing/temporary.js';
import { until } from '../testing/until.js';
import { runFfmpeg } from './run-ffmpeg.js';

const SLOW = ['-re', '-f', 'lavfi', '-i', 'testsrc2=s=64x36:r=5:d=600'];

async function atWorkOn(path: string): Promise<number> {
  const lines = await Promise.all(
    (await readdir('/proc')).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => /^[^\0]*ffmpeg\0/.test(line) && line.includes(path)).length;
}

test('an ffmpeg that writes a file ends with who started it, however that ends', async () => {
  const output = join(await temporaryFolder(), 'a.mkv');
  const request = JSON.stringify({ args: [...SLOW, output], output });
  const module = new URL('./run-ffmpeg.js', import.meta.url).href;
  const script = `import { runFfmpeg } from '${module}'; await runFfmpeg(${request});`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
  await until('its ffmpeg', async () => (await atWorkOn(output)) === 1);
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  await until('no ffmpeg', async () => (await atWorkOn(output)) === 0, 5);
});

test('it ends with the signal, for its reason, and what it says of a failure is its last words', async () => {
  const output = join(await temporaryFolder(), 'a.mkv');
  const stop = new AbortController();
  const work = runFfmpeg({ args: [...SLOW, output], output }, stop.signal);
  await until('its ffmpeg', async () => (await atWorkOn(output)) === 1);
  stop.abort();
  await assert.rejects(work, { name: 'AbortError' });
  await assert.rejects(runFfmpeg({ args: ['-i', 'file:/nowhere.mkv', output], output: 'the copy' }), {
    code: 'video_unreadable',
    message: /^Cannot write the copy: .*nowhere\.mkv: No such file/,
  });
});
