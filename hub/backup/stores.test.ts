import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { callHub } from '../cli/client.js';
import { publish } from '../testing/chain.js';
import { run } from '../testing/command.js';
import { enrolByHand } from '../testing/enrol.js';
import { postgresServer } from '../testing/postgres.js';
import { type TestHub, testHub } from '../testing.js';
import { collect, openBackup } from './read.js';

/** No look of the gate comes between two backups that are compared: cron of every first of January. */
const tick = '0 0 0 1 1 *';

/** The rows of a backup by table; what a restore writes itself, or what a store notes for itself, is left out. */
async function rowsIn(path: string): Promise<Record<string, string>> {
  const { entries } = await openBackup(path, new AbortController().signal);
  const found: Record<string, string> = {};
  for await (const { name, body } of entries) {
    const text = Buffer.from(await collect(body)).toString();
    if (/^rows\/(?!meta|audit|head|device)/.test(name)) found[name] = text;
  }
  return found;
}
async function backedUp(hub: Pick<TestHub, 'folder'>): Promise<string> {
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const { code, error } = await run(['hub', 'backup', '--state', hub.folder, path]);
  assert.equal(code, 0, error);
  return path;
}

test('from SQLite onto PostgreSQL and back: the same rows, a hub that runs, and no database with a memory is written to', {
  timeout: 300_000,
}, async (t) => {
  const first = await testHub(t, { tick });
  for (const version of ['1.0.0', '2.0.0']) await publish(first, version);
  await enrolByHand(first, 'pi-1');
  const before = await backedUp(first);
  await first.running[Symbol.asyncDispose]();
  const server = await postgresServer();
  const url = await server.database();
  const onPostgres = join(await temporaryFolder(), 'state');
  const put = ['hub', 'restore', '--store', url, '--state'];
  const there = await run([...put, onPostgres, before]);
  assert.equal(there.code, 0, there.error);
  assert.ok(!(await readdir(onPostgres)).includes('hub.db'));
  const second = { ...(await testHub(t, { folder: onPostgres, tick })), token: first.token };
  const { devices } = (await callHub(second, '/api/v1/overview')) as {
    devices: { id: string; desired: { revision: number } | null }[];
  };
  assert.equal(devices[0]?.id, 'pi-1');
  const after = await backedUp(second);
  assert.deepEqual(await rowsIn(after), await rowsIn(before));
  const checked = await run([
    'hub',
    'check',
    '--state',
    onPostgres,
    '--http-port',
    '0',
    '--mqtt-port',
    '0',
    '--json',
  ]);
  assert.doesNotMatch(checked.out, /"check":"(store|logs|clock|models|metadata|authority)","level":"w/);
  const full = await run([...put, join(await temporaryFolder(), 'another'), before]);
  assert.equal(full.code, 1);
  assert.match(full.error, /error conflict: /);
  await second.running[Symbol.asyncDispose]();
  const stopped = await run([...put, join(await temporaryFolder(), 'another'), before]);
  assert.match(stopped.error, /error conflict: Cannot restore into .*: there is a hub's memory already/);
  assert.match(stopped.error, /createdb NAME/);
  const onFile = join(await temporaryFolder(), 'state');
  const back = await run(['hub', 'restore', '--store', 'sqlite', '--state', onFile, after]);
  assert.equal(back.code, 0, back.error);
  assert.deepEqual(await rowsIn(await backedUp({ folder: onFile })), await rowsIn(before));
  const third = { ...(await testHub(t, { folder: onFile, tick })), token: first.token };
  const again = (await callHub(third, '/api/v1/overview')) as { devices: typeof devices };
  const revision = ({ desired }: (typeof devices)[number]) => desired?.revision ?? 0;
  assert.ok(
    again.devices.every((one, i) => revision(one) > revision(devices[i] ?? one)),
    'beyond the restore before',
  );
});
