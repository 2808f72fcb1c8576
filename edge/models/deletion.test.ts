import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { ModelStore } from './fetch.js';

const NOBODY = { device: 'pi', key: '', certificate: '', authority: '', mqtt: '', root: '' };
const digestOf = (letter: string) => letter.repeat(64);

async function storeWith(names: readonly string[]): Promise<{ folder: string; store: ModelStore }> {
  const folder = await temporaryFolder();
  for (const name of names) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'model.tflite'), name);
  }
  await writeFile(join(folder, 'state.a.json'), '{}');
  return { folder, store: new ModelStore(folder, NOBODY, 'https://hub.example') };
}

test('models that are not named are deleted, and what a power cut left; slots and metadata stay', async () => {
  const { folder, store } = await storeWith([
    digestOf('a'),
    digestOf('b'),
    `.staging-${digestOf('a')}`,
    `.deleted-${digestOf('c')}`,
    'tuf',
  ]);
  const said: string[] = [];
  await store.deleteAllBut(new Set([digestOf('a')]), (line) => said.push(line));
  assert.deepEqual((await readdir(folder)).sort(), [digestOf('a'), 'state.a.json', 'tuf'].sort());
  assert.deepEqual(said, ['models: bbbbbbbbbbbb is needed no more and was deleted']);
});

test('a model that cannot be deleted is told to the log, and the others go', async (t) => {
  const { folder, store } = await storeWith([digestOf('a'), digestOf('b')]);
  const busy = join(folder, digestOf('a'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', busy]);
  t.after(() => execFileSync('umount', ['-l', busy]));
  const said: string[] = [];
  await store.deleteAllBut(new Set(), (line) => said.push(line));
  assert.deepEqual((await readdir(folder)).sort(), [digestOf('a'), 'state.a.json'].sort());
  assert.match(said.join('\n'), /cannot delete \S+aaaa: EBUSY/);
});
