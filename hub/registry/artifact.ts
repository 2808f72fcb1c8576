import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { systemCode } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';

/** A file of the registry that is read while it is sent: however many ask, a few buffers of each are in memory. */
export interface Artifact {
  /** Bytes. */
  readonly size: number;
  /** From one byte to another, both included. */
  readonly read: (from: number, to: number) => Readable;
}

/** Undefined where there is no such file. Artifacts never change, and are removed by a rename's rules: who reads goes on. */
export async function artifactAt(path: string): Promise<Artifact | undefined> {
  try {
    const { size } = await stat(path);
    return { size, read: (start, end) => createReadStream(path, { start, end }) };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw storageError(error, path);
  }
}
