import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { exchange, finishRestore, refuseUnfinished, STAGING } from './exchange.js';

const AT = new Date('2026-11-27T10:00:00.000Z');
const OLD = { 'hub.db': 'old', 'hub.db-wal': 'old', 'identity/ca.key': 'old', 'registry/targets/a': 'old' };
const NEW = {
  'hub.db': 'new',
  'settings.json': 'new',
  'identity/ca.key': 'new',
  'registry/targets/b': 'new',
};

async function fill(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await fs.mkdir(join(folder, path, '..'), { recursive: true });
    await fs.writeFile(join(folder, path), text);
  }
}
async function contents(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const one of await fs.readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(one.parentPath, one.name);
    if (one.isFile()) files[path.slice(folder.length + 1)] = await fs.readFile(path, 'utf8');
  }
  return files;
}

class Killed extends Error {}
const real = { ...fs };
const CHANGES = ['rename', 'rm', 'mkdir', 'open'] as const;

/**
 * Runs until the given step of those that touch the disk, and no step after it: as a kill would leave the disk. How
 * many there were.
 */
async function killedAt(step: number, work: () => Promise<unknown>): Promise<number> {
  let steps = 0;
  for (const name of CHANGES)
    Reflect.set(fs, name, async (...all: unknown[]) => {
      if (steps++ >= step) throw new Killed(`before ${name} ${String(all[0])}`);
      return Reflect.apply(real[name], fs, all);
    });
  syncBuiltinESMExports();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  } finally {
    Object.assign(fs, real);
    syncBuiltinESMExports();
  }
  return steps;
}

test('killed at any step of the exchange, and of what finishes it, a folder holds the old state or the new one, whole', async () => {
  const outcomes = new Set<string>();
  let [step, again] = [0, 0];
  for (let ended = false; !ended; step++) {
    const folder = await temporaryFolder();
    await fill(folder, { ...OLD, '.gitignore': '*\n' });
    await fill(join(folder, STAGING), NEW);
    const steps = await killedAt(step, () => exchange(folder, AT));
    ended = steps <= step;
    // The next start is killed too, in each of its own steps in turn.
    again = await killedAt(step % 7, () => finishRestore(folder));
    await finishRestore(folder);
    await assert.doesNotReject(refuseUnfinished(folder));
    const found = await contents(folder);
    const decided = found['hub.db'] === 'new';
    outcomes.add(found['hub.db'] ?? 'none');
    const aside = 'before-restore-2026-11-27T10-00-00-000Z';
    const expected = decided
      ? {
          ...NEW,
          ...Object.fromEntries(Object.entries(OLD).map(([path, text]) => [`${aside}/${path}`, text])),
        }
      : {
          ...OLD,
          ...Object.fromEntries(Object.entries(NEW).map(([path, text]) => [`${STAGING}/${path}`, text])),
        };
    for (const path of Object.keys(found)) if (path.endsWith('.part')) delete found[path];
    assert.deepEqual(found, { ...expected, '.gitignore': '*\n' }, `killed at step ${step}`);
  }
  assert.ok(step > 12, `${step} steps`);
  assert.ok(again >= 0);
  assert.deepEqual([...outcomes], ['old', 'new']);
});

test('a restore comes to its end though a reader from beside took the log of writes away meanwhile', async () => {
  const folder = await temporaryFolder();
  await fill(folder, OLD);
  await fill(join(folder, STAGING), NEW);
  const last = await killedAt(3, () => exchange(folder, AT));
  assert.ok(last > 3);
  await assert.rejects(refuseUnfinished(folder), { code: 'conflict' });
  await fs.rm(join(folder, 'hub.db-wal'));
  assert.equal(await finishRestore(folder), true);
  const found = await contents(folder);
  assert.equal(found['hub.db'], 'new');
  assert.equal(found['before-restore-2026-11-27T10-00-00-000Z/hub.db'], 'old');
});

test('between the decision and its end nobody reads the folder; the remedy says who ends it', async () => {
  const folder = await temporaryFolder();
  await fill(folder, OLD);
  await fill(join(folder, STAGING), NEW);
  let refused = 0;
  for (let step = 0; step < 40; step++) {
    const steps = await killedAt(step, () => exchange(folder, AT));
    try {
      await refuseUnfinished(folder);
      if (steps <= step) break;
    } catch (error) {
      assert.match(String(error), /a restore was interrupted in it/);
      refused++;
      break;
    }
  }
  assert.equal(refused, 1);
});

test('a decision that somebody else has written leads nowhere else', async () => {
  const folder = await temporaryFolder();
  await fill(folder, OLD);
  for (const decision of [
    { aside: '../elsewhere', old: ['hub.db'], new: [] },
    { aside: 'before-restore-1', old: ['../../etc/passwd'], new: [] },
    { aside: 'before-restore-1', old: [], new: ['..'] },
    'not JSON',
  ]) {
    await fs.writeFile(
      join(folder, 'restore.decided'),
      typeof decision === 'string' ? decision : JSON.stringify(decision),
    );
    await assert.rejects(finishRestore(folder), { code: 'state_corrupt' });
  }
  assert.equal((await contents(folder))['hub.db'], 'old');
});
