import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { systemCode } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';

/** A file of the registry that is read while it is sent: of each that is asked for a buffer is in memory. */
export interface Artifact {
  /** SHA-256 of it. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** From one byte to another, both included. Whoever takes it reads it to its end, or destroys it. */
  readonly read: (from: number, to: number) => Promise<Readable>;
}

/** Undefined where there is no such file. An artifact never changes. */
export async function artifactAt(path: string, digest: string): Promise<Artifact | undefined> {
  try {
    const { size } = await stat(path);
    // Opened here, and not by the stream: what cannot be opened is refused before an answer has begun.
    const read: Artifact['read'] = async (start, end) => (await open(path)).createReadStream({ start, end });
    return { digest, size, read };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw storageError(error, path);
  }
}
