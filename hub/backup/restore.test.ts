import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { packTar, unpackTar } from 'modern-tar';
import { publish } from '../testing/chain.js';
import { BIN, run } from '../testing/command.js';
import { storedState, tamper } from '../testing/store.js';
import { testHub } from '../testing.js';
import { backUp } from './backup.js';
import { namesOfState } from './exchange.js';
import { beyond } from './leap.js';
import { restore } from './restore.js';

const never = new AbortController().signal;
const usual = { now: () => new Date(), signal: never, progress: () => undefined };

/** A stopped hub with a version, and its backup. */
async function backedUp(t: TestContext): Promise<{ folder: string; path: string }> {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await hub.running[Symbol.asyncDispose]();
  const path = join(await temporaryFolder(), 'hub.tar.gz');
  await backUp({ ...usual, folder: hub.folder, path, models: true, program: 'test' });
  return { folder: hub.folder, path };
}

interface Packed {
  name: string;
  data: Uint8Array;
  type?: 'symlink';
}
async function unpacked(path: string): Promise<Packed[]> {
  const entries = await unpackTar(gunzipSync(await readFile(path)));
  return entries.map(({ header, data = new Uint8Array() }) => ({ name: header.name, data }));
}
/** A backup of these entries, with a manifest that fits them, or with none. */
async function packed(entries: readonly Packed[], { manifest = true } = {}): Promise<string> {
  const own = entries.filter(({ name }) => name !== 'manifest.json');
  const list = own.map(({ name, data }) => ({ name, bytes: data.length, sha256: sha256(data) }));
  const all = manifest
    ? [...own, { name: 'manifest.json', data: Buffer.from(JSON.stringify({ entries: list })) }]
    : entries;
  const tar = await packTar(
    all.map(({ name, data, ...more }) => ({
      header: { name, size: data.length, ...more, ...('type' in more && { linkname: '/etc/passwd' }) },
      body: data,
    })),
  );
  const path = join(await temporaryFolder(), 'made.tar.gz');
  await writeFile(path, gzipSync(tar));
  return path;
}
const edited = (entries: readonly Packed[], name: string, edit: (text: string) => string) =>
  entries.map((one) =>
    one.name === name ? { name, data: Buffer.from(edit(Buffer.from(one.data).toString())) } : one,
  );

test('what is truncated, damaged, foreign, newer or made to do harm is refused with its code, and nothing is put into place', {
  timeout: 120_000,
}, async (t) => {
  const { path } = await backedUp(t);
  const bytes = await readFile(path);
  const entries = await unpacked(path);
  const header = 'backup.json';
  const extra = (name: string, data: Uint8Array = Buffer.from('x'), type?: 'symlink') =>
    packed([...entries.slice(0, 3), { name, data, ...(type && { type }) }, ...entries.slice(3)]);
  const write = async (data: Uint8Array) => {
    const made = join(await temporaryFolder(), 'made.tar.gz');
    await writeFile(made, data);
    return made;
  };
  const flipped = Buffer.from(gunzipSync(bytes));
  const at = flipped.indexOf('BEGIN PRIVATE KEY') + 40;
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  const cases: readonly (readonly [what: string, file: string, code: string, words: RegExp])[] = [
    ['missing', join(await temporaryFolder(), 'none'), 'not_found', /there is no such file/],
    ['cut off', await write(bytes.subarray(0, bytes.length / 2)), 'state_corrupt', /its end is missing/],
    ['a bit of a key', await write(gzipSync(flipped)), 'state_corrupt', /ca\.key is not what was written/],
    [
      'a bit of the gzip',
      await write(Buffer.from(bytes.map((b, i) => (i === 2000 ? b ^ 1 : b)))),
      'state_corrupt',
      /./,
    ],
    [
      'a bit of its first entry',
      await write(Buffer.from(bytes.map((b, i) => (i === 10 ? b | 6 : b)))),
      'state_corrupt',
      /it cannot be unpacked/,
    ],
    [
      'no manifest',
      await packed(entries.slice(0, -1), { manifest: false }),
      'state_corrupt',
      /its manifest is missing/,
    ],
    [
      'an entry less',
      await packed(
        entries.filter((_, i) => i !== 5),
        { manifest: false },
      ),
      'state_corrupt',
      /is missing/,
    ],
    ['no gzip', await write(Buffer.from('hello '.repeat(1000))), 'input_invalid', /no backup of a hub/],
    [
      'another tar',
      await packed([{ name: 'readme', data: Buffer.from('x') }]),
      'input_invalid',
      /no backup does/,
    ],
    ['empty', await write(gzipSync(new Uint8Array(1024))), 'state_corrupt', /its manifest is missing/],
    ['a path out of the folder', await extra('files/identity/../../../x'), 'input_invalid', /no backup does/],
    ['an absolute path', await extra('/etc/cron.d/x'), 'input_invalid', /no backup does/],
    ['a hidden file', await extra('files/identity/.ssh'), 'input_invalid', /no backup does/],
    [
      'a link',
      await extra('files/identity/x.key', new Uint8Array(), 'symlink'),
      'input_invalid',
      /no backup does/,
    ],
    ['a file twice', await extra('files/settings.json'), 'input_invalid', /twice/],
    [
      'an unknown table',
      await extra('rows/sqlite_master/000001.jsonl', Buffer.from('{}\n')),
      'state_corrupt',
      /which no hub has/,
    ],
    [
      'an unknown column',
      await packed(
        edited(entries, 'rows/token/000001.jsonl', (x) => x.replace('"id"', '"body) values (1); --"')),
      ),
      'state_corrupt',
      /./,
    ],
    [
      'a row of another form',
      await packed(edited(entries, 'rows/token/000001.jsonl', (x) => x.replaceAll('admin', 'root'))),
      'state_corrupt',
      /token first/,
    ],
    [
      'a newer schema',
      await packed(edited(entries, header, (x) => x.replace(/"schema":\d+/, '"schema":9999'))),
      'conflict',
      /its schema is number 9999/,
    ],
    [
      'a newer format',
      await packed(edited(entries, header, (x) => x.replace('"format":1', '"format":2'))),
      'conflict',
      /a newer hub wrote it \(format 2\)/,
    ],
    [
      'settings of 6 MB',
      await packed(edited(entries, 'files/settings.json', (x) => x + ' '.repeat(6e6))),
      'input_too_large',
      /settings\.json has 600\d{4} bytes, at most/,
    ],
    [
      'a bomb',
      await packed([
        ...entries.slice(0, 2),
        { name: 'files/registry/targets/a', data: Buffer.alloc(200 * 1024 * 1024) },
      ]),
      'input_too_large',
      /more than 250 times its size/,
    ],
    [
      'a key of another hub',
      await packed(
        entries.map((one) =>
          one.name === 'files/registry/keys/root.key'
            ? {
                name: one.name,
                data: entries.find(({ name }) => name.endsWith('targets.key'))?.data ?? one.data,
              }
            : one,
        ),
      ),
      'state_corrupt',
      /is not the key that/,
    ],
  ];
  for (const [what, file, code, message] of cases) {
    const folder = join(await temporaryFolder(), 'state');
    await assert.rejects(restore({ ...usual, folder, path: file, force: false }), { code, message }, what);
    assert.deepEqual(await readdir(folder), ['.gitignore'], what);
  }
});

test('a state that is there is refused, and with --force moved aside; a hub that runs is never restored over', {
  timeout: 120_000,
}, async (t) => {
  const { folder, path } = await backedUp(t);
  await tamper(folder, 'update token set body = replace(body, \'"role":"admin"\', \'"role":"viewer"\')');
  const before = (await namesOfState(folder)).sort();
  const refused = await run(['hub', 'restore', '--state', folder, path]);
  assert.equal(refused.code, 1);
  assert.match(refused.error, /error conflict: .*there is a hub's state already/);
  assert.match(refused.error, /--force, which moves what is there into before-restore-/);
  assert.ok((await namesOfState(folder)).includes('hub.db'), 'nothing was moved');
  const running = await testHub(t, { folder });
  const busy = await run(['hub', 'restore', '--force', '--state', folder, path]);
  assert.match(busy.error, /error conflict: Cannot restore into .*: a hub runs on it/);
  await running.running[Symbol.asyncDispose]();
  const done = await run(['hub', 'restore', '--force', '--state', folder, path]);
  assert.equal(done.code, 0, done.error);
  assert.match(done.out, /0 devices\nWhat was there is in .*before-restore-.*\nGone is what was done after/);
  const aside = (await readdir(folder)).find((name) => name.startsWith('before-restore-')) ?? '';
  assert.equal((await storedState(join(folder, aside))).tokens[0]?.role, 'viewer');
  assert.equal((await storedState(folder)).tokens[0]?.role, 'admin');
  // SQLite's own files come and go with who looks.
  const lasting = (names: readonly string[]) => names.filter((name) => !name.startsWith('hub.db-')).sort();
  assert.deepEqual(lasting(await readdir(join(folder, aside))), lasting(before));
  for (const name of ['hub.db', 'identity/ca.key', 'registry/keys/root.key'])
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  const source = await temporaryFolder();
  await writeFile(join(source, 'package.json'), '{}');
  await assert.rejects(restore({ ...usual, folder: source, path, force: true }), {
    code: 'input_invalid',
    message: /the folder is not the hub's own/,
  });
});

test("root restores nothing into the folder of the hub's user, who could not read it", async (t) => {
  const { path } = await backedUp(t);
  const folder = join(await temporaryFolder(), 'state');
  await mkdir(folder, { mode: 0o700 });
  await chown(folder, 12_345, 12_345);
  await assert.rejects(restore({ ...usual, folder, path, force: false }), {
    code: 'input_invalid',
    message: /it belongs to user 12345, and this is user 0/,
  });
});

test('a restore that is called off while it unpacks leaves nothing', async (t) => {
  const { path } = await backedUp(t);
  const folder = join(await temporaryFolder(), 'state');
  const stop = new AbortController();
  const progress = (name: string) => {
    if (name === 'files/identity/ca.key') stop.abort();
  };
  await assert.rejects(restore({ ...usual, signal: stop.signal, progress, folder, path, force: false }), {
    name: 'AbortError',
  });
  assert.deepEqual(await readdir(folder), ['.gitignore']);
});

test('a backup without models takes them from the state that it moves aside, and names what is nowhere', async (t) => {
  const { folder } = await backedUp(t);
  const path = join(await temporaryFolder(), 'small.tar.gz');
  await backUp({ ...usual, folder, path, models: false, program: 'test' });
  const elsewhere = await restore({
    ...usual,
    folder: join(await temporaryFolder(), 'new'),
    path,
    force: false,
  });
  assert.deepEqual(elsewhere.missing.toSorted(), [
    'base-ad-detector/1.0.0/manifest.json',
    'base-ad-detector/1.0.0/model.tflite',
  ]);
  const here = await restore({ ...usual, folder, path, force: true });
  assert.deepEqual(here.missing, []);
});

test('the same backup restored twice: the second is beyond all that the first has given out; a clock before the backup is refused', async (t) => {
  const { path } = await backedUp(t);
  const begun = Date.now() * 1000;
  const floors: number[] = [];
  const versions: number[] = [];
  for (let times = 0; times < 2; times++) {
    const folder = join(await temporaryFolder(), 'state');
    await restore({ ...usual, folder, path, force: false });
    floors.push((await storedState(folder)).revisionFloor);
    const timestamp = await readFile(join(folder, 'registry/metadata/timestamp.json'), 'utf8');
    versions.push(Number(/"version":(\d+),"expires/.exec(timestamp)?.[1]));
  }
  for (const [first = 0, second = 0] of [floors, versions]) {
    assert.ok(first > begun, `${first}`);
    // The restores are more than a millisecond apart: a thousand numbers, and no hub commits that often.
    assert.ok(second >= first + 1000, `${first} ${second}`);
  }
  const folder = join(await temporaryFolder(), 'state');
  const early = () => new Date('2020-01-01T00:00:00.000Z');
  await assert.rejects(restore({ ...usual, now: early, folder, path, force: false }), {
    code: 'conflict',
    message: /the clock says 2020-01-01.*, which is before it/,
  });
  assert.ok(beyond(9e15, new Date()) > 9e15, 'by a clock that was ahead');
});

/** Loaded before the command: kills it at a step of those that change the disk. */
const KILLER = `
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
let left = Number(process.env.KILL_AT);
for (const name of ['rename', 'rm', 'mkdir']) {
  const go = fs[name];
  fs[name] = (...all) => {
    if (left-- === 0) process.kill(process.pid, 'SIGKILL');
    return go(...all);
  };
}
syncBuiltinESMExports();
`;

test('a restore that is killed leaves the old state or the new one, whole; the next start of the hub ends what was decided', {
  timeout: 300_000,
}, async (t) => {
  const { folder: from, path } = await backedUp(t);
  const killer = join(await temporaryFolder(), 'kill.mjs');
  await writeFile(killer, KILLER);
  const other = await testHub(t);
  const old = await readFile(join(other.folder, 'identity/ca.pem'), 'utf8');
  await other.running[Symbol.asyncDispose]();
  const restored = await readFile(join(from, 'identity/ca.pem'), 'utf8');
  const seen: string[] = [];
  // A step at a time into the exchange; the steps before it only fill the staging folder.
  for (let step = 8; ; step += 5) {
    const child = spawn(
      process.execPath,
      ['--import', killer, BIN, 'hub', 'restore', '--force', '--state', other.folder, path],
      { env: { ...process.env, KILL_AT: String(step) }, stdio: 'ignore' },
    );
    const [code, signal] = await once(child, 'close');
    assert.ok(code === 0 || signal === 'SIGKILL', `${code} ${signal}`);
    const decided = (await readdir(other.folder)).includes('restore.decided');
    if (decided) await (await testHub(t, { folder: other.folder })).running[Symbol.asyncDispose]();
    const now = await readFile(join(other.folder, 'identity/ca.pem'), 'utf8');
    const { models } = await storedState(other.folder);
    const isNew = now === restored;
    assert.ok(isNew || now === old, 'a state of two halves');
    assert.equal(Object.keys(models).length, isNew ? 1 : 0, 'its rows are of the same state as its keys');
    seen.push(isNew ? 'new' : 'old');
    if (!isNew) continue;
    assert.ok(decided, 'the hub has ended it');
    break;
  }
  t.diagnostic(seen.join(' '));
  assert.ok(seen.includes('old'), seen.join());
});
