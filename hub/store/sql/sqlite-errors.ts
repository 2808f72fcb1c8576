import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';

const RESTORE = 'Restore the whole state folder from a backup; what is here was not changed.';
/** SQLite's result codes (sqlite.org/rescode.html): the low byte says which kind, the rest which of its kind. */
const KIND = {
  error: 1,
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  notadb: 26,
} as const;

const sqliteError = z.object({ sqliteExtendedCode: z.int() });

export function damaged(path: string, answer: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot read ${path}: the database is damaged: ${answer}`, {
    remedy: RESTORE,
  });
}

/** What SQLite or the system says of a database file, with a code and for people; anything else as it is. */
export function coded(error: unknown, path: string, what: 'open' | 'read' | 'write'): unknown {
  const parsed = sqliteError.safeParse(error);
  if (!parsed.success) return systemCode(error) === undefined ? error : storageError(error, path);
  const kind = parsed.data.sqliteExtendedCode & 0xff;
  // A header that SQLite knows no format by is a plain error, not one of damage.
  switch (what === 'open' && kind === KIND.error ? KIND.notadb : kind) {
    case KIND.full:
      return new AdbreakError('disk_full', `Cannot write ${path}: no space left on its volume`, {
        cause: error,
      });
    case KIND.corrupt:
    case KIND.notadb:
      return new AdbreakError(
        'state_corrupt',
        `Cannot ${what} ${path}: it is no database, or a damaged one`,
        { cause: error, remedy: RESTORE },
      );
    case KIND.busy:
    case KIND.locked:
      return new AdbreakError('state_unwritable', `Cannot ${what} ${path}: another program holds it`, {
        cause: error,
        remedy: 'Let that program end; the hub tries again with the next change.',
      });
    case KIND.readonly:
    case KIND.cantopen:
    case KIND.ioerr:
      return new AdbreakError('state_unwritable', `Cannot ${what} ${path}: the disk refuses it`, {
        cause: error,
        remedy:
          'Look at the volume and its kernel messages; nothing is acknowledged until it can be written.',
      });
    default:
      return error;
  }
}
