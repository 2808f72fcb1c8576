import assert from 'node:assert/strict';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { z } from 'zod';
import { collectCache, UNUSED_DAYS } from './cache.js';
import { FeatureStore } from './feature-store.js';
import { readSealed, writeSealed } from './sealed.js';

const NAME = '0123456789abcdef'.repeat(2);
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
async function age(path: string, days: number): Promise<void> {
  const time = new Date(Date.now() - days * 86_400_000);
  await utimes(path, time, time);
}

test('what was not used for long goes, with its folder; what is not a cache’s stays', async () => {
  const folder = await temporaryFolder();
  const own = ['index', 'pictures', 'network', 'epochs', 'observed'].map((ending) => `${NAME}.${ending}`);
  for (const name of [...own, 'notes.txt', `${NAME}.mkv`]) await writeFile(join(folder, name), 'four');
  await mkdir(join(folder, NAME));
  await writeFile(join(folder, NAME, `${NAME}.rows`), 'four');
  await mkdir(join(folder, 'mine'));
  await writeFile(join(folder, 'mine', `${NAME}.rows`), 'four');
  for (const path of await filesIn(folder)) await age(path, UNUSED_DAYS - 1);
  assert.equal(await collectCache(folder, new Date()), 0);
  for (const path of await filesIn(folder)) await age(path, UNUSED_DAYS + 1);
  assert.equal(await collectCache(folder, new Date()), 6 * 4);
  assert.deepEqual((await readdir(folder)).sort(), [`${NAME}.mkv`, 'mine', 'notes.txt']);
  assert.equal(await collectCache(join(folder, 'nowhere'), new Date()), 0);
});

test('what is read is used, be it a file or features by the row', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, `${NAME}.network`);
  await writeSealed(path, {}, Buffer.from('body'));
  const store = await FeatureStore.open(join(folder, NAME), 4);
  store.put(NAME, Uint8Array.of(1, 2, 3, 4));
  await store.save();
  for (const file of await filesIn(folder)) await age(file, 1000);
  await readSealed(path, z.object({}));
  await FeatureStore.open(join(folder, NAME), 4);
  assert.equal(await collectCache(folder, new Date()), 0);
  assert.equal((await filesIn(folder)).length, 2);
});

test('what a run that was killed left unfinished goes the next day', async () => {
  const folder = await temporaryFolder();
  const left = [join(folder, `.${NAME}.index.77.part`), join(folder, NAME, `.${NAME}.rows.78.part`)];
  await mkdir(join(folder, NAME));
  for (const path of left) await writeFile(path, 'half');
  assert.equal(await collectCache(folder, new Date()), 0);
  for (const path of left) await age(path, 2);
  assert.equal(await collectCache(folder, new Date()), 8);
  await assert.rejects(stat(join(folder, NAME)), { code: 'ENOENT' });
});
