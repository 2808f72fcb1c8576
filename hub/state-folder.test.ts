import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { callHub } from './cli/client.js';
import { enrolByHand, session } from './testing/enrol.js';
import { testHub } from './testing.js';

/** A state folder that a hub has worked in, and one whose first start has just ended. */
async function folders(t: TestContext): Promise<{ used: string; token: string }> {
  const hub = await testHub(t);
  await enrolByHand(hub, 'pi-1');
  await hub.running[Symbol.asyncDispose]();
  return { used: hub.folder, token: hub.token };
}
async function copyOf(folder: string): Promise<string> {
  const copy = join(await temporaryFolder(), 'state');
  await cp(folder, copy, { recursive: true });
  return copy;
}

test('what is missing or damaged in the folder of a hub that has worked is state_corrupt, names the file, and changes nothing', async (t) => {
  const { used } = await folders(t);
  const newest = (await readdir(join(used, 'registry/metadata')))
    .filter((name) => /\.(snapshot|targets)\.json$/.test(name))
    .map((name) => `registry/metadata/${name}`);
  assert.equal(newest.length, 2);
  const files = [
    'identity/ca.key',
    'identity/ca.pem',
    'registry/metadata/1.root.json',
    'registry/metadata/timestamp.json',
    ...newest,
  ];
  const keys = ['root', 'targets', 'snapshot', 'timestamp'].map((role) => `registry/keys/${role}.key`);
  for (const name of [...files, ...keys])
    for (const content of [null, '', '{"signed":{}}']) {
      const folder = await copyOf(used);
      const path = join(folder, name);
      if (content === null) await rm(path);
      else await writeFile(path, content);
      const before = await readdir(folder, { recursive: true });
      await assert.rejects(
        testHub(t, { folder }),
        (error: unknown) =>
          error instanceof AdbreakError && error.code === 'state_corrupt' && error.message.includes(path),
        `${name}: ${content}`,
      );
      assert.deepEqual(await readdir(folder, { recursive: true }), before, name);
      if (content !== null) assert.equal(await readFile(path, 'utf8'), content);
    }
});

test('keys of another hub are not those that the devices trust', async (t) => {
  const { used } = await folders(t);
  const other = await folders(t);
  for (const name of [
    'identity/ca.key',
    'identity/ca.pem',
    'registry/keys/targets.key',
    'registry/keys/root.key',
  ]) {
    const folder = await copyOf(used);
    await cp(join(other.used, name), join(folder, name));
    await assert.rejects(testHub(t, { folder }), { code: 'state_corrupt' }, name);
  }
});

test('without its database a folder that a hub has worked in starts no new hub', async (t) => {
  const { used } = await folders(t);
  await rm(join(used, 'hub.db'));
  const before = await readdir(used, { recursive: true });
  await assert.rejects(testHub(t, { folder: used }), {
    code: 'state_corrupt',
    message: /hub\.db is missing or empty, but hub\.begun is there/,
  });
  assert.deepEqual(await readdir(used, { recursive: true }), before);
  // That is gone too: what the registry holds says it still.
  await rm(join(used, 'hub.begun'));
  await writeFile(join(used, 'registry/targets', '0'.repeat(64)), '');
  await assert.rejects(testHub(t, { folder: used }), {
    code: 'state_corrupt',
    message: /registry\/targets is there/,
  });
  // SQLite takes an empty file for a new database.
  await writeFile(join(used, 'hub.db'), '');
  await assert.rejects(testHub(t, { folder: used }), {
    code: 'state_corrupt',
    message: /hub\.db is missing or empty/,
  });
});

test('a first start that was ended at any step goes on with the next one', async (t) => {
  const first = await testHub(t);
  await first.running[Symbol.asyncDispose]();
  // In the order in which a first start writes them; a database without a token in it comes before all.
  const steps = [
    ['identity/ca.key'],
    ['identity/ca.pem'],
    ['registry/keys/root.key', 'registry/keys/snapshot.key'],
    ['registry/keys/targets.key', 'registry/keys/timestamp.key'],
    ['registry/metadata/1.root.json'],
    ['registry/metadata/1.targets.json'],
    ['registry/metadata/1.snapshot.json'],
    ['registry/metadata/timestamp.json'],
  ];
  for (let done = 1; done <= steps.length; done++) {
    const folder = await temporaryFolder();
    for (const name of steps.slice(0, done).flat()) await cp(join(first.folder, name), join(folder, name));
    const hub = await testHub(t, { folder });
    assert.notEqual(hub.token, '', `after ${steps[done - 1]?.join()}`);
    await session(hub, await enrolByHand(hub, 'pi-1'));
    await hub.running[Symbol.asyncDispose]();
    const again = await testHub(t, { folder });
    assert.equal(again.running.firstToken, null);
    await callHub({ ...again, token: hub.token }, '/api/v1/overview');
    await again.running[Symbol.asyncDispose]();
  }
});
