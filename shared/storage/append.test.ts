import assert from 'node:assert/strict';
import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { smallVolume, temporaryFolder } from '../testing/temporary.js';
import { AppendFile } from './append.js';

const full = (error: unknown) => error instanceof AdbreakError && error.code === 'disk_full';

test('lines of another writer stay whole, and positions count them', async () => {
  const path = join(await temporaryFolder(), 'log.jsonl');
  const log = await AppendFile.open(path);
  await log.append('{"n":1}\n');
  await appendFile(path, '{"by":"another"}\n');
  const length = await log.append('{"n":2}\n');
  const text = await readFile(path, 'utf8');
  assert.deepEqual([text, length], ['{"n":1}\n{"by":"another"}\n{"n":2}\n', text.length]);
});

test('an append that fails after somebody emptied the file leaves no hole, nor anything of itself', async (t) => {
  const folder = await smallVolume(t, 64);
  const path = join(folder, 'log.jsonl');
  const log = await AppendFile.open(path);
  await log.append(`${'a'.repeat(10_000)}\n`);
  await truncate(path, 0);
  await assert.rejects(log.append(`${'b'.repeat(100_000)}\n`), full);
  assert.equal((await readFile(path)).length, 0, 'nothing of it, and no NULs');
  await writeFile(join(folder, 'ballast'), Buffer.alloc(40_000));
  await assert.rejects(log.append(`${'c'.repeat(50_000)}\n`), full);
  await rm(join(folder, 'ballast'));
  await log.append('{"n":3}\n');
  assert.equal(await readFile(path, 'utf8'), '{"n":3}\n');
});
