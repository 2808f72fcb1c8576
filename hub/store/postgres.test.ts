import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { explainForPeople, hasCode } from '@adbreak/shared/errors.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { report } from '../rollouts/fixtures.js';
import { type PostgresServer, postgresServer } from '../testing/postgres.js';
import { PostgresProxy } from '../testing/postgres-proxy.js';
import { deviceEntry } from '../testing/state.js';
import { auditLines, storedState } from '../testing/store.js';
import { auditLog } from './audit.js';
import { storeContract } from './contract.js';
import { type OpenOptions, openStore } from './open.js';
import { openSettings, SETTINGS_FILE } from './settings.js';
import type { SqlStore } from './sql-store.js';

const now = () => new Date('2026-01-01T00:00:00.000Z');

storeContract('PostgreSQL', async () => {
  const [server, folder] = await Promise.all([postgresServer(), temporaryFolder()]);
  const store = await server.database();
  return { open: (wrap) => openStore(folder, now, { store, ...(wrap && { wrap }) }) };
});

/** A store of one device, and what it told. */
async function used(t: TestContext, url: string, options: OpenOptions = {}) {
  const said: string[] = [];
  const store = await openStore(await temporaryFolder(), now, {
    store: url,
    say: (line) => said.push(line),
    ...options,
  });
  t.after(() => store.close());
  await store.change(({ devices }) => void Object.assign(devices, { 'pi-1': deviceEntry('pi-1', 'one') }));
  return { store, said };
}
/** One report more; the device's sequence afterwards. */
const count = (store: SqlStore) =>
  store.change(({ devices }, writing) => {
    const device = devices['pi-1'];
    assert.ok(device !== undefined);
    device.sequence += 1;
    writing.event('r', { kind: 'tick', at: now().toISOString(), siblings: [] });
    return device.sequence;
  });
const counted = ({ state }: SqlStore) => state.devices['pi-1']?.sequence;
async function kept(server: PostgresServer, url: string): Promise<{ sequence: unknown; events: unknown }> {
  const [row] = await server.query(
    url,
    "select (body::json->>'sequence')::int as sequence, (select count(*)::int from event) as events from device",
  );
  return row as { sequence: unknown; events: unknown };
}
/** Until the store refuses changes. One that was asked for before the loss was noticed waits for what is in doubt. */
const refuses = (store: SqlStore, words: RegExp) =>
  until(`${words}`, async () => {
    const refused = store
      .change(() => undefined)
      .then(
        () => false,
        (error: unknown) => hasCode(error, 'store_unreachable') && words.test(error.message),
      );
    return Promise.race([refused, new Promise<false>((resolve) => setTimeout(resolve, 50, false))]);
  });
/** Until the store takes changes again. */
const back = (store: SqlStore) =>
  until('the store takes changes', () =>
    store
      .change(() => undefined)
      .then(
        () => true,
        (error: unknown) => {
          if (hasCode(error, 'store_unreachable')) return false;
          throw error;
        },
      ),
  );

test('one hub a database: a second one is refused in a sentence, and let in when the first has ended', async (t) => {
  const url = await (await postgresServer()).database();
  const { store } = await used(t, url);
  await assert.rejects(openStore(await temporaryFolder(), now, { store: url }), {
    code: 'conflict',
    message: /^Cannot open postgres:\/\/hub@\S+: another hub works with this database$/,
  });
  assert.equal(await count(store), 1, 'the first goes on');
  await store.close();
  await (await openStore(await temporaryFolder(), now, { store: url })).close();
});

test('a session that the server ends is opened again by itself, with the lock', async (t) => {
  const server = await postgresServer();
  const url = await server.database();
  const { store, said } = await used(t, url);
  await server.query(
    url,
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'adbreak hub' and datname = current_database()",
  );
  await until('it says that it is back', () => said.some((line) => /^postgres:.* is back$/.test(line)));
  assert.equal(await count(store), 1);
  await assert.rejects(openStore(await temporaryFolder(), now, { store: url }), { code: 'conflict' });
  assert.deepEqual(await kept(server, url), { sequence: 1, events: 1 });
});

test('a server that is gone in the middle and comes back: changes are refused or kept, none is both, and the hub goes on', async (t) => {
  const server = await postgresServer();
  const url = await server.database();
  const { store, said } = await used(t, url);
  const outcomes: Promise<unknown>[] = [];
  const failed: unknown[] = [];
  let over = false;
  const writing = (async () => {
    while (!over) {
      const one = count(store).catch((error: unknown) => void failed.push(error));
      outcomes.push(one);
      // Not for its end: a change whose COMMIT was not answered waits for the server.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await server.down('immediate');
  await until('changes are refused', () => failed.length > 3);
  assert.ok(failed.every((error) => hasCode(error, 'store_unreachable')));
  await assert.rejects(store.events('r').next(), { code: 'store_unreachable' });
  await server.up();
  await back(store);
  over = true;
  await writing;
  await Promise.all(outcomes);
  const good = outcomes.length - failed.length;
  t.diagnostic(`${good} kept, ${failed.length} refused; ${said.join('; ')}`);
  assert.deepEqual([counted(store), await kept(server, url)], [good, { sequence: good, events: good }]);
  assert.match(said.join('\n'), /nothing is acknowledged until it is back/);
});

for (const side of ['server', 'hub'] as const)
  test(`a connection that is lost during COMMIT, ${side === 'server' ? 'after' : 'before'} it reached the server: told when it is known, once`, async (t) => {
    const server = await postgresServer();
    const url = await server.database();
    await using proxy = await PostgresProxy.to(server.socket);
    const { store } = await used(t, proxy.through(url));
    await count(store);
    proxy.silence(side);
    const doubtful = count(store).then(
      (sequence) => sequence,
      (error: unknown) => (hasCode(error, 'store_unreachable') ? 'refused' : error),
    );
    if (side === 'server')
      await until('the change is there', async () => (await kept(server, url)).sequence === 2);
    else await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.cut();
    let told = false;
    void doubtful.then(() => {
      told = true;
    });
    await refuses(store, /Cannot/);
    assert.equal(told, false, 'nobody knows yet');
    assert.equal(counted(store), 1);
    proxy.mend();
    assert.equal(await doubtful, side === 'server' ? 2 : 'refused');
    const sequence = await count(store);
    assert.equal(sequence, side === 'server' ? 3 : 2);
    assert.deepEqual(await kept(server, url), { sequence, events: sequence });
    const numbers: number[] = [];
    for await (const { number } of store.events('r')) numbers.push(number);
    assert.deepEqual(
      numbers,
      Array.from({ length: sequence }, (_, i) => i + 1),
    );
  });

test('a hub that stops while nobody knows whether its last change was kept says so, and does not wait', async () => {
  const server = await postgresServer();
  const url = await server.database();
  await using proxy = await PostgresProxy.to(server.socket);
  const store = await openStore(await temporaryFolder(), now, { store: proxy.through(url) });
  proxy.silence('server');
  const doubtful = assert.rejects(
    store.change(
      (state) =>
        void state.tokens.push({
          id: 'a',
          hash: 'a'.repeat(64),
          role: 'viewer',
          created: now().toISOString(),
        }),
    ),
    { code: 'store_unreachable', message: /^Cannot say whether the last change was kept/ },
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  proxy.cut();
  await refuses(store, /Cannot/);
  await store.close();
  await doubtful;
});

test('another hub had the database meanwhile: one that wrote nothing is waited for, one that wrote stops this hub', async (t) => {
  const server = await postgresServer();
  const url = await server.database();
  await using proxy = await PostgresProxy.to(server.socket);
  const stopped: unknown[] = [];
  const { store } = await used(t, proxy.through(url), { stop: (why) => stopped.push(why) });
  const meanwhile = async (work: (other: SqlStore) => Promise<unknown>) => {
    proxy.cut();
    const other = await openStore(await temporaryFolder(), now, { store: url });
    proxy.mend();
    await refuses(store, /another hub works with/);
    await work(other);
    await other.close();
  };
  await meanwhile(async () => undefined);
  await back(store);
  assert.equal(await count(store), 1);
  assert.deepEqual(stopped, []);
  await meanwhile(count);
  await until('the hub is stopped', () => stopped.length > 0);
  assert.ok(hasCode(stopped[0], 'conflict'));
  await assert.rejects(count(store), { code: 'conflict', message: /it is not as this hub left it/ });
  assert.deepEqual(await kept(server, url), { sequence: 2, events: 2 });
  assert.equal(stopped.length, 1);
});

test('a database that cannot be used is named in one sentence, with what to do and without the password', async () => {
  const server = await postgresServer();
  const good = new URL(await server.database());
  const { password } = good;
  const folder = await temporaryFolder();
  const changed = (change: Partial<Pick<URL, 'password' | 'pathname' | 'username'>>) =>
    Object.assign(new URL(good.href), change).href;
  for (const [url, code, words] of [
    [changed({ password: 'wrong-secret' }), 'store_unreachable', /the server refuses the password/],
    [changed({ password: '' }), 'store_unreachable', /its server asks for a password/],
    [changed({ pathname: '/nowhere' }), 'store_unreachable', /there is no such database/],
    [changed({ username: 'nobody' }), 'store_unreachable', /refuses the password|refuses this user/],
    [`postgres://hub:${password}@nowhere.invalid/x`, 'store_unreachable', /no such host|cannot be looked up/],
    [`postgres://hub:${password}@127.0.0.1:1/x`, 'store_unreachable', /nobody listens there/],
    [`postgres://hub:${password}@localhost/x?host=/nowhere`, 'store_unreachable', /there is no such socket/],
    [`mysql://hub:${password}@127.0.0.1/x`, 'input_invalid', /must begin with postgres:/],
    [`postgres://hub:${password}@127.0.0.1`, 'input_invalid', /must name a database/],
    [`postgres://hub:${password}@h/x?sslrootcert=/nowhere`, 'input_invalid', /Cannot use the store/],
  ] as const) {
    const error: unknown = await openStore(folder, now, { store: url }).catch((thrown: unknown) => thrown);
    const said = explainForPeople(error);
    assert.ok(hasCode(error, code), said);
    assert.match(said, words);
    assert.match(said, /what to do: \S/);
    assert.ok(!said.includes(password) && !said.includes('wrong-secret'), said);
  }
});

test('the password comes from a password file or from PGPASSWORD too', async (t) => {
  const server = await postgresServer();
  const url = new URL(await server.database());
  const { password } = url;
  url.password = '';
  const folder = await temporaryFolder();
  const file = join(folder, 'pgpass');
  await writeFile(file, `*:*:*:hub:${password}\n`, { mode: 0o600 });
  t.after(() => {
    delete process.env['PGPASSFILE'];
    delete process.env['PGPASSWORD'];
  });
  process.env['PGPASSFILE'] = file;
  await (await openStore(folder, now, { store: url.href })).close();
  delete process.env['PGPASSFILE'];
  process.env['PGPASSWORD'] = password;
  await (await openStore(folder, now, { store: url.href })).close();
});

test('a newer schema and a read-only server are refused in a sentence, and nothing is touched', async () => {
  const server = await postgresServer();
  const url = await server.database();
  const folder = await temporaryFolder();
  await (await openStore(folder, now, { store: url })).close();
  await server.query(url, "insert into migration values (99, 'of tomorrow', '2030-01-01')");
  await assert.rejects(openStore(folder, now, { store: url }), {
    code: 'conflict',
    message: /its schema is number \d+, and this hub knows \d+: a newer hub wrote it/,
  });
  await server.query(url, 'delete from migration where number = 99');
  await (await openStore(folder, now, { store: url })).close();
  const database = new URL(url).pathname.slice(1);
  await server.query(url, `alter database ${database} set default_transaction_read_only = on`);
  const store = await openStore(folder, now, { store: url });
  await assert.rejects(
    store.change(
      (state) =>
        void state.tokens.splice(0, 0, {
          id: 'a',
          hash: 'a'.repeat(64),
          role: 'viewer',
          created: now().toISOString(),
        }),
    ),
    { code: 'state_unwritable', message: /the server is read-only/ },
  );
  assert.deepEqual(store.state.tokens, []);
  await store.close();
  const fresh = await server.database();
  await server.query(
    fresh,
    `alter database ${new URL(fresh).pathname.slice(1)} set default_transaction_read_only = on`,
  );
  await assert.rejects(openStore(folder, now, { store: fresh }), {
    code: 'state_unwritable',
    message: /read-only/,
  });
});

test('a full disk of the server is disk_full: nothing changes, and it goes on when there is space again', async (t) => {
  const server = await postgresServer();
  const volume = await smallVolume(t, 24 * 1024);
  const space = join(volume, 'space');
  await mkdir(space);
  const { uid, gid } = await stat(join(server.socket, '..'));
  await chmod(volume, 0o755);
  await chown(space, uid, gid);
  await server.query('postgres', `create tablespace small location '${space}'`);
  const url = await server.database('small');
  const { store } = await used(t, url);
  const ballast = join(volume, 'ballast');
  execFileSync('sh', ['-c', `head -c 40M /dev/zero > ${ballast} || true`], { stdio: 'ignore' });
  let good = 0;
  const failure: unknown = await (async () => {
    for (;;) {
      // Incompressible, or it fits into less than it is.
      const noise = Array.from({ length: 20_000 }, (_, i) =>
        Math.sin(good * 1e5 + i)
          .toString(36)
          .slice(4),
      ).join('');
      await store.change((_, writing) =>
        writing.report(
          { device: 'pi-1', sequence: good + 1, start: now().toISOString(), body: noise },
          report(good + 1, 0, { agreed: 1 }),
          { missing: 0, twice: false, unknown: [] },
        ),
      );
      good += 1;
    }
  })().catch((error: unknown) => error);
  assert.ok(hasCode(failure, 'disk_full'), String(failure));
  await rm(ballast);
  const before = counted(store) ?? 0;
  assert.equal(await count(store), before + 1);
  await store.close();
  // Before its volume goes: the server is that of the other tests too.
  await server.query('postgres', `drop database ${new URL(url).pathname.slice(1)}`);
  await server.query('postgres', 'drop tablespace small');
});

test('the settings say where the store is; a wrong one is refused without its words, and who looks from beside looks there', async (t) => {
  const server = await postgresServer();
  const url = await server.database();
  const folder = await temporaryFolder();
  const path = join(folder, SETTINGS_FILE);
  await writeFile(path, JSON.stringify({ store: url }));
  assert.equal((await openSettings(folder)).store, url);
  const { store } = await used(t, url);
  await store.change(() => undefined, { who: 'test', what: 'thing.change', subject: 'x' });
  assert.deepEqual(Object.keys((await storedState(folder)).devices), ['pi-1']);
  assert.equal((await auditLines(folder)).length, 1);
  const lines: string[] = [];
  for await (const line of auditLog(folder)) lines.push(line);
  assert.equal(lines.length, 1);
  for (const text of ['{"store": "mysql://u:secret@h/d"}', '{"store": "postgres://u:secret@h/d" x}']) {
    await writeFile(path, text);
    const error: unknown = await openSettings(folder).catch((thrown: unknown) => thrown);
    assert.ok(hasCode(error, 'input_invalid'));
    assert.ok(!explainForPeople(error).includes('secret'), explainForPeople(error));
  }
});
