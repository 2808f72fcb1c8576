import assert from 'node:assert/strict';
import { readFile, realpath, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { LOCK_FILE, lockHub } from './lock.js';

/** What a hub that runs now has written into its lock file, without its socket: as one in another network namespace looks. */
async function foreignLock(edit: object): Promise<{ folder: string; path: string }> {
  const elsewhere = await temporaryFolder();
  const lock = await lockHub(elsewhere);
  const own: object = JSON.parse(await readFile(join(elsewhere, LOCK_FILE), 'utf8'));
  await lock[Symbol.asyncDispose]();
  const folder = await temporaryFolder();
  const path = join(folder, LOCK_FILE);
  await writeFile(path, JSON.stringify({ ...own, nonce: 'another', ...edit }));
  return { folder, path };
}
const held = { code: 'conflict', message: /Cannot use the state folder .*: a hub runs on it/ };

test('the lock goes with its holder; a second one on the folder is refused', async () => {
  const folder = await temporaryFolder();
  const first = await lockHub(folder);
  await assert.rejects(lockHub(folder), held);
  await first[Symbol.asyncDispose]();
  await assert.rejects(stat(join(folder, LOCK_FILE)), { code: 'ENOENT' });
  await (await lockHub(folder))[Symbol.asyncDispose]();
});

test('a hub whose socket is out of sight holds the folder by its file while its process lives, and not longer', async () => {
  const alive = await foreignLock({});
  await assert.rejects(lockHub(alive.folder), held);
  // The number of a process that has ended, given to another one since.
  for (const edit of [{ started: '1' }, { pid: 2 ** 22 + 1 }]) {
    const { folder } = await foreignLock(edit);
    await (await lockHub(folder))[Symbol.asyncDispose]();
  }
});

test('a holder in another container is watched: it holds the folder while it touches the file', {
  timeout: 60_000,
}, async () => {
  const { folder, path } = await foreignLock({ namespace: 'pid:[1]' });
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), 500);
  await assert.rejects(lockHub(folder), held);
  clearInterval(beat);
  await (await lockHub(folder))[Symbol.asyncDispose]();
  // What a power cut leaves is nobody's.
  await writeFile(path, '');
  await (await lockHub(folder))[Symbol.asyncDispose]();
});

test('a hub touches its file, so that one elsewhere sees it', async () => {
  const folder = await temporaryFolder();
  await using _ = await lockHub(folder);
  const before = (await stat(join(folder, LOCK_FILE))).mtimeMs;
  for (
    const deadline = Date.now() + 20_000;
    (await stat(join(folder, LOCK_FILE))).mtimeMs === before;
    await new Promise((resolve) => setTimeout(resolve, 100))
  )
    assert.ok(Date.now() < deadline, 'it was never touched');
});

test('the socket alone holds the folder too: a hub of a version before the file is seen', async () => {
  const folder = await temporaryFolder();
  const other = createServer().listen(`\0adbreak-hub-${sha256(await realpath(folder)).slice(0, 32)}`);
  try {
    await assert.rejects(lockHub(folder), held);
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
});
