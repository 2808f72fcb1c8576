import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { smallVolume, temporaryFolder } from '../testing/temporary.js';
import { readLimited, writeAtomic } from './atomic.js';

test('a file is replaced whole and leaves nothing beside it', async () => {
  const folder = await temporaryFolder();
  await writeAtomic(join(folder, 'deep/er/state.json'), 'one');
  await writeAtomic(join(folder, 'deep/er/state.json'), 'two');
  assert.equal(await readFile(join(folder, 'deep/er/state.json'), 'utf8'), 'two');
  assert.deepEqual(await readdir(join(folder, 'deep/er')), ['state.json']);
});

test('a full disk is one clear error, the old file stays, nothing half-written remains', async (t) => {
  const folder = await smallVolume(t, 64);
  const path = join(folder, 'state.json');
  await writeAtomic(path, 'old');
  await assert.rejects(
    writeAtomic(path, Buffer.alloc(200_000)),
    (error: unknown) =>
      error instanceof AdbreakError && error.code === 'disk_full' && error.message.includes(path),
  );
  assert.equal(await readFile(path, 'utf8'), 'old');
  assert.deepEqual(await readdir(folder), ['state.json']);
});

test('a file over its limit is not read', async () => {
  const path = join(await temporaryFolder(), 'large');
  await writeAtomic(path, Buffer.alloc(2000));
  await assert.rejects(
    readLimited(path, 1000),
    (error: unknown) => error instanceof AdbreakError && error.code === 'input_too_large',
  );
  assert.equal(await readLimited(`${path}.none`, 1000), undefined);
});
