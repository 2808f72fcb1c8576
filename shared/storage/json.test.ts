import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { hasCode } from '../errors.js';
import { temporaryFolder } from '../testing/temporary.js';
import { readJson, setAside } from './json.js';

const schema = z.strictObject({ n: z.int() });

test('a file is read against its schema; damage and size are coded, and name it', async () => {
  const path = join(await temporaryFolder(), 'state.json');
  assert.equal(await readJson(schema, path, 100), undefined);
  await writeFile(path, '{"n":1}');
  assert.deepEqual(await readJson(schema, path, 100), { n: 1 });
  await assert.rejects(
    readJson(schema, path, 3),
    (error: unknown) => hasCode(error, 'input_too_large') && error.message.includes(path),
  );
  for (const damaged of ['{"n":', '{"n":"1"}', '', '\xff']) {
    await writeFile(path, damaged, 'latin1');
    await assert.rejects(
      readJson(schema, path, 100),
      (error: unknown) => hasCode(error, 'state_corrupt') && error.message.includes(path),
    );
  }
  await assert.rejects(readJson(schema, path, 100, 'model_corrupt'), (error: unknown) =>
    hasCode(error, 'model_corrupt'),
  );
});

test('a damaged file is kept beside its place; where even that fails, both are said', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'state.json');
  await writeFile(path, '{');
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  await setAside(path, new Error('it is torn'), 'the device begins anew', log);
  assert.deepEqual(
    [await readdir(folder), await readFile(`${path}.damaged`, 'utf8')],
    [['state.json.damaged'], '{'],
  );
  assert.deepEqual(said, [`it is torn; it is kept as ${path}.damaged, and the device begins anew`]);
  await setAside(path, new Error('it is gone'), 'nothing happens', log);
  assert.match(said[2] ?? '', /ENOENT/);
});
