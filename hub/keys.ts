import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { refuseUnfinished } from './backup/exchange.js';
import { KeyFiles, MAY_LIE_ELSEWHERE } from './registry/key-files.js';
import { METADATA_LIMIT, MetadataFiles, signedDocument } from './registry/metadata-files.js';
import { Registry } from './registry/registry.js';
import { Repository } from './registry/repository.js';
import { privateKeyOf, publicKeyOf, ROLES, type RoleName } from './registry/signing.js';
import { requireStarted, withStopped } from './stopped.js';
import { holderOf } from './store/lock.js';

const KEY_LIMIT = 16_384;
/** A hub that runs looks every five seconds for what was signed elsewhere. */
const ARRIVAL = { lookMs: 250, mostMs: 60_000 };

interface Options {
  readonly now: () => Date;
  readonly log: (line: string) => void;
}

export interface ListedKey {
  readonly role: RoleName;
  /** The id that the root names it by. */
  readonly id: string;
  readonly where: 'here' | 'elsewhere' | 'MISSING';
  /** When what it has signed last ends. */
  readonly expires: string;
  /** The id of the key of a rotation under way, where that is here. */
  readonly next: string | null;
}
interface KeyList {
  /** Version of the root in force. */
  readonly root: number;
  readonly keys: readonly ListedKey[];
  /** What waits for a signature, a line each. */
  readonly waiting: readonly string[];
}

const registryOf = (state: string) => join(resolve(state), 'registry');
const keysOf = (state: string) => new KeyFiles(join(registryOf(state), 'keys'));

/**
 * Looks at the keys of a hub from beside it; a key that is missing is said, not thrown. Changes nothing. Throws
 * `not_found` where no hub was started on the folder.
 */
export async function listKeys(state: string, now: () => Date): Promise<KeyList> {
  await refuseUnfinished(state);
  await requireKeys(state, 'list the keys');
  return listed(await opened(state, now));
}

/** A folder where no hub was is not a damaged one. A hub that has lost all else still has its keys to save. */
async function requireKeys(state: string, what: string): Promise<void> {
  if (!(await new MetadataFiles(registryOf(state)).hasRoot())) await requireStarted(state, what);
}

function opened(state: string, now: () => Date): Promise<Repository> {
  return Repository.open(registryOf(state), now, { lost: true });
}

async function listed(repository: Repository): Promise<KeyList> {
  const { files, keyFiles } = repository;
  const all = await files.inForce();
  const keys = await keyFiles.read(all.root.signed, { lost: true });
  const entries: ListedKey[] = [];
  for (const role of ROLES) {
    const { current, next } = keys[role];
    const absent = (await keyFiles.isElsewhere(role)) ? 'elsewhere' : 'MISSING';
    entries.push({
      role,
      id: all.root.signed.roles[role]?.keyIDs[0] ?? '',
      where: current === null ? absent : 'here',
      expires: all[role].signed.expires,
      next: next?.public.keyID ?? null,
    });
  }
  return { root: all.root.signed.version, keys: entries, waiting: await repository.waiting() };
}

/**
 * Gives a role of a stopped hub another key: made here, or the public one in `publicPath` where the role's
 * key lies elsewhere. Says how things stand then: something may wait for a signature.
 */
export function rotateKey(
  state: string,
  role: RoleName,
  { publicPath, ...options }: Options & { publicPath?: string },
): Promise<KeyList> {
  return withStopped(state, { what: `rotate the key of ${role}`, ...options }, async (store) => {
    const given = publicPath === undefined ? undefined : publicKeyOf(await fileOf(publicPath), publicPath);
    const repository = await opened(state, options.now);
    await repository.rotate(role, given);
    const list = await listed(repository);
    const after = { root: list.root, waiting: list.waiting.length };
    await store.change(() => undefined, { who: 'keys', what: 'keys.rotate', subject: role, after });
    return list;
  });
}

/**
 * Copies a private key into a new file. With `remove` it is taken from the hub, which must be stopped, after
 * the copy was read again; what signs every hour cannot be.
 */
export async function exportRoleKey(
  state: string,
  role: RoleName,
  path: string,
  { remove, ...options }: Options & { remove: boolean },
): Promise<void> {
  await requireKeys(state, `export the key of ${role}`);
  if (!remove) return copyKey(state, role, path);
  if (!MAY_LIE_ELSEWHERE.includes(role))
    throw new AdbreakError(
      'input_invalid',
      `Cannot take the key of ${role} away: it signs every hour, so it must lie with the hub`,
      { remedy: `Only ${MAY_LIE_ELSEWHERE.join(' and ')} may lie elsewhere.` },
    );
  await withStopped(state, { what: `take the key of ${role} away`, ...options }, async (store) => {
    await copyKey(state, role, path);
    await keysOf(state).takeAway(role, options.now());
    await store.change(() => undefined, { who: 'keys', what: 'keys.remove', subject: role });
  });
}

async function copyKey(state: string, role: RoleName, path: string): Promise<void> {
  if (await exists(path))
    throw new AdbreakError('conflict', `Cannot export the key of ${role}: ${path} is there already`, {
      remedy: 'Name a new file: nothing is written over.',
    });
  const pem = await keysOf(state).pem(role);
  await writeAtomic(path, pem, { mode: 0o600 });
  if (Buffer.compare(await fileOf(path), pem) !== 0)
    throw new AdbreakError(
      'state_unwritable',
      `Cannot export the key of ${role}: ${path} is not what was written`,
    );
}

/** Puts a key back, lost or taken elsewhere; another one than the root names is refused. */
export async function importRoleKey(
  state: string,
  role: RoleName,
  path: string,
  options: Options,
): Promise<void> {
  await withStopped(state, { what: `import the key of ${role}`, ...options }, async (store) => {
    const pem = await fileOf(path);
    const { public: key } = privateKeyOf(pem, path, 'input_invalid');
    const root = await new MetadataFiles(registryOf(state)).root();
    if (root.signed.roles[role]?.keyIDs.includes(key.keyID) !== true)
      throw new AdbreakError(
        'input_invalid',
        `Cannot import ${path}: it is not the key that the root names for ${role}`,
        {
          remedy: `\`adbreak keys list\` shows which it names; another one takes \`adbreak keys rotate ${role}\`.`,
        },
      );
    await keysOf(state).putBack(role, pem);
    await store.change(() => undefined, { who: 'keys', what: 'keys.import', subject: role });
  });
}

/**
 * Adds a key's signature to a document that waits for it, on any machine. Gives what was signed, for people
 * to read.
 */
export async function signWaiting(path: string, keyPath: string, output: string): Promise<string[]> {
  const { role, metadata } = signedDocument(await fileOf(path, METADATA_LIMIT), path);
  const key = privateKeyOf(await fileOf(keyPath), keyPath, 'input_invalid');
  metadata.sign((data) => key.sign(data));
  await writeAtomic(output, JSON.stringify(metadata.toJSON()));
  const { version, expires } = metadata.signed;
  const head = `${output}: ${role} ${version}, until ${expires}, signed by ${key.public.keyID.slice(0, 12)}`;
  if (role === 'targets')
    return [
      head,
      ...Object.values(metadata.signed.targets).map(
        (target) => `  ${target.path}  ${target.length} bytes  SHA-256 ${target.hashes['sha256'] ?? ''}`,
      ),
    ];
  return [
    head,
    ...Object.entries(metadata.signed.roles).map(
      ([name, { keyIDs }]) => `  ${name}  ${keyIDs.map((id) => id.slice(0, 12)).join(' ')}`,
    ),
  ];
}

/**
 * Publishes what was signed elsewhere: by this process, or by the hub where one runs. Gives what waits still.
 */
export async function publishSigned(
  state: string,
  path: string,
  options: Options,
): Promise<readonly string[]> {
  await requireKeys(state, `publish ${path}`);
  const bytes = await fileOf(path, METADATA_LIMIT);
  const { role, metadata } = signedDocument(bytes, path);
  if ((await holderOf(state)) === null)
    await withStopped(state, { what: `publish ${path}`, ...options }, async (store) => {
      const registry = await Registry.open(registryOf(state), store, options.now, false);
      await registry.publish(bytes, path, 'keys');
    });
  else await handOver(state, bytes);
  const repository = await opened(state, options.now);
  const { signed } = (await repository.files.inForce())[role];
  if (signed.version !== metadata.signed.version)
    throw new AdbreakError('conflict', `Cannot publish ${path}: the hub has refused it`, {
      remedy: 'Its log says why, in a line that begins with `keys:`.',
    });
  return repository.waiting();
}

/** Leaves it where the hub looks, and waits until it has taken it. */
async function handOver(state: string, bytes: Uint8Array): Promise<void> {
  const arrival = Registry.arrivalPath(registryOf(state));
  await writeAtomic(arrival, bytes);
  for (let waited = 0; waited < ARRIVAL.mostMs; waited += ARRIVAL.lookMs) {
    if (!(await exists(arrival))) return;
    await sleep(ARRIVAL.lookMs);
  }
  throw new AdbreakError('hub_unreachable', `Cannot publish: the hub has not looked at ${arrival}`, {
    remedy: 'See whether it runs; it takes the file at its next look, or stop it and publish again.',
  });
}

async function fileOf(path: string, limit = KEY_LIMIT): Promise<Uint8Array> {
  const bytes = await readLimited(path, limit);
  if (bytes !== undefined) return bytes;
  throw new AdbreakError('not_found', `Cannot read ${path}: it does not exist`);
}
