import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { publish } from '../testing/chain.js';
import { run } from '../testing/command.js';
import { enrolByHand } from '../testing/enrol.js';
import { tamper } from '../testing/store.js';
import { testHub } from '../testing.js';
import { checkHub } from './check.js';
import type { Finding } from './finding.js';
import { checkDisk } from './machine.js';

const DAY = 24 * 3_600_000;

/** A hub with two versions, a rollout and a device, stopped. */
async function stoppedHub(t: TestContext): Promise<string> {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await enrolByHand(hub, 'pi-1');
  await publish(hub, '2.0.0');
  await hub.running[Symbol.asyncDispose]();
  return hub.folder;
}
async function found(folder: string, now = new Date()): Promise<Finding[]> {
  const all: Finding[] = [];
  const ports = { host: '127.0.0.1', httpPort: 0, mqttPort: 0 };
  for await (const one of checkHub({ ...ports, folder, now: () => now })) all.push(one);
  return all;
}
async function digests(folder: string): Promise<string[]> {
  const lines: string[] = [];
  for (const one of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(one.parentPath, one.name);
    lines.push(`${path} ${one.isFile() ? sha256(await readFile(path)) : ''}`);
  }
  return lines.sort();
}

test('a hub that runs: everything is ok, its ports are its own, and ports that it was not started with are told', {
  timeout: 120_000,
}, async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const { httpPort, mqttPort } = hub.running;
  const check = (http: number, mqtt: number, ...more: string[]) =>
    run([
      'hub',
      'check',
      '--state',
      hub.folder,
      '--http-port',
      String(http),
      '--mqtt-port',
      String(mqtt),
      ...more,
    ]);
  const good = await check(httpPort, mqttPort);
  assert.equal(good.code, 0, good.out + good.error);
  assert.match(good.out, new RegExp(`ok +hub +a hub runs on this folder \\(process ${process.pid}\\)`));
  assert.match(good.out, new RegExp(`ok +port ${httpPort} +the hub answers there; its certificate ends on `));
  assert.match(good.out, new RegExp(`ok +port ${mqttPort} +the hub has MQTT port ${mqttPort}`));
  assert.match(good.out, /\n0 wrong, 0 warnings, \d+ ok\n$/);
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const address = free.address();
  const other = typeof address === 'object' && address !== null ? address.port : 0;
  free.close();
  const elsewhere = await check(other, mqttPort, '--json');
  assert.equal(elsewhere.code, 0, 'warnings are no failure');
  const answer = JSON.parse(elsewhere.out);
  assert.deepEqual([answer.wrong, answer.warnings], [0, 1]);
  const [warning] = answer.found.filter(({ level }: Finding) => level === 'warning');
  assert.match(warning.message, /nobody listens on HTTPS port \d+, and a hub runs \(process \d+\)/);
  assert.match(warning.mend, /--http-port and --mqtt-port that the hub was started with/);
});

test('a stopped hub is left as it is, to the byte; a taken port is told with the program that has it', {
  timeout: 60_000,
}, async (t) => {
  const folder = await stoppedHub(t);
  const before = await digests(folder);
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  const taken = String(typeof address === 'object' && address !== null ? address.port : 0);
  const { code, out } = await run([
    'hub',
    'check',
    '--state',
    folder,
    '--http-port',
    taken,
    '--mqtt-port',
    '0',
  ]);
  assert.equal(code, 1);
  assert.match(out, /ok +hub +no hub runs on this folder/);
  assert.match(
    out,
    new RegExp(
      `wrong +port ${taken} +HTTPS port ${taken} of 127\\.0\\.0\\.1 is taken by process ${process.pid} \\(`,
    ),
  );
  assert.match(out, /what to do: Stop that program, or start the hub with another --http-port/);
  assert.match(out, /\n1 wrong, 0 warnings, \d+ ok\n$/);
  assert.deepEqual(await digests(folder), before);
});

test('what is wrong is told of the thing that has it, with its mend', { timeout: 120_000 }, async (t) => {
  const whole = await stoppedHub(t);
  const { digest } = tinyRelease('1.0.0').manifest;
  const artifact = `registry/targets/${digest}`;
  type Break = (folder: string) => Promise<unknown>;
  const sql =
    (text: string): Break =>
    (folder) =>
      tamper(folder, text);
  const write =
    (name: string, text: string): Break =>
    (folder) =>
      writeFile(join(folder, name), text);
  const nothing: Break = async () => undefined;
  const later = (days: number) => new Date(Date.now() + days * DAY);
  const cases: readonly (readonly [
    check: string,
    level: string,
    words: RegExp,
    mend: RegExp,
    Break,
    Date?,
  ])[] = [
    ['folder', 'warning', /others may look into/, /chmod 700/, (folder) => chmod(folder, 0o755)],
    [
      'folder',
      'wrong',
      /ca\.key: others can read it \(mode 644\)/,
      /chmod 600/,
      (folder) => chmod(join(folder, 'identity/ca.key'), 0o644),
    ],
    [
      'folder',
      'wrong',
      /hub\.db is missing or empty/,
      /Restore the whole state folder/,
      (folder) => rm(join(folder, 'hub.db')),
    ],
    ['folder', 'wrong', /a restore was interrupted/, /Start the hub/, write('restore.decided', '{}')],
    [
      'settings',
      'wrong',
      /settings\.json: certificateGraceDays/,
      /./,
      write('settings.json', '{"certificateGraceDays":-1}'),
    ],
    [
      'store',
      'wrong',
      /is no database, or a damaged one|the database is damaged/,
      /Restore/,
      write('hub.db', 'x'.repeat(9000)),
    ],
    [
      'schema',
      'wrong',
      /number 9999, and this program knows/,
      /newer version/,
      sql("insert into migration (number, name, at) values (9999, 'x', 'x')"),
    ],
    ['store', 'wrong', /device pi-1/, /./, sql("update device set body = '{}'")],
    [
      'logs',
      'wrong',
      /the log of audit: entry 2 stands where number 1 was written/,
      /compare it with a backup/,
      sql('delete from audit where number = 1'),
    ],
    [
      'logs',
      'wrong',
      /the log of audit: it ends at entry \d+, and \d+ were written/,
      /backup/,
      sql('delete from audit where number = (select max(number) from audit)'),
    ],
    [
      'logs',
      'wrong',
      /the log of rollout .*: entry 1 was changed/,
      /backup/,
      sql("update event set body = replace(body, '2.0.0', '2.0.1') where number = 1"),
    ],
    [
      'clock',
      'wrong',
      /the newest entry of the audit log|hub\.db|timestamp\.json/,
      /timedatectl/,
      nothing,
      later(-1),
    ],
    ['authority', 'wrong', /ca\.key is not a private key/, /./, write('identity/ca.key', 'x')],
    [
      'authority',
      'warning',
      /THE AUTHORITY OF THIS FLEET ENDS/,
      /certificates\.md/,
      nothing,
      later(3649 - 100),
    ],
    [
      'access',
      'warning',
      /token first ends at/,
      /adbreak tokens create NAME --role admin/,
      nothing,
      later(340),
    ],
    ['access', 'warning', /token first ended at/, /adbreak tokens create/, nothing, later(370)],
    [
      'devices',
      'warning',
      /the certificate of pi-1 ended more than 30 days ago/,
      /adbreak devices claim --device/,
      nothing,
      later(90 + 31),
    ],
    [
      'metadata',
      'wrong',
      /root\.key is missing/,
      /./,
      (folder) => rm(join(folder, 'registry/keys/root.key')),
    ],
    [
      'metadata',
      'wrong',
      /not signed by the key/,
      /./,
      async (folder) => {
        const path = join(folder, 'registry/metadata/timestamp.json');
        await writeFile(path, (await readFile(path, 'utf8')).replace(/"expires":"20../, '"expires":"2099'));
      },
    ],
    ['metadata', 'warning', /metadata of timestamp ends at/, /restart/, nothing, later(4)],
    ['metadata', 'wrong', /metadata of timestamp ended at/, /Start the hub/, nothing, later(8)],
    [
      'models',
      'wrong',
      new RegExp(`1\\.0\\.0/model\\.tflite: .*${digest} is missing`),
      /Copy that file/,
      (folder) => rm(join(folder, artifact)),
    ],
    ['models', 'wrong', /has 1 bytes instead of/, /Copy that file/, write(artifact, 'x')],
    [
      'models',
      'wrong',
      /is damaged: its SHA-256/,
      /Copy that file/,
      async (folder) => {
        const bytes = await readFile(join(folder, artifact));
        bytes[0] = (bytes[0] ?? 0) ^ 1;
        await writeFile(join(folder, artifact), bytes);
      },
    ],
    [
      'models',
      'wrong',
      /9\.9\.9 is registered, and the signed list does not name it/,
      /one backup/,
      sql(
        "insert into version (model, version, body) select model, '9.9.9', body from version where version = '1.0.0'",
      ),
    ],
  ];
  assert.deepEqual(
    (await found(whole)).filter(({ level }) => level !== 'ok'),
    [],
  );
  for (const [check, level, words, mend, damage, now] of cases) {
    const folder = join(await temporaryFolder(), 'state');
    await cp(whole, folder, { recursive: true });
    await chmod(folder, 0o700);
    await damage(folder);
    const bad = (await found(folder, now)).filter((one) => one.check === check && one.level !== 'ok');
    const hit = bad.find((one) => one.level === level && words.test(one.message));
    assert.ok(hit !== undefined, `${check} ${words}: ${JSON.stringify(bad)}`);
    assert.match(hit.mend ?? '', mend);
  }
});

test('signed metadata that ended while the hub was off is signed anew by the start that the mend advises', async (t) => {
  const folder = await stoppedHub(t);
  const now = new Date(Date.now() + 8 * DAY);
  const metadata = async () => (await found(folder, now)).filter(({ check }) => check === 'metadata');
  assert.match((await metadata())[0]?.mend ?? '', /^Start the hub/);
  await (await testHub(t, { folder, now: () => now })).running[Symbol.asyncDispose]();
  assert.deepEqual(
    (await metadata()).map(({ level }) => level),
    ['ok'],
  );
});

test('no folder, no hub in it, and a volume that is nearly full', async (t) => {
  const empty = await temporaryFolder();
  const [missing] = await found(join(empty, 'none'));
  assert.match(missing?.message ?? '', /there is no folder/);
  const [none] = await found(empty);
  assert.deepEqual([none?.level, /no hub has been started/.test(none?.message ?? '')], ['wrong', true]);
  assert.deepEqual(await readdir(empty), [], 'nothing was made');
  const volume = await smallVolume(t, 256);
  assert.equal((await checkDisk(volume)).level, 'wrong');
});
