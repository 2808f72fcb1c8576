import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DEFAULT_CONFIG } from '../config/schema.js';
import { codeVersion, configurationDigest } from './results.js';

test('the version of the code has its commit, whether files differ from it, and nobody else’s', async () => {
  const folder = await temporaryFolder();
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      encoding: 'utf8',
    });
  const path = join(folder, 'package.json');
  await writeFile(path, '{"version": "1.2.3"}');
  assert.equal(await codeVersion(folder), '1.2.3');
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'first');
  const commit = git('rev-parse', '--short=12', 'HEAD').trim();
  assert.equal(await codeVersion(folder), `1.2.3+${commit}`);
  await writeFile(path, '{"version": "1.2.4"}');
  assert.equal(await codeVersion(folder), `1.2.4+${commit}-dirty`);
  const installed = join(folder, 'node_modules', 'trainer');
  await mkdir(installed, { recursive: true });
  await writeFile(join(installed, 'package.json'), '{"version": "2.0.0"}');
  assert.equal(await codeVersion(installed), '2.0.0');
});

test('the configuration’s digest is of what decides the model, and of nothing else', () => {
  const { model, training, output } = DEFAULT_CONFIG;
  const digest = configurationDigest(DEFAULT_CONFIG);
  for (const same of [
    { ...DEFAULT_CONFIG, model: { ...model, name: 'other', version: '2.0.0' } },
    { ...DEFAULT_CONFIG, output: { ...output, path: 'elsewhere' } },
    { ...DEFAULT_CONFIG, training: { ...training, threads: 4 } },
  ])
    assert.equal(configurationDigest(same), digest);
  for (const other of [
    { ...DEFAULT_CONFIG, training: { ...training, l2: 0.01 } },
    { ...DEFAULT_CONFIG, conversion: { ...DEFAULT_CONFIG.conversion, equalize: true } },
  ])
    assert.notEqual(configurationDigest(other), digest);
});
