import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { exists, readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import {
  Metadata,
  MetadataKind,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from '@tufjs/models';
import { ROLES, type RoleName } from './signing.js';

/** Bytes of the largest metadata file: what clients take of the list of targets. */
export const METADATA_LIMIT = 5_000_000;
const FIRST_ROOT = '1.root.json';

/** What clients take now, by role. */
export interface InForce {
  readonly root: Metadata<Root>;
  readonly targets: Metadata<Targets>;
  readonly snapshot: Metadata<Snapshot>;
  readonly timestamp: Metadata<Timestamp>;
}
/** What was prepared and waits for a signature from elsewhere. */
type Pending = 'root' | 'targets';

export function damaged(what: string, cause?: unknown): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot open the registry: ${what}`, { cause });
}

/**
 * Metadata as it lies on the disk, in consistent snapshots (the TUF specification 1.0, 6.2), and what waits
 * beside it.
 */
export class MetadataFiles {
  readonly #folder: string;
  readonly #pending: string;

  constructor(registry: string) {
    this.#folder = join(registry, 'metadata');
    this.#pending = join(registry, 'pending');
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return readLimited(join(this.#folder, name), METADATA_LIMIT);
  }
  async write(name: string, metadata: Metadata<Root | Targets | Snapshot | Timestamp>): Promise<void> {
    await writeAtomic(join(this.#folder, name), JSON.stringify(metadata.toJSON()));
  }

  async hasRoot(): Promise<boolean> {
    return (await this.#newestRoot()) !== null;
  }
  /** The newest root: who trusts an older one gets to it step by step. */
  root(): Promise<Metadata<Root>> {
    return this.#rootName().then((name) => this.#parsed(name, rootOf));
  }
  /** The newest root as it was signed. */
  async rootText(): Promise<string> {
    return Buffer.from(await this.#bytes(await this.#rootName())).toString();
  }

  /** By role, as each names the next; signatures are not looked at. */
  async inForce(): Promise<InForce> {
    const root = await this.root();
    const timestamp = await this.#parsed('timestamp.json', (json) =>
      Metadata.fromJSON(MetadataKind.Timestamp, json),
    );
    const snapshot = await this.#parsed(`${timestamp.signed.snapshotMeta.version}.snapshot.json`, (json) =>
      Metadata.fromJSON(MetadataKind.Snapshot, json),
    );
    const list = snapshot.signed.meta['targets.json']?.version ?? 1;
    const targets = await this.#parsed(`${list}.targets.json`, targetsOf);
    return { root, targets, snapshot, timestamp };
  }

  /** The same; throws `state_corrupt` where a signature is not of the role's key: no device would take it. */
  async verified(): Promise<InForce> {
    const all = await this.inForce();
    const unsigned = unsignedUnder(all.root, all);
    if (unsigned === null) return all;
    const path = join(this.#folder, await this.#rootName());
    throw damaged(
      `the metadata of ${unsigned.role} is not signed by the key that ${path} names`,
      unsigned.cause,
    );
  }

  /** Where a document waits for its signature. */
  pendingPath(role: Pending): string {
    return join(this.#pending, `${role}.json`);
  }
  async pendingRoot(): Promise<Metadata<Root> | null> {
    return this.#waiting('root', rootOf);
  }
  async pendingTargets(): Promise<Metadata<Targets> | null> {
    return this.#waiting('targets', targetsOf);
  }
  async prepare(role: Pending, metadata: Metadata<Root | Targets>): Promise<void> {
    await writeAtomic(this.pendingPath(role), JSON.stringify(metadata.toJSON()));
  }
  async withdraw(role: Pending): Promise<void> {
    await rm(this.pendingPath(role), { force: true });
  }

  /**
   * What nobody can sign waits for nothing: it is told by `unreadable`, and keeps nothing else from being
   * signed.
   */
  async #waiting<T>(role: Pending, parse: (json: Json) => T): Promise<T | null> {
    const path = this.pendingPath(role);
    const bytes = await readLimited(path, METADATA_LIMIT);
    try {
      return bytes === undefined ? null : parsed(bytes, path, parse);
    } catch {
      return null;
    }
  }

  /** Prepared documents that something has damaged, a line each. */
  async unreadable(): Promise<string[]> {
    const lines: string[] = [];
    for (const role of ['root', 'targets'] as const) {
      const readable = role === 'root' ? await this.pendingRoot() : await this.pendingTargets();
      const path = this.pendingPath(role);
      if (readable === null && (await exists(path)))
        lines.push(`${path} cannot be read: delete it, and do again what had prepared it`);
    }
    return lines;
  }

  async #rootName(): Promise<string> {
    return (await this.#newestRoot()) ?? FIRST_ROOT;
  }
  async #newestRoot(): Promise<string | null> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    const numbers = names.flatMap((name) => /^(\d{1,9})\.root\.json$/.exec(name)?.[1] ?? []).map(Number);
    return numbers.length === 0 ? null : `${Math.max(...numbers)}.root.json`;
  }
  async #parsed<T>(name: string, parse: (json: Json) => T): Promise<T> {
    return parsed(await this.#bytes(name), join(this.#folder, name), parse);
  }
  async #bytes(name: string): Promise<Uint8Array> {
    const bytes = await this.read(name);
    if (bytes === undefined) throw damaged(`${join(this.#folder, name)} is missing`);
    return bytes;
  }
}

/** The first role whose metadata a root does not accept, and why; null where it accepts all, itself too. */
export function unsignedUnder(
  root: Metadata<Root>,
  { targets, snapshot, timestamp }: InForce,
): { readonly role: RoleName; readonly cause: unknown } | null {
  const all = { root, targets, snapshot, timestamp };
  for (const role of ROLES)
    try {
      root.verifyDelegate(role, all[role]);
    } catch (cause) {
      return { role, cause };
    }
  return null;
}

type Json = ReturnType<typeof JSON.parse>;
const rootOf = (json: Json) => Metadata.fromJSON(MetadataKind.Root, json);
const targetsOf = (json: Json) => Metadata.fromJSON(MetadataKind.Targets, json);

function parsed<T>(bytes: Uint8Array, path: string, parse: (json: Json) => T): T {
  try {
    return parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch (cause) {
    throw damaged(`${path} is not TUF metadata of its role`, cause);
  }
}

/**
 * A root or a list of targets that comes back signed from elsewhere. Throws `input_invalid`, naming the file,
 * for all else.
 */
export function signedDocument(
  bytes: Uint8Array,
  path: string,
): { role: 'root'; metadata: Metadata<Root> } | { role: 'targets'; metadata: Metadata<Targets> } {
  let json: Json;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
    const type: unknown = json?.signed?._type;
    if (type === 'root') return { role: 'root', metadata: rootOf(json) };
    if (type === 'targets') return { role: 'targets', metadata: targetsOf(json) };
  } catch (cause) {
    throw new AdbreakError('input_invalid', `Cannot accept ${path}: it is not TUF metadata`, { cause });
  }
  throw new AdbreakError(
    'input_invalid',
    `Cannot accept ${path}: it is neither a root nor a list of targets`,
    {
      remedy: 'Give one of the files that `adbreak keys list` names as waiting.',
    },
  );
}
