import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callHub } from '../cli/client.js';
import { TABLES } from '../store/backup-rows.js';
import { publish } from '../testing/chain.js';
import { BIN, run } from '../testing/command.js';
import { enrolByHand } from '../testing/enrol.js';
import { storedRows, tamper } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';
import { backUp } from './backup.js';
import { collect, openBackup } from './read.js';

const never = new AbortController().signal;
const usual = {
  models: true,
  program: 'test',
  now: () => new Date(),
  signal: never,
  progress: () => undefined,
};

/** The entries of a backup by name, each read to its end; the manifest is checked on the way. */
async function entriesOf(path: string): Promise<Map<string, string>> {
  const { entries } = await openBackup(path, never);
  const found = new Map<string, string>();
  for await (const { name, body } of entries) found.set(name, Buffer.from(await collect(body)).toString());
  return found;
}
const sqlRows = (count: number) =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) insert into report (device, sequence, start, received, body) select 'pi-1', i, '2026-01-01T00:00:00.000Z', '${new Date().toISOString()}', '{"i":' || i || ',"words":"${'abcdefghij'.repeat(40)}"}' from n`;

async function fleet(t: TestContext): Promise<TestHub> {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await enrolByHand(hub, 'pi-1');
  return hub;
}

test('a backup of a running hub holds every table, keys, metadata in force and models, for its owner alone', async (t) => {
  const hub = await fleet(t);
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const { code, out, error } = await run(['hub', 'backup', '--state', hub.folder, path]);
  assert.equal(code, 0, error);
  assert.match(
    out,
    /1 devices, \d+ rows, 14 files; \d+ bytes\nIt holds the fleet's private keys, unencrypted/,
  );
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const found = await entriesOf(path);
  const files = [...found.keys()].filter((name) => name.startsWith('files/'));
  const { digest } = tinyRelease('1.0.0').manifest;
  for (const name of [
    'settings.json',
    'hub.begun',
    'identity/ca.key',
    'identity/ca.pem',
    'registry/keys/root.key',
  ])
    assert.equal(found.get(`files/${name}`), await readFile(join(hub.folder, name), 'utf8'), name);
  assert.ok(files.includes(`files/registry/targets/${digest}`));
  // The first list, of before the version, is in force no more.
  assert.deepEqual(
    files.filter((name) => name.includes('/metadata/')).map((name) => name.split('/').at(-1)),
    ['1.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json'],
  );
  assert.match(found.get('rows/device/000001.jsonl') ?? '', /"id":"pi-1"/);
  assert.match(found.get('rows/version/000001.jsonl') ?? '', /1\.0\.0/);
});

test('every table of the database is in a backup', async (t) => {
  const hub = await fleet(t);
  const tables = await storedRows(hub.folder, {
    sql: "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name <> 'migration'",
    parameters: [],
  });
  assert.deepEqual(tables.map((one) => Reflect.get(Object(one), 'name')).sort(), [...TABLES].sort());
});

test('a hub that has not written since its start writes while a backup reads, and the backup is of the moment of before', {
  timeout: 120_000,
}, async (t) => {
  const first = await fleet(t);
  await first.running[Symbol.asyncDispose]();
  await tamper(first.folder, sqlRows(40_000));
  const hub = { ...(await testHub(t, { folder: first.folder })), token: first.token };
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  let answered = 0;
  const asked: Promise<unknown>[] = [];
  const result = await backUp({
    ...usual,
    folder: hub.folder,
    path,
    progress: (line) => {
      // Claims and devices are read by now; this one comes later, and the rows that are read after it must not know of
      // it.
      if (!/^audit/.test(line)) return;
      const claim = callHub(hub, '/api/v1/claims', { method: 'POST', json: {} });
      asked.push(claim.then(() => answered++));
    },
  });
  const during = answered;
  await Promise.all(asked);
  assert.deepEqual([asked.length, during], [1, 1], 'answered while reports were read');
  assert.deepEqual(
    hub.log.filter((line) => /another program holds/.test(line)),
    [],
  );
  const found = await entriesOf(path);
  const count = (table: string) =>
    [...found]
      .filter(([name]) => name.startsWith(`rows/${table}/`))
      .flatMap(([, text]) => text.split('\n').slice(0, -1)).length;
  assert.equal(count('report'), 40_000);
  assert.ok([...found.keys()].filter((name) => name.startsWith('rows/report/')).length > 1, 'in pieces');
  assert.equal(count('claim'), 1);
  assert.equal(
    result.rows,
    TABLES.reduce((sum, table) => sum + count(table), 0),
  );
});

test('a folder of a hub of before the database is not backed up, and nothing is made in it', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'hub.json'), '{}');
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const before = await readdir(folder);
  for (const command of [
    ['backup', '--state', folder, path],
    ['audit', '--state', folder],
  ]) {
    const { code, error } = await run(['hub', ...command]);
    assert.equal(code, 1);
    assert.match(
      error,
      /error not_found: Cannot read .*hub\.db: there is no such file\n {2}what to do: .* 0\.3/,
    );
  }
  assert.deepEqual(await readdir(folder), before);
});

test('each of the three commands shows how it is used', async () => {
  for (const command of ['backup', 'restore', 'check']) {
    const { code, out } = await run(['hub', command, '--help']);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`Example:\\n[\\s\\S]*adbreak hub ${command} --state /`));
  }
});

test('without models they stay out, and it is said; a stopped hub is backed up too, and is left as it was', async (t) => {
  const hub = await fleet(t);
  await hub.running[Symbol.asyncDispose]();
  const before = (await readdir(hub.folder)).sort();
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const { code, out, error } = await run(['hub', 'backup', '--without-models', '--state', hub.folder, path]);
  assert.equal(code, 0, error);
  assert.match(out, /Models are not in it: keep registry\/targets/);
  assert.deepEqual(
    [...(await entriesOf(path)).keys()].filter((name) => name.includes('/targets/')),
    [],
  );
  assert.deepEqual((await readdir(hub.folder)).sort(), before);
});

test('a backup is written over nothing, not into the hub itself, and of a hub alone', async (t) => {
  const hub = await fleet(t);
  const folder = await temporaryFolder();
  const there = join(folder, 'there');
  await writeFile(there, 'precious');
  const nobody = join(folder, 'nobody');
  await mkdir(nobody);
  for (const [state, path, code, words] of [
    [hub.folder, there, 'conflict', /there is such a file already/],
    [hub.folder, join(hub.folder, 'b.tar.gz'), 'input_invalid', /it lies in the hub's own folder/],
    [hub.folder, join(folder, 'no/such/folder'), 'input_invalid', /Cannot write the backup/],
    [nobody, join(folder, 'b.tar.gz'), 'not_found', /Cannot back up: no hub has been started/],
  ] as const)
    await assert.rejects(backUp({ ...usual, folder: state, path }), { code, message: words });
  assert.equal(await readFile(there, 'utf8'), 'precious');
  assert.deepEqual((await readdir(folder)).sort(), ['nobody', 'there']);
});

test('an artifact that the disk has damaged is backed up, and named', async (t) => {
  const hub = await fleet(t);
  const { digest } = tinyRelease('1.0.0').manifest;
  await writeFile(join(hub.folder, 'registry/targets', digest), 'rot');
  const { code, out } = await run([
    'hub',
    'backup',
    '--state',
    hub.folder,
    join(await temporaryFolder(), 'b'),
  ]);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`warning: registry/targets/${digest} is not what its name says`));
});

test('on a full disk: disk_full, and nothing of the backup is left', async (t) => {
  const hub = await fleet(t);
  await tamper(hub.folder, sqlRows(3000).replace('\'{"i":\'', 'hex(randomblob(400)) || \'{"i":\''));
  const volume = await smallVolume(t, 256);
  const { code, error } = await run(['hub', 'backup', '--state', hub.folder, join(volume, 'b.tar.gz')]);
  assert.equal(code, 1);
  assert.match(error, /error disk_full: Cannot write .*b\.tar\.gz: no space left/);
  assert.deepEqual(await readdir(volume), []);
});

test('Ctrl-C ends a backup with 130, and leaves nothing of it', { timeout: 60_000 }, async (t) => {
  const hub = await fleet(t);
  await hub.running[Symbol.asyncDispose]();
  await tamper(hub.folder, sqlRows(120_000));
  const folder = await temporaryFolder();
  const child = spawn(
    process.execPath,
    [BIN, 'hub', 'backup', '--state', hub.folder, join(folder, 'b.tar.gz')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  while ((await readdir(folder)).length === 0 && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  assert.equal(code, 130, words);
  assert.match(words, /nothing half-written was left/);
  assert.deepEqual(await readdir(folder), []);
});

test('a row that no hub could start from is named, and no backup is left that holds it', async (t) => {
  const hub = await fleet(t);
  await hub.running[Symbol.asyncDispose]();
  await tamper(hub.folder, "update device set body = json_set(body, '$.missingWindows', -1)");
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  const { code, error } = await run(['hub', 'backup', '--state', hub.folder, path]);
  assert.equal(code, 1);
  assert.match(error, /error state_corrupt: Cannot back up: .*device pi-1 of .*hub\.db: missingWindows:/);
  assert.match(error, /what to do: Keep the backup before it/);
  await assert.rejects(stat(path), { code: 'ENOENT' });
});
