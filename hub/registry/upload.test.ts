import assert from 'node:assert/strict';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Uploads } from './upload.js';

const PARTS = ['one', 'two', 'three'].map((part) => Buffer.from(part));

test('a file that comes lies on the disk with its length and digest, until it is disposed of', async () => {
  const folder = join(await temporaryFolder(), 'uploads');
  const uploads = new Uploads(folder);
  {
    await using upload = await uploads.receive(Readable.from(PARTS));
    assert.deepEqual([upload.bytes, upload.digest], [11, sha256('onetwothree')]);
    assert.equal(await readFile(upload.path, 'utf8'), 'onetwothree');
  }
  assert.deepEqual(await readdir(folder), []);
});

test('of what is too long, or breaks off, nothing is left', async () => {
  const folder = join(await temporaryFolder(), 'uploads');
  const uploads = new Uploads(folder);
  await assert.rejects(uploads.receive(Readable.from(PARTS), 10), {
    code: 'input_too_large',
    message: /more than 10 bytes/,
  });
  const broken = async function* () {
    yield Buffer.from('some');
    throw new Error('the line is gone');
  };
  await assert.rejects(uploads.receive(broken()), /the line is gone/);
  assert.deepEqual(await readdir(folder), []);
});

test('what a killed hub has left is removed, and what comes now is not', async () => {
  const folder = join(await temporaryFolder(), 'uploads');
  const uploads = new Uploads(folder);
  await uploads.tidy(Date.now());
  await writeFile(join(folder, 'half'), 'of a model');
  await utimes(join(folder, 'half'), new Date(0), new Date(0));
  await using upload = await uploads.receive(Readable.from(PARTS));
  await uploads.tidy(Date.now() - 60_000);
  assert.deepEqual(await readdir(folder), [basename(upload.path)]);
});
