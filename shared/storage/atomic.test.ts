import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError, hasCode } from '../errors.js';
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

test('a pipe is read as far as its limit, waits for its writer, and is empty where nobody writes; a device ends at the limit', {
  timeout: 20_000,
}, async () => {
  const path = join(await temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  assert.equal((await readLimited(path, 1000))?.byteLength, 0);
  const held = await open(path, constants.O_RDWR);
  const read = readLimited(path, 1000);
  await sleep(50);
  await held.write('one');
  await sleep(50);
  await held.write('two');
  await sleep(50);
  await held.close();
  assert.equal(Buffer.from((await read) ?? []).toString(), 'onetwo');
  await assert.rejects(readLimited('/dev/zero', 100_000), (error: unknown) =>
    hasCode(error, 'input_too_large'),
  );
});
