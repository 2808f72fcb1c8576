import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { TrainingFolder } from './job-folder.js';

test('of cached features the oldest go, wherever they lie, and the rest stays', async () => {
  const folder = new TrainingFolder(await temporaryFolder());
  await mkdir(join(folder.cache, 'deep'), { recursive: true });
  for (const [i, name] of ['deep/old', 'middle', 'new'].entries()) {
    await writeFile(join(folder.cache, name), Buffer.alloc(100));
    await utimes(join(folder.cache, name), i + 1, i + 1);
  }
  await folder.pruneCache(300);
  assert.equal((await readdir(folder.cache, { recursive: true })).length, 4);
  await folder.pruneCache(250);
  assert.deepEqual((await readdir(folder.cache, { recursive: true })).sort(), ['deep', 'middle', 'new']);
});

test('folders of jobs that nobody knows are removed, and a log is read as it was written', async () => {
  const folder = new TrainingFolder(await temporaryFolder());
  await folder.prepare('t-known', 'model: {}\n');
  await folder.prepare('t-lost', '');
  await folder.writeLog('t-known', ['one', 'two']);
  await folder.tidy((id) => id === 't-known');
  assert.deepEqual(await folder.readLog('t-known'), ['one', 'two']);
  assert.deepEqual([await folder.readLog('t-lost'), await folder.made('t-known')], [[], null]);
});
