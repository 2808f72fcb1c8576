import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { report } from './rollouts/fixtures.js';
import { openStore } from './store/open.js';
import { BIN } from './testing/command.js';
import { allRollups, take } from './testing/rollups.js';
import { tamper } from './testing/store.js';
import { testHub } from './testing.js';

const rebuild = (folder: string) =>
  spawnSync(process.execPath, [BIN, 'hub', 'rebuild-rollups', '--state', folder], { encoding: 'utf8' });

test('`adbreak hub rebuild-rollups` refuses a hub that runs, and mends the sums of one that is stopped', async (t) => {
  const hub = await testHub(t);
  const running = rebuild(hub.folder);
  assert.equal(running.status, 1);
  assert.match(running.stderr, /error conflict: Cannot use the state folder .*: a hub runs on it/);
  await hub.running[Symbol.asyncDispose]();
  assert.match(rebuild(hub.folder).stdout, /no day of which all raw reports are kept; nothing was changed/);
  const store = await openStore(hub.folder, () => new Date());
  const start = new Date(Math.floor(Date.now() / 3_600_000 - 1) * 3_600_000);
  const end = new Date(start.getTime() + 3_600_000);
  const times = { start: start.toISOString(), end: end.toISOString() };
  for (const sequence of [1, 2]) await take(store, 'pi-1', report(sequence, 0, { agreed: 5 }, times));
  await store.close();
  const before = await allRollups(hub.folder);
  await tamper(hub.folder, "update model_day set body = 'gone'");
  const day = times.start.slice(0, 10);
  const { status, stdout, stderr } = rebuild(hub.folder);
  assert.deepEqual([status, stdout], [0, `2 reports of ${day} to ${day} (UTC) gave 5 rows.\n`], stderr);
  assert.deepEqual(await allRollups(hub.folder), before);
});

test('where no hub was ever started nothing is made', async () => {
  const { status, stderr } = rebuild(await temporaryFolder());
  assert.equal(status, 1);
  assert.match(stderr, /error not_found: Cannot rebuild rollups: no hub has been started/);
});
