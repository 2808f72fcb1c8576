import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { checkOutputs, planOutputs } from './outputs.js';
import { fitted, formatProgress } from './progress.js';

const coded =
  (...codes: Parameters<typeof hasCode>[1][]) =>
  (error: unknown) =>
    hasCode(error, ...codes);

test('files lie beside each recording, and a copy is of a container that can hold it', () =>
  assert.deepEqual(
    planOutputs(['/tv/a.b.mp4', 'c.ts'], {
      format: 'text',
      edl: true,
      chapters: true,
      frames: true,
      mark: true,
      cut: true,
    }),
    [
      {
        source: '/tv/a.b.mp4',
        edl: '/tv/a.b.edl',
        chapters: '/tv/a.b.chapters.txt',
        frames: '/tv/a.b.frames.csv',
        mark: '/tv/a.b.marked.mp4',
        cut: '/tv/a.b.cut.mp4',
      },
      {
        source: 'c.ts',
        edl: 'c.edl',
        chapters: 'c.chapters.txt',
        frames: 'c.frames.csv',
        mark: 'c.marked.mkv',
        cut: 'c.cut.ts',
      },
    ],
  ));

test('with --folder they lie there', () =>
  assert.equal(
    planOutputs(['/tv/a.mkv'], { format: 'text', folder: '/out', edl: true })[0]?.edl,
    '/out/a.edl',
  ));

test('what cannot be meant is refused: one file for two timelines, a file beside a URL, a cut through a URL or a name of two lines', () => {
  const plan = (sources: string[], options: object) => () =>
    planOutputs(sources, { format: 'text', ...options });
  assert.throws(plan(['a.mkv', 'b.mkv'], { output: 'x.txt' }), coded('input_invalid'));
  assert.throws(plan(['http://x/a.mkv'], { edl: true }), coded('input_invalid'));
  assert.throws(plan(['http://x/a.mkv'], { cut: true, folder: '/tmp' }), coded('input_invalid'));
  assert.throws(plan(["a'\nfile '/etc/b.mkv"], { cut: true }), coded('input_invalid'));
});

test('before the work: what exists, what two recordings share, a folder that is not there and the recording itself', async () => {
  const folder = await temporaryFolder();
  const recording = join(folder, 'a.mkv');
  await writeFile(join(folder, 'a.edl'), '');
  await writeFile(recording, '');
  const plans = planOutputs([recording], { format: 'text', edl: true });
  await assert.rejects(checkOutputs(plans), coded('conflict'));
  await checkOutputs(plans, { overwrite: true });
  const both = planOutputs([recording, join(folder, 'a.mp4')], { format: 'text', frames: true });
  await assert.rejects(checkOutputs(both), coded('conflict'));
  const nowhere = planOutputs([recording], { format: 'text', edl: true, folder: join(folder, 'gone') });
  await assert.rejects(checkOutputs(nowhere), coded('state_unwritable'));
  const itself = planOutputs([recording], { format: 'text', output: recording });
  await assert.rejects(checkOutputs(itself, { overwrite: true }), coded('input_invalid'));
});

test('progress says how far, how fast and how long, as far as that is known', () => {
  assert.equal(
    formatProgress({ done: 750, total: 1740, elapsed: 25 }),
    '43 %, 00:12:30.0 of 00:29:00.0, 30 times as fast as it plays, 33 s left',
  );
  assert.equal(
    formatProgress({ done: 30, total: 36_000, elapsed: 10 }),
    '0 %, 00:00:30.0 of 10:00:00.0, 3.0 times as fast as it plays, 3.3 h left',
  );
  assert.equal(
    formatProgress({ done: 90, total: null, elapsed: 3 }),
    '00:01:30.0, 30 times as fast as it plays',
  );
  assert.equal(formatProgress({ done: 0, total: 100, elapsed: 0 }), '0 %, 00:00:00.0 of 00:01:40.0');
});

test('a line of progress is never as wide as the terminal: its beginning goes, how far it is stays', () => {
  const line = '/recordings/of/a/long/path/evening.mkv: 43 %, 00:12:30.0 of 00:29:00.0, 33 s left';
  assert.equal(fitted(line, 120), line);
  assert.equal(fitted(line, line.length + 1), line);
  const short = fitted(line, 40);
  assert.equal(short, `…${line.slice(-38)}`);
  assert.equal(short.length, 39);
});
