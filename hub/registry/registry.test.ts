import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { signWaiting } from '../keys.js';
import { openStore } from '../store/open.js';
import { auditLines } from '../testing/store.js';
import { KeyFiles } from './key-files.js';
import { Registry } from './registry.js';

/** Publishes a signed list, and is killed when the first of its rows would be written. */
const KILLED = `
const [store, registry] = process.argv.slice(1, 3);
const { openStore } = await import(store);
const { Registry } = await import(registry);
const [state, folder, path] = process.argv.slice(3);
const { readFile } = await import('node:fs/promises');
const now = () => new Date();
const real = await openStore(state, now);
const killing = new Proxy(real, {
  get: (of, key) =>
    key === 'change' ? () => process.kill(process.pid, 'SIGKILL') : Reflect.get(of, key, of),
});
const hub = await Registry.open(folder, killing, now, false);
await hub.publish(await readFile(path), path, 'keys');
`;

const now = () => new Date();
const MODEL = 'base-ad-detector';

async function registry(t: TestContext) {
  const state = await temporaryFolder();
  const folder = join(state, 'registry');
  const store = await openStore(state, now);
  t.after(() => store.close());
  const open = () => Registry.open(folder, store, now, true);
  const push = async (to: Registry, version: string) => {
    const { file, manifest } = tinyRelease(version);
    await using model = await to.receive(Readable.from([file]));
    return await to.register(model, Buffer.from(JSON.stringify(manifest)), 'token:test', {
      name: MODEL,
      version,
    });
  };
  const versions = () => Object.keys(store.state.models[MODEL]?.versions ?? {});
  return { state, folder, store, open, push, versions, first: await open() };
}

test('a version that was listed by a hub that was killed before it wrote its rows is there after it was pushed again', async (t) => {
  const { folder, store, push, versions, first } = await registry(t);
  await push(first, '1.0.0');
  await store.change(({ models }) => void delete models[MODEL]);
  const before = await readdir(join(folder, 'metadata'));
  await push(first, '1.0.0');
  assert.deepEqual(versions(), ['1.0.0']);
  assert.deepEqual(await readdir(join(folder, 'metadata')), before, 'nothing was signed again');
  await assert.rejects(push(first, '1.0.0'), { code: 'conflict', message: /it exists already/ });
});

test('a version whose list waits has no rows; they come with the signed list, once, and the audit log says from where', async (t) => {
  const { state, folder, open, push, versions, first } = await registry(t);
  await push(first, '1.0.0');
  const key = join(await temporaryFolder(), 'targets.key');
  const files = new KeyFiles(join(folder, 'keys'));
  await writeFile(key, await files.pem('targets'));
  await files.takeAway('targets', now());
  const hub = await open();
  for (const version of ['2.0.0', '3.0.0', '3.0.0'])
    await assert.rejects(push(hub, version), {
      code: 'signature_pending',
      remedy: /adbreak keys sign .*targets\.json --key targets\.key/,
    });
  assert.deepEqual(versions(), ['1.0.0']);
  const waiting = join(folder, 'pending/targets.json');
  const signed = join(await temporaryFolder(), 'targets.json');
  const told = (await signWaiting(waiting, key, signed)).join('\n');
  assert.match(told, new RegExp(`3\\.0\\.0/model\\.tflite.*${tinyRelease('3.0.0').manifest.digest}`));
  await hub.publish(await readFile(signed), signed, 'keys');
  assert.deepEqual(versions(), ['1.0.0', '2.0.0', '3.0.0']);
  await assert.rejects(push(hub, '3.0.0'), { code: 'conflict', message: /it exists already/ });
  const audit = (await auditLines(state)).join('\n');
  assert.match(audit, /"who":"keys","what":"keys\.publish","subject":"targets 3"/);
  assert.match(audit, /"who":"keys","what":"model\.register","subject":"base-ad-detector 3\.0\.0"/);
});

test('a signed list that names what is not here, or a manifest of another version, is not published', async (t) => {
  const { folder, open, push, versions, first } = await registry(t);
  await push(first, '1.0.0');
  const key = join(await temporaryFolder(), 'targets.key');
  const files = new KeyFiles(join(folder, 'keys'));
  await writeFile(key, await files.pem('targets'));
  await files.takeAway('targets', now());
  const hub = await open();
  await assert.rejects(push(hub, '2.0.0'), { code: 'signature_pending' });
  const waiting = join(folder, 'pending/targets.json');
  const text = await readFile(waiting, 'utf8');
  const publish = async (change: (text: string) => string) => {
    await writeFile(waiting, change(text));
    const signed = join(await temporaryFolder(), 'targets.json');
    await signWaiting(waiting, key, signed);
    await hub.publish(await readFile(signed), signed, 'keys');
  };
  const { digest } = tinyRelease('2.0.0').manifest;
  await assert.rejects(
    publish((list) => list.replaceAll(digest, sha256('nothing'))),
    { code: 'conflict', message: /has not got base-ad-detector\/2\.0\.0\/model\.tflite/ },
  );
  await assert.rejects(
    publish((list) => list.replace(`${MODEL}/2.0.0/manifest.json`, `${MODEL}/4.0.0/manifest.json`)),
    { code: 'conflict', message: /is the manifest of base-ad-detector 2\.0\.0/ },
  );
  await assert.rejects(
    publish((list) => list.replace(`${MODEL}/1.0.0/model.tflite`, `${MODEL}/1.0.1/model.tflite`)),
    { code: 'conflict', message: /it has not got base-ad-detector\/1\.0\.0\/model\.tflite/ },
  );
  assert.deepEqual(versions(), ['1.0.0']);
  await publish((list) => list);
  assert.deepEqual(versions(), ['1.0.0', '2.0.0']);
});

/** A hub whose targets key lies elsewhere, and a list signed there that adds 2.0.0. */
async function signedElsewhere(t: TestContext) {
  const all = await registry(t);
  await all.push(all.first, '1.0.0');
  const key = join(await temporaryFolder(), 'targets.key');
  const files = new KeyFiles(join(all.folder, 'keys'));
  await writeFile(key, await files.pem('targets'));
  await files.takeAway('targets', now());
  await assert.rejects(all.push(await all.open(), '2.0.0'), { code: 'signature_pending' });
  const signed = join(await temporaryFolder(), 'targets.json');
  await signWaiting(join(all.folder, 'pending/targets.json'), key, signed);
  return { ...all, signed };
}

test('a hub that is killed between a list in force and its rows enters them at the next start, once', async (t) => {
  const { state, folder, store, signed } = await signedElsewhere(t);
  await store.close();
  const modules = ['../store/open.js', './registry.js'].map((path) => new URL(path, import.meta.url).href);
  const child = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', KILLED, ...modules, state, folder, signed],
    { encoding: 'utf8' },
  );
  assert.equal(child.signal, 'SIGKILL', child.stderr);
  const again = await openStore(state, now);
  t.after(() => again.close());
  const hub = await Registry.open(folder, again, now, false);
  const versions = () => Object.keys(again.state.models[MODEL]?.versions ?? {});
  assert.ok((await hub.listed()).some(({ path }) => path === `${MODEL}/2.0.0/model.tflite`));
  assert.deepEqual(versions(), ['1.0.0']);
  assert.match((await hub.enterListed()).join(), /^base-ad-detector 2\.0\.0 is registered/);
  assert.deepEqual(versions(), ['1.0.0', '2.0.0']);
  const { manifest } = tinyRelease('2.0.0');
  assert.equal(again.state.models[MODEL]?.versions['2.0.0']?.manifest.digest, manifest.digest);
  assert.deepEqual(await hub.enterListed(), []);
  assert.match((await auditLines(state)).at(-1) ?? '', /"who":"hub","what":"model\.register".*2\.0\.0/);
});

test('what the list names and is not here, or was deleted, is not entered; the rest of the list is', async (t) => {
  const { folder, store, push, versions, first } = await registry(t);
  for (const version of ['1.0.0', '2.0.0', '3.0.0', '4.0.0']) await push(first, version);
  await store.change(({ models }) => {
    const entry = models[MODEL];
    if (entry === undefined) return;
    entry.deleted = { '3.0.0': { digest: tinyRelease('3.0.0').manifest.digest, at: now().toISOString() } };
    entry.versions = {};
  });
  await rm(join(folder, 'targets', tinyRelease('1.0.0').manifest.digest));
  const lines = await first.enterListed();
  assert.deepEqual(versions(), ['2.0.0', '4.0.0']);
  assert.match(lines.join('\n'), /1\.0\.0 is in the signed list and is not registered: .*has not got/);
  assert.equal(lines.length, 3);
});
