import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

/**
 * Reads a file after looking at its size; of a pipe or a device, which have none, no more than the limit.
 * Undefined when it does not exist.
 */
export async function readLimited(path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    // Opened so, a pipe that nobody writes to is empty. Else it would hold a thread, and with it the process, for ever.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const info = await file.stat();
    if (info.size > limit) throw tooLarge(path, `${info.size} bytes`, limit);
    return info.isFile() && info.size > 0 ? await file.readFile() : await readStream(file, path, limit);
  } catch (error) {
    return orUndefined(error);
  }
}

/** How long a pipe that is open and has nothing to give is left alone, milliseconds. */
const PIPE_PAUSE_MS = 10;
const PIECE = 64 * 1024;

async function readStream(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const piece = await pieceOf(file);
    if (piece === null) await sleep(PIPE_PAUSE_MS);
    else if (piece.byteLength === 0) return Buffer.concat(pieces);
    else pieces.push(piece);
    bytes += piece?.byteLength ?? 0;
    if (bytes > limit) throw tooLarge(path, 'more bytes than that', limit);
  }
}

/** Null where its writer has nothing to give yet. */
async function pieceOf(file: FileHandle): Promise<Uint8Array | null> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE), 0, PIECE, null);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (systemCode(error) === 'EAGAIN') return null;
    throw error;
  }
}

function tooLarge(path: string, size: string, limit: number): AdbreakError {
  return new AdbreakError('input_too_large', `Cannot read ${path}: ${size}, at most ${limit}`);
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
