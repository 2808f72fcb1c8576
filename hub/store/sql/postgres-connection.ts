import { AdbreakError } from '@adbreak/shared/errors.js';
import pg from 'pg';
import pgpass from 'pgpass';
import { postgresError } from './postgres-errors.js';
import { FORM, urlProblem } from './postgres-url.js';

/** A server that does not answer in this time counts as gone. */
const CONNECT_MS = 10_000;
const ANSWER_MS = 30_000;
/** After this time of silence each side asks the other whether it is there; a hub that lost its power keeps its lock no longer. */
const SILENT_MS = 10_000;
const SESSION = [
  // A commit that was answered is on the disk, whatever the server's own setting is.
  'set synchronous_commit = on',
  `set tcp_keepalives_idle = ${SILENT_MS / 1000}`,
  'set tcp_keepalives_interval = 5',
  'set tcp_keepalives_count = 3',
  'set tcp_user_timeout = 25000',
].join(';');

/** Where a database is, as a URL of the settings says it. */
export interface Target {
  /** For people: without a password. */
  readonly name: string;
  readonly config: pg.ClientConfig;
}

/** Throws `input_invalid` without a word of the URL, which may hold a password. */
export function targetOf(url: string): Target {
  const problem = urlProblem(url);
  if (problem !== null)
    throw new AdbreakError('input_invalid', `Cannot use the store of the settings: it ${problem}`);
  const config: pg.ClientConfig = {
    connectionString: url,
    application_name: 'adbreak hub',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: SILENT_MS,
    types: { getTypeParser },
    pipeline: true,
  };
  try {
    const { host, port, user = '', database = '' } = new pg.Client(config);
    return { name: `postgres://${user}@${host}:${port}/${database}`, config };
  } catch (cause) {
    throw new AdbreakError('input_invalid', 'Cannot use the store of the settings', {
      cause,
      remedy: `Write it as ${FORM}; the files that it names must be there.`,
    });
  }
}

/** A session of our own making. Rejects with `store_unreachable`, or what else the server says. */
export async function connect({ name, config }: Target): Promise<pg.Client> {
  const client = new pg.Client(config);
  // What waits for an answer hears of it, and who keeps the session listens for its end.
  client.on('error', () => undefined);
  // pg takes a function for a password too, but not beside a URL.
  const { host, port, user = '', database = '', password } = client;
  if (!password) Reflect.set(client, 'password', () => passwordOf({ host, port, user, database }, name));
  try {
    await client.connect();
    await client.query(SESSION);
    return client;
  } catch (error) {
    client.end().catch(() => undefined);
    throw postgresError(error, name, 'open');
  }
}

/** Asked where neither the URL nor PGPASSWORD has it: PGPASSFILE, or ~/.pgpass. */
async function passwordOf(where: Parameters<typeof pgpass>[0], name: string): Promise<string> {
  const found = await new Promise<string | undefined>((resolve) => pgpass(where, resolve));
  if (found !== undefined) return found;
  throw new AdbreakError('store_unreachable', `Cannot open ${name}: its server asks for a password`, {
    remedy:
      'Write it into the URL of `store`, into the variable PGPASSWORD, or into the file that PGPASSFILE names, which only its owner may read.',
  });
}

/** Whole numbers of 64 bits come as text; ours are counts, and a number holds them. */
function getTypeParser(...[type, format]: Parameters<typeof pg.types.getTypeParser>) {
  return type === pg.types.builtins.INT8 ? wholeNumber : pg.types.getTypeParser(type, format);
}
function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new AdbreakError('state_corrupt', `Cannot read a number of the database: ${text} is too large`);
}
