import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { explain, printable } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';

/** A run's lines in a file that can be followed while it is written (`tail -f`). */
export interface RunLog extends AsyncDisposable {
  /** One line, with the time; it is on its way to the file when this returns. */
  write(line: string): void;
}
interface RunLogOptions {
  /** The run goes on with another one, and so do its lines; else the file begins anew. */
  readonly goesOn: boolean;
  readonly now: () => Date;
  /** Hears, once, that the file cannot be written. */
  readonly trouble: (line: string) => void;
}

/**
 * A file that cannot be written is said once through `trouble`, and the run goes on without: a full disk must
 * not end a training.
 */
export async function openRunLog(path: string, { goesOn, now, trouble }: RunLogOptions): Promise<RunLog> {
  let broken = false;
  const stop = (cause: unknown) => {
    if (!broken) trouble(`warning: the log is not written any more: ${explain(storageError(cause, path))}`);
    broken = true;
  };
  const file = await mkdir(dirname(path), { recursive: true })
    .then(() => open(path, goesOn ? 'a' : 'w'))
    .catch(stop);
  let written: Promise<unknown> = Promise.resolve();
  return {
    write: (line) => {
      const text = `${now().toISOString()} ${printable(line)}\n`;
      written = written.then(() => (broken ? undefined : file?.appendFile(text))).catch(stop);
    },
    [Symbol.asyncDispose]: async () => {
      await written;
      // What is still said behind the end has no file any more, which is no trouble.
      broken = true;
      await file?.close();
    },
  };
}
