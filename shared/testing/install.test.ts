import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from './temporary.js';

const SETTINGS = fileURLToPath(new URL('../../../.npmrc', import.meta.url));

/** A project with one package, both of which leave a file when npm runs their scripts; what is there after an installation. */
async function install(settings: 'ours' | 'none'): Promise<string[]> {
  const folder = await temporaryFolder();
  const marks = join(folder, 'marks');
  await mkdir(marks);
  await mkdir(join(folder, 'guest'));
  const describe = (name: string, more: object) =>
    JSON.stringify({
      name,
      version: '1.0.0',
      scripts: { postinstall: `node -e "fs.writeFileSync(process.argv[1],'')" ${join(marks, name)}` },
      ...more,
    });
  await writeFile(join(folder, 'guest', 'package.json'), describe('guest', {}));
  await writeFile(
    join(folder, 'package.json'),
    describe('host', { dependencies: { guest: 'file:./guest' } }),
  );
  if (settings === 'ours') await copyFile(SETTINGS, join(folder, '.npmrc'));
  const flags = [
    '--offline',
    '--no-audit',
    '--no-fund',
    '--install-links',
    '--cache',
    join(folder, 'cache'),
    '--userconfig',
    join(folder, 'none'),
  ];
  // Without the settings of an npm that runs this test.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  await promisify(execFile)('npm', ['install', ...flags], { cwd: folder, env });
  assert.ok((await readdir(join(folder, 'node_modules'))).includes('guest'));
  return (await readdir(marks)).sort();
}

test("the repository's own settings keep an installation from running scripts, whoever types it", async () => {
  assert.deepEqual(await install('none'), ['guest', 'host'], 'npm runs them by itself');
  assert.deepEqual(await install('ours'), []);
});
