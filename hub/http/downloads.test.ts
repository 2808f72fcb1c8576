import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { QUOTAS, Quotas } from '../fleet/quotas.js';
import { artifactAt } from '../registry/artifact.js';
import { Downloads } from './downloads.js';

const SIZE = 1_000_000;
async function artifact(size = SIZE) {
  const path = join(await temporaryFolder(), 'model');
  await writeFile(path, Buffer.alloc(size, 7));
  return (await artifactAt(path, 'a'.repeat(64))) ?? assert.fail();
}

test('a device reads one file at a time: the next is opened when the one before is closed; a fourth that waits is refused', async () => {
  const downloads = new Downloads(new Quotas());
  const own = downloads.of('pi-1', await artifact());
  const first = await own.read(0, SIZE - 1);
  const opened: number[] = [];
  const waiting = [2, 3, 4].map((n) =>
    own.read(0, 9).then((bytes) => {
      opened.push(n);
      bytes.destroy();
    }),
  );
  await assert.rejects(own.read(0, 9), { code: 'too_many_requests', message: /another one is under way/ });
  const other = await downloads.of('pi-2', await artifact()).read(0, 9);
  assert.equal(Buffer.concat(await other.toArray()).length, 10, 'another device waits for nobody');
  assert.deepEqual(opened, []);
  assert.equal(Buffer.concat(await first.toArray()).length, SIZE);
  await Promise.all(waiting);
  assert.deepEqual(opened, [2, 3, 4]);
});

test('what a device fetches is charged to it; beyond its quota it is refused, and its turn is free again', async () => {
  const quotas = new Quotas();
  const downloads = new Downloads(quotas);
  const own = downloads.of('pi-1', await artifact());
  assert.equal(quotas.fetch('pi-1', QUOTAS.fetched.burst - SIZE, performance.now()), null);
  (await own.read(0, SIZE - 1)).destroy();
  for (let asked = 0; asked < 2; asked++)
    await assert.rejects(own.read(0, SIZE - 1), {
      code: 'too_many_requests',
      message: /it has fetched 2147483648 bytes/,
    });
  // Ten bytes are there again after a thousandth of a second.
  await sleep(10);
  (await own.read(0, 9)).destroy();
});

test('a file that is gone when its turn comes is told, and keeps nobody waiting', async () => {
  const gone = await artifactAt(join(await temporaryFolder(), 'none'), 'a'.repeat(64));
  assert.equal(gone, undefined);
  const downloads = new Downloads(new Quotas());
  const read = async () => {
    throw new Error('it is gone');
  };
  const own = downloads.of('pi-1', { digest: 'a'.repeat(64), size: 10, read });
  for (let asked = 0; asked < 2; asked++) await assert.rejects(own.read(0, 9), /it is gone/);
});
