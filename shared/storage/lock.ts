import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, readlink, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AdbreakError, systemCode } from '../errors.js';
import { sha256, storageError } from './atomic.js';

/** How often a holder touches its lock file, and how long one that cannot be asked for is watched: four beats. */
const BEAT_MS = 2000;
const WATCH_MS = 4 * BEAT_MS;
/** After taking a lock file over: time for another that does the same to show. */
const SETTLE_MS = 200;

const holder = z.object({
  nonce: z.string(),
  pid: z.int(),
  started: z.string(),
  boot: z.string(),
  namespace: z.string(),
});
type Holder = z.infer<typeof holder>;

/** One kind of process of which a folder has one at a time. */
export interface FolderLock {
  /** What its sockets' names begin with; another kind on the folder has other ones. */
  readonly socket: string;
  /** The file in the folder. */
  readonly file: string;
  /** Who holds it: the process's number where the file says it. */
  readonly taken: (folder: string, pid: number | null) => AdbreakError;
}

/**
 * One holder of a folder, by two locks. The abstract Unix socket is the kernel's to let go of when the process ends; it
 * knows the folder by its real path, within one network namespace. For holders in several containers on one volume there is
 * a lock file: of its holder on this machine /proc tells whether it lives, of another it is watched for a while whether it
 * is still touched. Throws what `taken` gives.
 */
export async function lockFolder(folder: string, lock: FolderLock): Promise<AsyncDisposable> {
  await mkdir(folder, { recursive: true });
  const path = await realpath(folder);
  const taken = async () => lock.taken(path, (await read(join(path, lock.file)))?.pid ?? null);
  const socket = await holdSocket(socketOf(lock, path), taken);
  try {
    const release = await holdFile(join(path, lock.file), taken);
    return {
      [Symbol.asyncDispose]: async () => {
        await release();
        await socket[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await socket[Symbol.asyncDispose]();
    throw error;
  }
}

/** An abstract Unix socket: the kernel lets go of it when the process ends, however it ends, so none is ever stale. */
export async function holdSocket(
  name: string,
  taken: () => AdbreakError | Promise<AdbreakError>,
): Promise<AsyncDisposable> {
  const server: Server = createServer((socket) => socket.destroy());
  server.listen(name);
  await once(server, 'listening').catch(async (cause: unknown) => {
    // Without its cause: the name of the socket says nothing to people.
    if (systemCode(cause) === 'EADDRINUSE') throw await taken();
    throw new AdbreakError('internal', 'Cannot lock a folder', {
      cause,
      remedy: 'The kernel refused a socket; the message says why.',
    });
  });
  server.unref();
  return { [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())) };
}

/** The process that holds a folder's lock, or null; null as its number where the lock file does not say it. Takes nothing. */
export async function holderOf(
  folder: string,
  lock: FolderLock,
): Promise<{ readonly pid: number | null } | null> {
  const path = await realpath(folder);
  const file = join(path, lock.file);
  const held =
    (await answers(socketOf(lock, path))) ||
    ((await read(file)) !== null && (await isHeld(file, await thisProcess())));
  return held ? { pid: (await read(file))?.pid ?? null } : null;
}

async function answers(socket: string): Promise<boolean> {
  const client = connect(socket);
  try {
    await once(client, 'connect');
    return true;
  } catch (error) {
    if (systemCode(error) === 'ECONNREFUSED') return false;
    throw error;
  } finally {
    client.destroy();
  }
}

function socketOf({ socket }: FolderLock, path: string): string {
  return `\0${socket}-${sha256(path).slice(0, 32)}`;
}

async function holdFile(path: string, taken: () => Promise<AdbreakError>): Promise<() => Promise<void>> {
  const self = await thisProcess();
  if (!(await create(path, self))) {
    if (await isHeld(path, self)) throw await taken();
    await rm(path, { force: true });
    if (!(await create(path, self))) throw await taken();
    await sleep(SETTLE_MS);
    if ((await read(path))?.nonce !== self.nonce) throw await taken();
  }
  const beat = setInterval(() => {
    const now = new Date();
    // A volume that is full or gone is told by every write of the state.
    utimes(path, now, now).catch(() => undefined);
  }, BEAT_MS);
  beat.unref();
  return async () => {
    clearInterval(beat);
    if ((await read(path))?.nonce === self.nonce) await rm(path, { force: true });
  };
}

async function create(path: string, self: Holder): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify(self), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    // A volume that is full takes the name and not the content.
    await rm(path, { force: true });
    throw storageError(error, path);
  }
}

async function isHeld(path: string, self: Holder): Promise<boolean> {
  const other = await read(path);
  if (other !== null && other.boot === self.boot && other.namespace === self.namespace)
    return (await startOf(other.pid)) === other.started;
  const before = await touched(path);
  for (const deadline = Date.now() + WATCH_MS; Date.now() < deadline; await sleep(BEAT_MS / 4))
    if ((await touched(path)) !== before) return true;
  return false;
}

/** Null where there is none, or one that a power cut left empty. */
async function read(path: string): Promise<Holder | null> {
  try {
    return holder.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError || systemCode(error) === 'ENOENT')
      return null;
    throw error;
  }
}

async function touched(path: string): Promise<number | null> {
  return (await stat(path).catch(unlessMissing))?.mtimeMs ?? null;
}

async function thisProcess(): Promise<Holder> {
  const [boot, namespace, started] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(unlessMissing),
    readlink('/proc/self/ns/pid').catch(unlessMissing),
    startOf(process.pid),
  ]);
  return {
    nonce: randomUUID(),
    pid: process.pid,
    started: started ?? '',
    boot: boot?.trim() ?? '',
    namespace: namespace ?? '',
  };
}

/** When a process started, in ticks since the boot (proc(5), field 22 of stat); null where there is none. Numbers are given again, this pair is not. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(unlessMissing);
  const fields = text?.replace(/^.*\) /s, '').split(' ') ?? [];
  // One that has ended and waits for its parent holds nothing.
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

function unlessMissing(error: unknown): null {
  // A process that ends while it is looked at gives ESRCH.
  if (['ENOENT', 'ESRCH'].includes(systemCode(error) ?? '')) return null;
  throw error;
}
