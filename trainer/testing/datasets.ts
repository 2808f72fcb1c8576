import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type DatasetManifest, readManifest } from '../dataset/manifest.js';

/** The trainer's program. */
export const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** `adbreak dataset …`, to its end. */
export function dataset(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [MAIN, 'dataset', ...args], { encoding: 'utf8' });
}
export function prepare(source: string, output: string, ...more: string[]): SpawnSyncReturns<string> {
  return dataset('prepare', ...pathOptions(source, output), ...more);
}
export function pathOptions(source: string, output: string): string[] {
  return ['--source', 'local', '--source-path', source, '--output-dir', output];
}
/** Its output where it ended well. */
export function prepared(source: string, output: string, ...more: string[]): string {
  const done = prepare(source, output, ...more);
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}
export async function manifestOf(folder: string): Promise<DatasetManifest> {
  const manifest = await readManifest(folder);
  assert.ok(manifest, `${folder} is no data set`);
  return manifest;
}
