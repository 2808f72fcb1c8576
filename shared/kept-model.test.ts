import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from './errors.js';
import { keepModel, keptModel } from './kept-model.js';
import { temporaryFolder } from './testing/temporary.js';
import { tinyRelease } from './testing/tiny-model.js';

const release = (version: string) => {
  const { file, manifest } = tinyRelease(version);
  return [file, Buffer.from(JSON.stringify(manifest))] as const;
};

test('one model is kept: a newer one takes its place, a wrong one does not', async (t) => {
  const before = process.env['ADBREAK_MODELS'];
  const folder = await temporaryFolder();
  process.env['ADBREAK_MODELS'] = folder;
  t.after(() => {
    if (before === undefined) delete process.env['ADBREAK_MODELS'];
    else process.env['ADBREAK_MODELS'] = before;
  });
  const versionKept = async () =>
    JSON.parse(await readFile(join(await keptModel(), 'manifest.json'), 'utf8')).version;

  await assert.rejects(
    keptModel(),
    (error: unknown) => hasCode(error, 'not_found') && /make model/.test(error.remedy),
  );
  await keepModel(...release('1.0.0'));
  assert.equal(await versionKept(), '1.0.0');
  await keepModel(...release('2.0.0'));
  await keepModel(...release('2.0.0'));
  assert.equal(await versionKept(), '2.0.0');
  assert.equal((await readdir(folder)).length, 2, 'the link and one model');

  const [file, facts] = release('3.0.0');
  await assert.rejects(keepModel(file.slice(1), facts), (error: unknown) => hasCode(error, 'model_corrupt'));
  await assert.rejects(keepModel(file, Buffer.from('{}')), (error: unknown) =>
    hasCode(error, 'input_invalid'),
  );
  assert.equal(await versionKept(), '2.0.0');
});
