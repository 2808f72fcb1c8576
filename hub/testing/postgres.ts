import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import pg from 'pg';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';
/** Longer than any start that was seen on a loaded machine. */
const START_MS = 60_000;
const OWNER = 'hub';

/** A PostgreSQL server of a test's own, over a socket in a temporary folder, that asks for a password. */
export class PostgresServer {
  readonly #folder: string;
  readonly #bin: string;
  readonly #password: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | null = null;

  private constructor(folder: string, bin: string, password: string, settings: readonly string[]) {
    this.#folder = folder;
    this.#bin = bin;
    this.#password = password;
    this.#settings = settings;
  }

  /** Ends with this process, however that ends. A server that is not installed is an error and no skip. `folder`: where its data lies. */
  static async start(
    settings: readonly string[] = [],
    folder = mkdtempSync(join(tmpdir(), 'adbreak-pg-')),
  ): Promise<PostgresServer> {
    const bin = await binaries();
    const password = randomBytes(9).toString('base64url');
    // postgres refuses to run as root.
    const { uid, gid } = user();
    chownSync(folder, uid, gid);
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const secret = join(folder, 'password');
    await writeFile(secret, password, { mode: 0o600 });
    chownSync(secret, uid, gid);
    const options = [
      '--username',
      OWNER,
      '--auth',
      'scram-sha-256',
      '--pwfile',
      secret,
      '--encoding',
      'UTF8',
    ];
    // A collation that is not that of the bytes: the hub must not depend on it.
    const locale = ['--locale-provider', 'icu', '--icu-locale', 'en-US', '--locale', 'C.UTF-8'];
    await run(join(bin, 'initdb'), ['--pgdata', join(folder, 'data'), '--no-sync', ...options, ...locale], {
      cwd: folder,
      ...identity(uid, gid),
    });
    const server = new PostgresServer(folder, bin, password, settings);
    process.once('exit', () => server.#child?.kill('SIGQUIT'));
    await server.up();
    return server;
  }

  /** Where a program in front of the server finds it. */
  get socket(): string {
    return join(this.#folder, '.s.PGSQL.5432');
  }

  /** The URL of a new, empty database. */
  async database(tablespace = 'pg_default'): Promise<string> {
    const name = `hub_${randomUUID().replaceAll('-', '')}`;
    await this.query('postgres', `create database ${name} template template0 tablespace ${tablespace}`);
    return this.url(name);
  }

  url(database: string): string {
    return `postgres://${OWNER}:${this.#password}@localhost/${database}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** A person's query, beside the hub. */
  async query(urlOrName: string, sql: string): Promise<unknown[]> {
    const connectionString = urlOrName.includes('/') ? urlOrName : this.url(urlOrName);
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Starts it, or starts it again; resolves when it answers. */
  async up(): Promise<void> {
    const { uid, gid } = user();
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${this.#folder}`,
      'shared_buffers=16MB',
      ...this.#settings,
    ];
    const child = spawn(
      'setpriv',
      [
        // The kernel ends it when this process was killed.
        ...['--pdeathsig', 'QUIT', '--', join(this.#bin, 'postgres'), '-D', join(this.#folder, 'data')],
        ...settings.flatMap((one) => ['-c', one]),
      ],
      { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'], ...identity(uid, gid) },
    );
    this.#child = child;
    // It is no reason for a test process to stay.
    child.unref();
    if (child.stderr instanceof Socket) child.stderr.unref();
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-4000);
    });
    for (const deadline = Date.now() + START_MS; ; await sleep(50)) {
      try {
        return void (await this.query('postgres', 'select 1'));
      } catch (error) {
        if (child.exitCode !== null || Date.now() > deadline)
          throw new Error(`PostgreSQL did not start: ${explain(error)}: ${words}`, { cause: error });
      }
    }
  }

  /** Its end, and that of its data. */
  async stop(): Promise<void> {
    await this.down('immediate');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** As pg_ctl's modes: `immediate` is the server's crash, its log of writes is played back at the next start. */
  async down(mode: 'fast' | 'immediate'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  }
}

let shared: Promise<PostgresServer> | undefined;
/** One server for all tests of a process. */
export function postgresServer(): Promise<PostgresServer> {
  shared ??= PostgresServer.start();
  return shared;
}

/** Debian keeps them by version, and out of PATH. */
async function binaries(): Promise<string> {
  try {
    const [newest] = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
    const bin = join(DEBIAN, newest ?? '', 'bin');
    await run(join(bin, 'postgres'), ['--version']);
    return bin;
  } catch (cause) {
    throw new AdbreakError(
      'runtime_unavailable',
      `Cannot test on PostgreSQL: there is no server in ${DEBIAN}`,
      {
        cause,
        remedy: 'Install it: `apt-get install postgresql`, or run `make setup` as root.',
      },
    );
  }
}

/** Whom the server runs as: this user, or in root's place the package's own. */
function user(): { readonly uid: number; readonly gid: number } {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  if (uid !== 0) return { uid, gid };
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (line === null) throw new Error('there is no user postgres, whom the package makes');
  return { uid: Number(line[1]), gid: Number(line[2]) };
}
function identity(uid: number, gid: number) {
  return process.getuid?.() === 0 ? { uid, gid } : {};
}
