import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { storageError, syncFolder } from '@adbreak/shared/storage/atomic.js';
import { FIRST_DIGEST, LINE_LIMIT, type Line, lineOf, parseLine } from './event-line.js';
import type { LabelEvent } from './fold.js';

/** What `EventLog.open` needs of a file, so that a test can give one whose disk is full. */
export interface LogFile {
  write(bytes: Uint8Array): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
  /** Whether it is what its path names, with so many bytes: nobody has put another one in its place, or cut it. */
  isStill(bytes: number): Promise<boolean>;
}

/**
 * The events of all labels: a file of JSON lines that is only ever appended to. One process writes it (`lockOutput`), one
 * call at a time. What `append` has answered for is on the disk.
 */
export class EventLog implements AsyncDisposable {
  readonly #file: LogFile;
  readonly #path: string;
  #bytes: number;
  #digest: string;
  #sequence: number;
  #broken: unknown = null;

  constructor(
    file: LogFile,
    path: string,
    end: { readonly bytes: number; readonly digest: string; readonly sequence: number },
  ) {
    this.#file = file;
    this.#path = path;
    this.#bytes = end.bytes;
    this.#digest = end.digest;
    this.#sequence = end.sequence;
  }

  /**
   * Opens the log and hands over each event. What a kill left of a last line is cut off, and `say` hears of it: nobody was
   * answered for it. Throws `state_corrupt` with the line of anything else that is not as it was written.
   */
  static async open(
    path: string,
    onEvent: (event: LabelEvent) => void,
    say: (line: string) => void,
  ): Promise<EventLog> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o644);
    try {
      const end = await readAll(file, path, onEvent);
      const { size } = await file.stat();
      if (size > end.bytes) {
        await file.truncate(end.bytes);
        await file.datasync();
        say(`${path}: the last line was cut off (${size - end.bytes} bytes): it was never finished`);
      }
      await syncFolder(dirname(path));
      return new EventLog(logFile(file, path), path, end);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Writes events behind one another, all or none of them, and gives them with their sequences once they are on the disk.
   * Throws `disk_full` where they do not fit: the log is then as it was, and a later call may succeed; `state_unwritable`
   * where another file was put in its place, or it was changed.
   */
  async append(events: readonly Omit<LabelEvent, 'sequence'>[]): Promise<LabelEvent[]> {
    if (this.#broken !== null) throw this.#refusal(this.#broken);
    const numbered = events.map((event, i) => ({ ...event, sequence: this.#sequence + i + 1 }));
    if (!(await this.#file.isStill(this.#bytes)))
      throw new AdbreakError(
        'state_unwritable',
        `Cannot write ${this.#path}: somebody has replaced or changed it`,
        {
          remedy: 'Stop `adbreak label`, put the file in its place that is to count, and start it again.',
        },
      );
    const { lines, digest } = chained(numbered, this.#digest);
    const bytes = Buffer.from(lines.join(''));
    try {
      await this.#write(bytes);
    } catch (cause) {
      await this.#takeBack();
      throw storageError(cause, this.#path);
    }
    this.#bytes += bytes.length;
    this.#digest = digest;
    this.#sequence += events.length;
    return numbered;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes.subarray(at))).bytesWritten;
    await this.#file.datasync();
  }

  /** A line that was begun must not stand before the next one. */
  async #takeBack(): Promise<void> {
    try {
      await this.#file.truncate(this.#bytes);
      await this.#file.datasync();
    } catch (error) {
      this.#broken = error;
    }
  }

  #refusal(cause: unknown): AdbreakError {
    return new AdbreakError('state_unwritable', `Cannot write ${this.#path} any more`, {
      cause,
      remedy: 'Look at the disk, and start `adbreak label` again: what was answered for is in the file.',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function chained(events: readonly LabelEvent[], before: string): { lines: string[]; digest: string } {
  let digest = before;
  const lines = events.map((event) => {
    const line: Line = lineOf(event, digest);
    digest = line.digest;
    return line.text;
  });
  return { lines, digest };
}

async function readAll(file: FileHandle, path: string, onEvent: (event: LabelEvent) => void) {
  const end = { bytes: 0, digest: FIRST_DIGEST, sequence: 0 };
  for await (const text of wholeLines(file, path)) {
    const { event, digest } = parseLine(text.toString('utf8'), end.digest, { path, line: end.sequence + 1 });
    onEvent(event);
    end.digest = digest;
    end.bytes += text.length + 1;
    end.sequence += 1;
  }
  return end;
}

/** Lines that have their end; what is behind the last one is not given. */
async function* wholeLines(file: FileHandle, path: string): AsyncGenerator<Buffer> {
  let begun = Buffer.alloc(0);
  const stream = file.createReadStream({ start: 0, autoClose: false });
  for await (const chunk of stream) {
    begun = Buffer.concat([begun, Buffer.from(chunk)]);
    let at = 0;
    for (let stop = begun.indexOf(10); stop >= 0; stop = begun.indexOf(10, at)) {
      yield begun.subarray(at, stop);
      at = stop + 1;
    }
    begun = begun.subarray(at);
    if (begun.length > LINE_LIMIT)
      throw new AdbreakError(
        'input_too_large',
        `Cannot read ${path}: a line has more than ${LINE_LIMIT} bytes`,
      );
  }
}

function logFile(file: FileHandle, path: string): LogFile {
  return {
    write: (bytes) => file.write(bytes),
    datasync: () => file.datasync(),
    truncate: (bytes) => file.truncate(bytes),
    close: () => file.close(),
    isStill: async (bytes) => {
      const own = await file.stat();
      const there = await stat(path).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return null;
        throw error;
      });
      return there?.ino === own.ino && there.dev === own.dev && own.size === bytes;
    },
  };
}
