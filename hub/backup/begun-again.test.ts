import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { callHub } from '../cli/client.js';
import { publish } from '../testing/chain.js';
import { BIN, run } from '../testing/command.js';
import { postgresServer } from '../testing/postgres.js';
import { testHub } from '../testing.js';

/** Loaded before the command: kills it as it is about to decide, when its rows are committed. */
const KILLER = `
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
const { rename } = fs;
fs.rename = (from, to) => {
  if (String(to).endsWith('restore.decided')) process.kill(process.pid, 'SIGKILL');
  return rename(from, to);
};
syncBuiltinESMExports();
`;

test('a restore onto PostgreSQL that is killed between its commit and its decision is begun again, by who began it; once a hub has opened the database, by nobody', {
  timeout: 240_000,
}, async (t) => {
  const first = await testHub(t);
  await publish(first, '1.0.0');
  await first.running[Symbol.asyncDispose]();
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  assert.equal((await run(['hub', 'backup', '--state', first.folder, path])).code, 0);
  const url = await (await postgresServer()).database();
  const folder = join(await temporaryFolder(), 'state');
  const command = (into: string) => ['hub', 'restore', '--store', url, '--state', into, path];
  const killer = join(await temporaryFolder(), 'kill.mjs');
  await writeFile(killer, KILLER);
  const child = spawn(process.execPath, ['--import', killer, BIN, ...command(folder)], { stdio: 'ignore' });
  assert.deepEqual(await once(child, 'close'), [null, 'SIGKILL']);
  const another = await run(command(join(await temporaryFolder(), 'another')));
  assert.match(another.error, /error conflict: .*there is a hub's memory already/);
  const again = await run(command(folder));
  assert.equal(again.code, 0, again.error);
  const hub = { ...(await testHub(t, { folder })), token: first.token };
  const { models } = (await callHub(hub, '/api/v1/overview')) as { models: Record<string, unknown> };
  assert.deepEqual(Object.keys(models), ['base-ad-detector']);
  await hub.running[Symbol.asyncDispose]();
  const late = await run(['hub', 'restore', '--force', ...command(folder).slice(2)]);
  assert.match(late.error, /error conflict: .*there is a hub's memory already/);
});
