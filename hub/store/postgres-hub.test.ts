import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { rebuildRollups } from '../rebuild-rollups.js';
import { spawnHub } from '../testing/killed.js';
import { postgresServer } from '../testing/postgres.js';
import { PostgresProxy } from '../testing/postgres-proxy.js';
import { testHub } from '../testing.js';
import { makeAdminToken } from '../token.js';
import { DATABASE_FILE, openStore } from './open.js';
import { SETTINGS_FILE } from './settings.js';

const now = () => new Date();
const settings = (folder: string, store: string) =>
  writeFile(join(folder, SETTINGS_FILE), JSON.stringify({ store }));

test('a hub on PostgreSQL starts, keeps its tokens, and has no database in its folder; where its rows are gone it starts no new fleet', async (t) => {
  const server = await postgresServer();
  const folder = await temporaryFolder();
  await settings(folder, await server.database());
  await assert.rejects(
    makeAdminToken(folder, now, () => undefined),
    { code: 'not_found', message: /no hub has been started/ },
  );
  await assert.rejects(
    rebuildRollups(folder, now, () => undefined),
    { code: 'not_found', message: /no hub has been started/ },
  );
  const hub = await testHub(t, { folder });
  assert.notEqual(hub.token, '');
  await hub.running[Symbol.asyncDispose]();
  assert.match((await makeAdminToken(folder, now, () => undefined)).id, /^admin-/);
  assert.equal((await rebuildRollups(folder, now, () => undefined)).reports, 0);
  const again = await testHub(t, { folder });
  assert.equal(again.running.firstToken, null);
  await again.running[Symbol.asyncDispose]();
  assert.deepEqual(await rebuildRollups(folder, now, () => undefined), { days: null, reports: 0, rows: 0 });
  await assert.rejects(stat(join(folder, DATABASE_FILE)), { code: 'ENOENT' });
  await settings(folder, await server.database());
  await assert.rejects(testHub(t, { folder }), {
    code: 'state_corrupt',
    message: /the database of `store` in settings\.json is missing or empty, but hub\.begun is there/,
  });
});

test('a hub whose database another one wrote to ends with one sentence', async (t) => {
  const server = await postgresServer();
  const folder = await temporaryFolder();
  const url = await server.database();
  await using proxy = await PostgresProxy.to(server.socket);
  await settings(folder, proxy.through(url));
  const hub = await spawnHub(t, folder);
  proxy.cut();
  const other = await openStore(await temporaryFolder(), now, { store: url });
  await other.change(() => undefined, { who: 'other', what: 'thing.change', subject: 'x' });
  await other.close();
  const ended = once(hub.child, 'exit');
  proxy.mend();
  const [code] = await ended;
  assert.notEqual(code, 0);
  assert.match(
    hub.words(),
    /error conflict: Cannot go on with postgres:\/\/hub@\S+: it is not as this hub left it/,
  );
  assert.ok(!hub.words().includes(new URL(url).password));
});
