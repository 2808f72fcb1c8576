import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { z } from 'zod';

const LIMIT = 4096;
const TRIES = 3;
const PAUSE_MS = 20;
const ownerSchema = z.object({ pid: z.int().positive(), started: z.string().nullable() });
type Owner = z.infer<typeof ownerSchema>;

/**
 * One writer for each output folder. The file says which process; the lock of one that is gone is taken over, also where
 * its number belongs to another process by now. Throws `conflict` where the writer runs.
 */
export async function lockOutput(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, 'labels.lock');
  const own: Owner = { pid: process.pid, started: await startOf(process.pid) };
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, JSON.stringify(own));
  try {
    for (let tries = TRIES; ; tries--) {
      if (await linked(mine, path)) break;
      const owner = await ownerOf(path);
      if (owner !== null && (await runs(owner))) throw inUse(folder, owner);
      if (tries === 1) throw inUse(folder, owner);
      await rm(path, { force: true });
      await sleep(PAUSE_MS);
    }
  } finally {
    await rm(mine, { force: true });
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** A link is made with its contents in it: nobody reads a lock that is half written. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Null where it is gone, or nothing that a writer leaves. */
async function ownerOf(path: string): Promise<Owner | null> {
  try {
    return parseJson(ownerSchema, await readFile(path, 'utf8'), LIMIT, path);
  } catch {
    return null;
  }
}

async function runs({ pid, started }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as somebody else.
    if (systemCode(error) !== 'EPERM') return false;
  }
  return (await startOf(pid)) === started;
}

/** When a process began, in ticks since the machine did: proc(5), field 22. Null without /proc. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return text.replace(/^.*\) /s, '').split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function inUse(folder: string, owner: Owner | null): AdbreakError {
  const who = owner === null ? 'another process' : `process ${owner.pid}`;
  return new AdbreakError('conflict', `Cannot write labels to ${folder}: ${who} does so already`, {
    remedy: 'Use its page, or stop it first; or name another --output-dir.',
  });
}
