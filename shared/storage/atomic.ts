import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AdbreakError, systemCode } from '../errors.js';

/** Write, fsync, rename, fsync the folder: after a power cut the file is the old one or the new one, never half. */
export async function writeAtomic(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const folder = dirname(path);
  const unfinished = join(folder, `.${basename(path)}.${process.pid}.part`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(unfinished, 'w', options.mode ?? 0o644);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncFolder(folder);
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw storageError(cause, path);
  }
}

export async function syncFolder(folder: string): Promise<void> {
  await syncFile(folder);
}

/** The bytes of a file that another program wrote. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads a file after looking at its size. Undefined when it does not exist. */
export async function readLimited(path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path);
    if (size > limit)
      throw new AdbreakError('input_too_large', `Cannot read ${path}: ${size} bytes, at most ${limit}`);
    return await readFile(path);
  } catch (error) {
    return orUndefined(error);
  }
}

/** Bytes of a file or folder. Undefined when it does not exist. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    return orUndefined(error);
  }
}

/** False where nothing is there; what cannot be looked at is an error. */
export async function exists(path: string): Promise<boolean> {
  return (await sizeOf(path)) !== undefined;
}

function orUndefined(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
  return undefined;
}

/** Turns a full or failing disk into an error that names the path. */
export function storageError(cause: unknown, path: string): unknown {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AdbreakError('disk_full', `Cannot write ${path}: no space left on its volume`, { cause });
  return cause;
}

export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}
