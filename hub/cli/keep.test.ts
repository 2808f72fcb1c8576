import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { run, runAt } from '../testing/command.js';
import { testHub } from '../testing.js';

async function releaseFolder(version: string): Promise<string> {
  const folder = join(await temporaryFolder(), version);
  const { file, manifest } = tinyRelease(version);
  await mkdir(folder);
  await writeFile(join(folder, 'model.tflite'), file);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

test('a model is kept for `adbreak detect`: what is in production at a hub, a version of it, or a folder', async (t) => {
  const hub = await testHub(t);
  const models = await temporaryFolder();
  const before = process.env['ADBREAK_MODELS'];
  process.env['ADBREAK_MODELS'] = models;
  t.after(() => {
    if (before === undefined) delete process.env['ADBREAK_MODELS'];
    else process.env['ADBREAK_MODELS'] = before;
  });
  const kept = async () => {
    const manifest = JSON.parse(await readFile(join(models, 'current/manifest.json'), 'utf8'));
    const file = await readFile(join(models, 'current/model.tflite'));
    return { version: manifest.version, bytes: file.byteLength === manifest.bytes };
  };
  for (const version of ['1.0.0', '2.0.0'])
    assert.equal((await runAt(hub, 'models', 'push', await releaseFolder(version))).code, 0);
  await runAt(hub, 'models', 'promote', 'base-ad-detector', '1.0.0');

  const pulled = await runAt(hub, 'models', 'pull', 'base-ad-detector');
  assert.equal(pulled.code, 0, pulled.error);
  assert.match(pulled.out, /base-ad-detector 1\.0\.0 is in .*`adbreak detect` takes it/);
  assert.deepEqual(await kept(), { version: '1.0.0', bytes: true });
  assert.equal((await runAt(hub, 'models', 'pull', 'base-ad-detector', '2.0.0')).code, 0);
  assert.deepEqual(await kept(), { version: '2.0.0', bytes: true });
  assert.match((await runAt(hub, 'models', 'pull', 'nobody')).error, /error not_found/);
  assert.equal((await run(['models', 'use', await releaseFolder('3.0.0')])).code, 0);
  assert.deepEqual(await kept(), { version: '3.0.0', bytes: true });
});
