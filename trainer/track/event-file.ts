import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { storageError } from '@adbreak/shared/storage/atomic.js';
import { versionEvent } from './events.js';
import { recordOf } from './records.js';

let filesOfThisProcess = 0;

/**
 * A file of events that TensorBoard reads while it grows. It is only ever appended to, whole records at a
 * time, and what was appended is on the disk before `append` ends: a process that is killed leaves at most
 * one record half, which readers pass over. Never one that is there already: who goes on with a run begins
 * another file in the same folder.
 */
export class EventFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async create(folder: string, now: Date): Promise<EventFile> {
    const seconds = Math.floor(now.getTime() / 1000);
    const host = hostname().replace(/[^\w.-]/g, '_');
    filesOfThisProcess += 1;
    // Readers take files in the order of their names.
    const number = String(filesOfThisProcess).padStart(6, '0');
    const name = `events.out.tfevents.${seconds}.${host}.${process.pid}.${number}`;
    const path = join(folder, name);
    try {
      await mkdir(folder, { recursive: true });
      const file = new EventFile(path, await open(path, 'ax'));
      await file.append([versionEvent(now.getTime() / 1000)]);
      return file;
    } catch (cause) {
      throw storageError(cause, path);
    }
  }

  async append(events: readonly Uint8Array[]): Promise<void> {
    try {
      await this.#file.appendFile(Buffer.concat(events.map(recordOf)));
      await this.#file.datasync();
    } catch (cause) {
      throw storageError(cause, this.#path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
