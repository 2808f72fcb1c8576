import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { TargetFile } from '@tufjs/models';
import { beyond } from '../backup/leap.js';
import { signWaiting } from '../keys.js';
import { tufClient } from '../testing/tuf-client.js';
import { Repository } from './repository.js';
import { publicKeyOf, ROLES, type RoleName } from './signing.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const now = () => new Date();
const refused = (code: ErrorCode, message = /./) => ({ code, message });
const target = (version: string) =>
  new TargetFile({ path: `m/${version}/model.tflite`, length: 5, hashes: { sha256: sha256(version) } });
const everything = async () => undefined;

/** A repository that a first start has made, with one target, and a client that knows it. */
async function begun() {
  const folder = join(await temporaryFolder(), 'registry');
  const repository = await Repository.open(folder, now, { begin: true });
  assert.ok(await repository.add([target('1.0.0')]));
  const first = await repository.files.rootText();
  const client = await tufClient(folder, first);
  assert.ok(await client.lists('m/1.0.0/model.tflite'));
  return { folder, repository, first, client };
}
const idsOf = async ({ files }: Repository) => {
  const { roles, version } = (await files.root()).signed;
  return { version, of: (role: RoleName) => roles[role]?.keyIDs ?? [] };
};
/** What a killed write has left begins with a dot. */
const keysIn = async (folder: string) =>
  (await readdir(join(folder, 'keys'))).filter((name) => !name.startsWith('.')).sort();
const KEYS = ROLES.map((role) => `${role}.key`).sort();

test('a hub that runs on for 400 days keeps metadata that every client takes, and few files', {
  timeout: 120_000,
}, async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2027-01-01T00:00:00Z') });
  const { folder, repository, first, client } = await begun();
  for (let halfDay = 0; halfDay < 800; halfDay++) {
    t.mock.timers.tick(DAY / 2);
    await repository.renewDue();
    if (halfDay % 20 === 0) await client.refresh();
  }
  await client.refresh();
  // A card that was in a drawer all the time knows the first root alone.
  await (await tufClient(folder, first)).refresh();
  const names = await readdir(join(folder, 'metadata'));
  const count = (role: string) => names.filter((name) => name.endsWith(`.${role}.json`)).length;
  assert.ok(count('snapshot') <= 35, `${count('snapshot')} snapshots`);
  assert.ok(count('targets') <= 5, `${count('targets')} lists`);
  const { timestamp } = await repository.files.inForce();
  assert.equal(timestamp.signed.expires, new Date(Date.now() + 7 * DAY).toISOString().replace('.000', ''));
});

test('the root is signed anew in its last year, and clients of the first one follow', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2027-01-01T00:00:00Z') });
  const { folder, repository, first } = await begun();
  t.mock.timers.tick(3290 * DAY);
  await repository.renewDue();
  assert.equal((await idsOf(repository)).version, 2);
  t.mock.timers.tick(400 * DAY);
  await repository.renewDue();
  await (await tufClient(folder, first)).refresh();
});

test('metadata of a hub that was off for 30 days has ended, and is taken again after its start; a second look writes nothing', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2027-01-01T00:00:00Z') });
  const { folder, client } = await begun();
  t.mock.timers.tick(30 * DAY);
  await assert.rejects(client.refresh(), /expired/);
  const again = await Repository.open(folder, now);
  await again.renewDue();
  await client.refresh();
  const before = await readFile(join(folder, 'metadata/timestamp.json'), 'utf8');
  await again.renewDue();
  assert.equal(await readFile(join(folder, 'metadata/timestamp.json'), 'utf8'), before);
  t.mock.timers.tick(HOUR);
  await again.renewDue();
  assert.notEqual(await readFile(join(folder, 'metadata/timestamp.json'), 'utf8'), before);
});

test('a clock of the hub that steps back shortens nothing that was signed', async (t) => {
  const start = Date.parse('2027-01-01T00:00:00Z');
  t.mock.timers.enable({ apis: ['Date'], now: start });
  const { folder, repository } = await begun();
  const before = await readFile(join(folder, 'metadata/timestamp.json'), 'utf8');
  t.mock.timers.setTime(0);
  await repository.renewDue();
  assert.equal(await readFile(join(folder, 'metadata/timestamp.json'), 'utf8'), before);
});

test('each role gets another key: clients of the first root follow, and the old keys are gone', async () => {
  const { folder, repository, first, client } = await begun();
  const before = await idsOf(repository);
  for (const role of ROLES) {
    const old = await readFile(join(folder, 'keys', `${role}.key`), 'utf8');
    assert.equal(await repository.rotate(role), true);
    assert.notDeepEqual((await idsOf(repository)).of(role), before.of(role));
    assert.notEqual(await readFile(join(folder, 'keys', `${role}.key`), 'utf8'), old);
    await client.refresh();
    await (await tufClient(folder, first)).refresh();
  }
  assert.deepEqual(await keysIn(folder), KEYS);
  assert.equal((await idsOf(repository)).version, 5);
  assert.ok(await repository.add([target('2.0.0')]));
  assert.ok(await client.lists('m/2.0.0/model.tflite'));
  await (await Repository.open(folder, now)).renewDue();
});

test('a stolen snapshot key is worth nothing after its rotation, whatever it has signed', async () => {
  const { folder, repository, client } = await begun();
  const thief = join(await temporaryFolder(), 'registry');
  await cp(folder, thief, { recursive: true });
  await repository.rotate('snapshot');
  await client.refresh();
  const stolen = await Repository.open(thief, now);
  await stolen.leap((before) => before + 1_000_000);
  const forged = await readFile(join(thief, 'metadata/1000002.snapshot.json'));
  await writeFile(join(folder, 'metadata/3.snapshot.json'), forged);
  await assert.rejects(
    (await tufClient(folder, await repository.files.rootText())).refresh(),
    /signed by 0\/1|does not|doesn't/,
  );
});

/** Loaded before the rotation: kills it before the write, the rename or the removal of that number. */
const KILLER = `
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
let left = Number(process.env.KILL_AT);
for (const name of ['open', 'rename', 'rm']) {
  const go = fs[name];
  fs[name] = (...all) => {
    if (process.env.ARMED && left-- === 0) process.kill(process.pid, 'SIGKILL');
    return go(...all);
  };
}
syncBuiltinESMExports();
`;
const ROTATION = `
const [module, folder, role] = process.argv.slice(2);
const { Repository } = await import(module);
const repository = await Repository.open(folder, () => new Date(), { lost: true });
process.env.ARMED = 'yes';
await repository.rotate(role);
`;

test('a rotation that is killed at any step leaves what every client takes, and the same command ends it', {
  timeout: 300_000,
}, async (t) => {
  const scripts = await temporaryFolder();
  await writeFile(join(scripts, 'kill.mjs'), KILLER);
  await writeFile(join(scripts, 'rotate.mjs'), ROTATION);
  const module = new URL('./repository.js', import.meta.url).href;
  const { folder: origin, repository, first } = await begun();
  const before = await idsOf(repository);
  const run = async (folder: string, role: RoleName, at: number) => {
    const child = spawn(
      process.execPath,
      ['--import', join(scripts, 'kill.mjs'), join(scripts, 'rotate.mjs'), module, folder, role],
      { env: { ...process.env, KILL_AT: String(at) }, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const [code, signal] = await once(child, 'close');
    assert.ok(code === 0 || signal === 'SIGKILL', `${code} ${signal}`);
    return signal === 'SIGKILL';
  };
  for (const role of ROLES) {
    let steps = 0;
    for (let at = 0; ; at++) {
      const folder = join(await temporaryFolder(), 'registry');
      await cp(origin, folder, { recursive: true });
      const client = await tufClient(folder, first);
      await client.refresh();
      const killed = await run(folder, role, at);
      await client.refresh();
      await (await tufClient(folder, first)).refresh();
      // The hub starts, signs, and its clients go on.
      const between = await Repository.open(folder, now);
      const over =
        (await idsOf(between)).version === 2 && !(await keysIn(folder)).includes(`${role}.next.key`);
      assert.ok(await between.add([target('2.0.0')]));
      assert.ok(await client.lists('m/2.0.0/model.tflite'));
      await run(folder, role, -1);
      await client.refresh();
      const ended = await Repository.open(folder, now);
      const { version, of } = await idsOf(ended);
      assert.notDeepEqual(of(role), before.of(role), `${role} ${at}`);
      assert.equal(version, over ? 3 : 2, `${role} ${at}`);
      assert.deepEqual(await keysIn(folder), KEYS, `${role} ${at}`);
      if (!killed) break;
      steps += 1;
    }
    t.diagnostic(`${role}: ${steps} steps`);
    assert.ok(steps >= 6, `${role}: ${steps}`);
  }
});

test('a key that the root names is never invented: missing it is refused, and a rotation replaces one that is lost', async () => {
  const { folder, client } = await begun();
  for (const role of ['targets', 'snapshot', 'timestamp'] as const) {
    await rm(join(folder, 'keys', `${role}.key`));
    await assert.rejects(
      Repository.open(folder, now),
      refused('state_corrupt', new RegExp(`${role}\\.key is missing`)),
    );
    assert.equal((await keysIn(folder)).includes(`${role}.key`), false);
    const lost = await Repository.open(folder, now, { lost: true });
    assert.equal(await lost.rotate(role), true);
    await Repository.open(folder, now);
    await client.refresh();
  }
  // Those that sign every hour cannot be said to be elsewhere.
  await rm(join(folder, 'keys/timestamp.key'));
  await writeFile(join(folder, 'keys/timestamp.offline'), '');
  await assert.rejects(Repository.open(folder, now), refused('state_corrupt', /timestamp\.key is missing/));
  await rm(join(folder, 'keys/root.key'));
  const without = await Repository.open(folder, now, { lost: true });
  await assert.rejects(without.rotate('timestamp'), refused('state_corrupt', /the root key is lost/));
});

/** A repository whose keys of root and targets lie in another folder, and what a person does there. */
async function offline() {
  const one = await begun();
  const away = await temporaryFolder();
  for (const role of ['root', 'targets'] as const) {
    await writeFile(join(away, `${role}.key`), await one.repository.keyFiles.pem(role));
    await one.repository.keyFiles.takeAway(role, now());
  }
  const repository = await Repository.open(one.folder, now);
  const key = (name: string) => join(away, `${name}.key`);
  const signAway = async (role: 'root' | 'targets', ...names: string[]) => {
    const path = join(away, `${role}.json`);
    await cp(repository.files.pendingPath(role), path);
    for (const name of names) await signWaiting(path, key(name), path);
    return path;
  };
  const publish = async (path: string) => repository.publish(await readFile(path), path, everything);
  /** A key made elsewhere; its public half is what comes here. */
  const makeAway = async (name: string) => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    await writeFile(key(name), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return publicKeyOf(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })), name);
  };
  return { ...one, repository, key, signAway, publish, makeAway };
}

test('with the targets key elsewhere a list waits, is signed there, and is published here; what came meanwhile waits for the next signature', async () => {
  const { folder, repository, client, signAway, publish } = await offline();
  assert.equal(await repository.add([target('2.0.0')]), false);
  assert.equal(await client.lists('m/2.0.0/model.tflite'), false);
  assert.match((await repository.waiting()).join(), /^targets 3 waits for its signature: .*targets\.json$/);
  const signed = await signAway('targets', 'targets');
  assert.equal(await repository.add([target('3.0.0')]), false);
  assert.equal(await publish(signed), 'targets 3');
  assert.ok(await client.lists('m/2.0.0/model.tflite'));
  assert.equal(await client.lists('m/3.0.0/model.tflite'), false);
  await publish(await signAway('targets', 'targets'));
  assert.ok(await client.lists('m/3.0.0/model.tflite'));
  assert.deepEqual(await repository.waiting(), []);
  await (await Repository.open(folder, now)).renewDue();
});

test('what waits goes on waiting after a publication that was killed, and when the key comes back; a damaged file of it keeps nothing else from being signed', async () => {
  const { folder, repository, client, key, signAway, publish } = await offline();
  const path = repository.files.pendingPath('targets');
  await repository.add([target('2.0.0')]);
  const signed = await signAway('targets', 'targets');
  await repository.add([target('3.0.0')]);
  const waiting = await readFile(path);
  await publish(signed);
  // Killed as soon as the list was in force.
  await writeFile(path, waiting);
  const again = await Repository.open(folder, now);
  await again.renewDue();
  assert.match((await again.waiting()).join(), /^targets 4 waits/);
  await again.keyFiles.putBack('targets', await readFile(key('targets')));
  const back = await Repository.open(folder, now);
  assert.equal(await back.add([target('4.0.0')]), true);
  assert.ok(await client.lists('m/4.0.0/model.tflite'));
  assert.equal(await client.lists('m/3.0.0/model.tflite'), false, 'nobody has published it');
  assert.match((await back.waiting()).join(), /^targets 5 waits/);
  await back.publish(await readFile(path), path, everything);
  assert.ok(await client.lists('m/3.0.0/model.tflite'));
  assert.deepEqual(await back.waiting(), []);
  await writeFile(path, '{"signed":');
  assert.match((await back.waiting()).join(), /targets\.json cannot be read: delete it/);
  await back.renewDue();
  await (await Repository.open(folder, now)).renewDue();
  await client.refresh();
});

test('what comes signed from elsewhere is refused where no client would take it, and nothing is written', async () => {
  const { repository, client, signAway, publish, makeAway } = await offline();
  await repository.add([target('2.0.0')]);
  const unsigned = await signAway('targets');
  await assert.rejects(publish(unsigned), refused('metadata_forged', /not signed by the keys of targets/));
  await makeAway('strange');
  await assert.rejects(publish(await signAway('targets', 'strange')), refused('metadata_forged'));
  const signed = await signAway('targets', 'targets');
  const text = await readFile(signed, 'utf8');
  const changed = async (from: string | RegExp, to: string) => {
    await writeFile(signed, text.replace(from, to));
    return publish(signed);
  };
  await assert.rejects(changed('"length":5', '"length":6'), refused('metadata_forged'));
  await assert.rejects(changed(/^\{/, ''), refused('input_invalid', /not TUF metadata/));
  await assert.rejects(
    changed('"_type":"targets"', '"_type":"snapshot"'),
    refused('input_invalid', /neither/),
  );
  await assert.rejects(
    repository.publish(Buffer.from(text), signed, async () => {
      throw new Error('not here');
    }),
    /not here/,
  );
  assert.equal(await client.lists('m/2.0.0/model.tflite'), false);
  await changed('', '');
  assert.ok(await client.lists('m/2.0.0/model.tflite'));
  await assert.rejects(changed('', ''), refused('conflict', /it is list 3, and 3 is in force/));
});

test('with the root key elsewhere a rotation waits for the root, and clients take what is between', async () => {
  const { folder, repository, first, client, signAway, publish } = await offline();
  const before = await idsOf(repository);
  assert.equal(await repository.rotate('snapshot'), false);
  assert.equal(await repository.rotate('timestamp'), false);
  await client.refresh();
  // The hub goes on meanwhile, and what it signs is good under both roots.
  const between = await Repository.open(folder, now);
  await between.leap((version) => version + 1);
  await client.refresh();
  assert.equal(await publish(await signAway('root', 'root')), 'root 2');
  const after = await idsOf(repository);
  for (const role of ['snapshot', 'timestamp'] as const) assert.notDeepEqual(after.of(role), before.of(role));
  await client.refresh();
  await (await tufClient(folder, first)).refresh();
  assert.deepEqual(await keysIn(folder), [
    'root.offline',
    'snapshot.key',
    'targets.offline',
    'timestamp.key',
  ]);
});

test('keys that lie elsewhere are rotated there: the list by both keys first, then the root by both', async () => {
  const { folder, repository, first, client, signAway, publish, makeAway } = await offline();
  await assert.rejects(repository.rotate('targets'), refused('input_invalid', /its key lies elsewhere/));
  const given = await makeAway('targets-2');
  await assert.rejects(repository.rotate('snapshot', given), refused('conflict', /its key is here/));
  assert.equal(await repository.rotate('targets', given), false);
  const root = await signAway('root', 'root');
  await assert.rejects(publish(root), refused('conflict', /metadata of targets in force is not signed/));
  await publish(await signAway('targets', 'targets', 'targets-2'));
  await client.refresh();
  await publish(root);
  await client.refresh();
  const next = await makeAway('root-2');
  assert.equal(await repository.rotate('root', next), false);
  await assert.rejects(publish(await signAway('root', 'root')), refused('metadata_forged'));
  await publish(await signAway('root', 'root', 'root-2'));
  await client.refresh();
  await (await tufClient(folder, first)).refresh();
  assert.equal((await idsOf(repository)).version, 3);
  await repository.add([target('2.0.0')]);
  await assert.rejects(publish(await signAway('targets', 'targets')), refused('metadata_forged'));
  await publish(await signAway('targets', 'targets-2'));
  assert.ok(await client.lists('m/2.0.0/model.tflite'));
});

test('after a restore with the targets key elsewhere clients refuse until the list is signed there, and then go on', async () => {
  const { folder, repository, client, signAway, publish } = await offline();
  const backup = join(await temporaryFolder(), 'registry');
  await cp(folder, backup, { recursive: true });
  await repository.add([target('2.0.0')]);
  await publish(await signAway('targets', 'targets'));
  assert.ok(await client.lists('m/2.0.0/model.tflite'));
  await rm(folder, { recursive: true });
  await cp(backup, folder, { recursive: true });
  const restored = await Repository.open(folder, now);
  await restored.leap((version) => beyond(version, now()));
  await assert.rejects(client.refresh(), /less than current version/);
  assert.match((await restored.waiting()).join(), /targets \d{16} waits/);
  // What is pushed meanwhile keeps the list beyond what clients have seen.
  await restored.add([target('3.0.0')]);
  assert.match((await restored.waiting()).join(), /targets \d{16} waits/);
  const path = await signAway('targets', 'targets');
  await restored.publish(await readFile(path), path, everything);
  assert.ok(await client.lists('m/3.0.0/model.tflite'));
});

test('lists and roots whose key lies elsewhere are prepared before they end, once', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2027-01-01T00:00:00Z') });
  const { repository, client, signAway, publish } = await offline();
  for (let day = 0; day < 200; day++) {
    t.mock.timers.tick(DAY);
    await repository.renewDue();
  }
  await client.refresh();
  assert.match((await repository.waiting()).join(), /^targets 3 waits/);
  const prepared = await readFile(repository.files.pendingPath('targets'), 'utf8');
  await repository.renewDue();
  assert.equal(await readFile(repository.files.pendingPath('targets'), 'utf8'), prepared);
  await publish(await signAway('targets', 'targets'));
  t.mock.timers.tick(170 * DAY);
  await repository.renewDue();
  await client.refresh();
});
