import { AdbreakError, type ErrorCode, explain, systemCode } from '@adbreak/shared/errors.js';
import pg from 'pg';

type What = 'open' | 'read' | 'write' | 'reach';
interface Meaning {
  readonly code: ErrorCode;
  readonly sentence: string;
  readonly remedy: string;
}

/** Said to who starts a hub, and to who asks one. */
const RETRIED = 'Try again in a moment; a hub that is at work does so by itself.';
/** By SQLSTATE (PostgreSQL's documentation, appendix A), or by its first two characters: a class. */
const STATES: Readonly<Record<string, Meaning>> = {
  '28P01': unreachable(
    'the server refuses the password',
    'Correct it in `store` of settings.json, PGPASSWORD or the password file.',
  ),
  '28': unreachable(
    'the server refuses this user',
    "Correct the user in `store` of settings.json, or the server's pg_hba.conf.",
  ),
  '3D000': unreachable('there is no such database', 'Make it: `createdb -E UTF8 -O USER DATABASE`.'),
  '53300': unreachable(
    'the server has no connection left',
    'Raise max_connections; a hub takes one, and a backup or a check one more.',
  ),
  '57P': unreachable('the server is starting or being stopped', RETRIED),
  '08': unreachable('the connection failed', RETRIED),
  '53100': {
    code: 'disk_full',
    sentence: "no space left on the server's volume",
    remedy: 'Free space there; nothing is acknowledged until it can be written.',
  },
  '53': unwritable('the server lacks memory or another resource', "Look at the server's log."),
  '58': unwritable('its disk refuses it', "Look at the server's log and at its volume."),
  '25006': unwritable(
    'the server is read-only',
    'Give `store` the address of the primary, or end default_transaction_read_only.',
  ),
  '42501': unwritable(
    'this user may not',
    'Make the user the owner of the database: `alter database DATABASE owner to USER`.',
  ),
  '57014': unwritable(
    'the server broke it off',
    'Raise its statement_timeout; the hub tries again with the next change.',
  ),
  '55': unwritable(
    'another session holds it',
    'Let that session end; the hub tries again with the next change.',
  ),
  '40': unwritable(
    'another session wrote at the same time',
    'Let no other program write to the database of a hub.',
  ),
  '54': { code: 'input_too_large', sentence: 'it is more than a row may hold', remedy: 'Send less at once.' },
  '22': {
    code: 'input_invalid',
    sentence: 'a value is none that the database keeps',
    remedy: 'Correct the value.',
  },
  XX001: corrupt(),
  XX002: corrupt(),
  '42': corrupt(),
};
function unreachable(sentence: string, remedy: string): Meaning {
  return { code: 'store_unreachable', sentence, remedy };
}
function unwritable(sentence: string, remedy: string): Meaning {
  return { code: 'state_unwritable', sentence, remedy };
}
function corrupt(): Meaning {
  return {
    code: 'state_corrupt',
    sentence: "the database is damaged, or its tables are not the hub's",
    remedy: 'Restore the database from a backup; what is there was not changed.',
  };
}

/** By the error of the system that a connection ended with. */
const SYSTEM: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of its host cannot be looked up',
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not open its socket',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'its host is not reachable',
  ENETUNREACH: 'its network is not reachable',
};

/** Whether the server itself refused, and the session goes on: then nothing of the transaction was kept. */
export function isAnswer(error: unknown): boolean {
  return error instanceof AdbreakError || (error instanceof pg.DatabaseError && error.severity === 'ERROR');
}

/** What pg threw, as a coded error that names the database and says no secret. */
export function postgresError(error: unknown, name: string, what: What): unknown {
  if (error instanceof AdbreakError || error instanceof TypeError) return error;
  if (error instanceof pg.DatabaseError && error.code !== undefined) {
    const { code } = error;
    const meaning = STATES[code] ?? STATES[code.slice(0, 3)] ?? STATES[code.slice(0, 2)];
    if (meaning === undefined) return error;
    return new AdbreakError(meaning.code, `Cannot ${what} ${name}: ${meaning.sentence}`, {
      cause: error,
      remedy: meaning.remedy,
    });
  }
  const sentence = SYSTEM[systemCode(error) ?? ''] ?? 'the connection was lost';
  return new AdbreakError('store_unreachable', `Cannot ${what} ${name}: ${sentence}`, {
    cause: withoutParts(error),
    remedy:
      'Check that the database server of `store` in settings.json runs; a hub that is at work tries again by itself.',
  });
}

/** Node tries each address of a name and throws them all together, which explains nothing. */
function withoutParts(error: unknown): unknown {
  return error instanceof AggregateError ? new Error(error.errors.map(explain).join('; ')) : error;
}
