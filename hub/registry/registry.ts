import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import {
  Metadata,
  MetadataKind,
  MetaFile,
  Root,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import type { Store } from '../store/store.js';
import { openRoleKey, ROLES, type RoleKey, type RoleName } from './signing.js';

const SPEC = '1.0.31';
const DAY = 24 * 3600 * 1000;
/** A frozen mirror is noticed within the timestamp's life; the hub renews it daily. */
const LIFETIME_DAYS: Record<RoleName, number> = { root: 3650, targets: 365, snapshot: 30, timestamp: 7 };
const MODEL_LIMIT = 256 * 1024 * 1024;
const METADATA_LIMIT = 5_000_000;
const ROOT = '1.root.json';

/** A file that devices may fetch; it lies in `targets` under its digest. */
export interface ListedTarget {
  readonly path: string;
  readonly bytes: number;
  readonly digest: string;
}

/** Target paths of a version, as devices ask for them. */
function targetPath(name: string, version: string, file: 'model.tflite' | 'manifest.json'): string {
  return `${name}/${version}/${file}`;
}

/** The next patch, which is free far more often than not. */
function after(version: string): string {
  const [major, minor, patch] = version.split('.').map(Number);
  return `${major}.${minor}.${(patch ?? 0) + 1}`;
}

function damaged(what: string, cause?: unknown): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot open the registry: ${what}`, { cause });
}

/** Model versions with TUF metadata (the TUF specification 1.0, consistent snapshots) and artifacts by content. */
export class Registry {
  readonly #folder: string;
  readonly #store: Store;
  readonly #keys: Record<RoleName, RoleKey>;
  readonly #now: () => Date;
  /** One publication at a time: metadata versions must follow each other. */
  readonly #publishing = new SerialRunner();

  private constructor(folder: string, store: Store, keys: Record<RoleName, RoleKey>, now: () => Date) {
    this.#folder = folder;
    this.#store = store;
    this.#keys = keys;
    this.#now = now;
  }

  /**
   * Opens the registry in `folder`. Until a first start has come to its end (`begin`), what is missing is made, in the order
   * keys, root, targets, snapshot, timestamp. Later everything must be there, be what it says, and belong together: a key
   * or a list made anew would be one that no device trusts.
   */
  static async open(folder: string, store: Store, now: () => Date, begin: boolean): Promise<Registry> {
    await mkdir(join(folder, 'targets'), { recursive: true });
    const rooted = (await readLimited(join(folder, 'metadata', ROOT), METADATA_LIMIT)) !== undefined;
    const key = (role: RoleName) => openRoleKey(join(folder, 'keys'), role, begin && !rooted);
    const [root, targets, snapshot, timestamp] = await Promise.all([
      key('root'),
      key('targets'),
      key('snapshot'),
      key('timestamp'),
    ]);
    const registry = new Registry(folder, store, { root, targets, snapshot, timestamp }, now);
    if (begin && !rooted) await registry.#writeRoot();
    await registry.#checkRoot();
    if (begin && (await registry.metadata('timestamp.json')) === undefined)
      await registry.#publish(
        new Targets({ version: 1, specVersion: SPEC, expires: registry.#expiry('targets') }),
      );
    await registry.#targets();
    return registry;
  }

  /** The root metadata that a device trusts from its enrolment on. */
  async root(): Promise<string> {
    return Buffer.from(await this.#bytes(ROOT)).toString();
  }

  metadata(name: string): Promise<Uint8Array | undefined> {
    return readLimited(this.#path(name), METADATA_LIMIT);
  }
  /** An artifact by the SHA-256 of its bytes. */
  artifact(digest: string): Promise<Uint8Array | undefined> {
    return readLimited(join(this.#folder, 'targets', digest), MODEL_LIMIT);
  }

  /** Takes a version in: everything is checked before anything is written. Throws `conflict` where it exists already. */
  async register(
    model: Uint8Array,
    manifestBytes: Uint8Array,
    who: string,
    as: { name: string; version: string },
  ): Promise<Manifest> {
    const facts = parseJson(manifest, manifestBytes, MANIFEST_LIMIT, 'the manifest');
    const { name, version } = facts;
    if (name !== as.name || version !== as.version)
      throw new AdbreakError(
        'input_invalid',
        `Cannot register ${as.name} ${as.version}: the manifest is of ${name} ${version}`,
      );
    if (sha256(model) !== facts.digest || model.byteLength !== facts.bytes) {
      throw new AdbreakError(
        'manifest_forged',
        `Cannot register ${name} ${version}: the manifest names ${facts.bytes} bytes with SHA-256 ${facts.digest}; the file has ${model.byteLength} and ${sha256(model)}`,
      );
    }
    readModel(model);
    return this.#publishing.run(async () => {
      if (this.#store.state.models[name]?.versions[version] !== undefined)
        throw new AdbreakError(
          'conflict',
          `Cannot register ${name} ${version}: it exists already; versions never change`,
          {
            remedy: `Train it under the next number: \`adbreak train --version ${after(version)}\`, and push that; \`adbreak models list\` shows what is there.`,
          },
        );
      const manifestDigest = sha256(manifestBytes);
      await writeAtomic(join(this.#folder, 'targets', facts.digest), model);
      await writeAtomic(join(this.#folder, 'targets', manifestDigest), manifestBytes);
      const targets = await this.#targets();
      targets.addTarget(
        new TargetFile({
          path: targetPath(name, version, 'model.tflite'),
          length: model.byteLength,
          hashes: { sha256: facts.digest },
        }),
      );
      targets.addTarget(
        new TargetFile({
          path: targetPath(name, version, 'manifest.json'),
          length: manifestBytes.byteLength,
          hashes: { sha256: manifestDigest },
        }),
      );
      await this.#publish(targets);
      await this.#store.change(
        (state) => {
          const entry = state.models[name] ?? { production: null, exceptions: {}, versions: {} };
          state.models[name] = {
            ...entry,
            versions: {
              ...entry.versions,
              [version]: {
                manifest: facts,
                status: 'available',
                registered: this.#now().toISOString(),
                wasProduction: false,
                evaluations: [],
              },
            },
          };
        },
        { who, what: 'model.register', subject: `${name} ${version}`, after: { digest: facts.digest } },
      );
      return facts;
    });
  }

  /** Of a hub that was off for days: what its devices would soon refuse, or refuse already, is signed anew. */
  async renewLate(): Promise<void> {
    const { timestamp } = await this.expiries();
    if (timestamp.getTime() - this.#now().getTime() < (LIFETIME_DAYS.timestamp * DAY) / 2) await this.renew();
  }

  /** Signs snapshot and timestamp anew before they expire. */
  renew(): Promise<void> {
    return this.#publishing.run(async () => this.#publish(await this.#targets()));
  }

  /** The artifacts that the signed list names, of rows or not. */
  async listed(): Promise<ListedTarget[]> {
    return Object.entries((await this.#targets()).targets).map(([path, { length, hashes }]) => ({
      path,
      bytes: length,
      digest: hashes['sha256'] ?? '',
    }));
  }

  /**
   * When what is in force ends, by role. Throws `state_corrupt` where a signature is not of the role's key: no device
   * would take it.
   */
  async expiries(): Promise<Record<RoleName, Date>> {
    const root = await this.#read(ROOT, (json) => Metadata.fromJSON(MetadataKind.Root, json));
    const timestamp = await this.#timestamp();
    const snapshot = await this.#snapshot(timestamp);
    const targets = await this.#listOf(snapshot);
    const all = { root, targets, snapshot, timestamp };
    for (const role of ROLES) {
      try {
        root.verifyDelegate(role, all[role]);
      } catch (cause) {
        throw damaged(
          `the metadata of ${role} is not signed by the key that ${this.#path(ROOT)} names`,
          cause,
        );
      }
    }
    const ends = (role: RoleName) => new Date(all[role].signed.expires);
    return {
      root: ends('root'),
      targets: ends('targets'),
      snapshot: ends('snapshot'),
      timestamp: ends('timestamp'),
    };
  }

  /** Signs all three anew, further on: after a restore, clients have seen versions that nobody here knows. */
  leap(version: (before: number) => number): Promise<void> {
    return this.#publishing.run(async () => this.#publish(await this.#targets(version)));
  }

  /** The keys that devices trust are the ones that sign here. */
  async #checkRoot(): Promise<void> {
    const { signed } = await this.#read(ROOT, (json) => Metadata.fromJSON(MetadataKind.Root, json));
    for (const role of ROLES)
      if (!signed.roles[role]?.keyIDs.includes(this.#keys[role].public.keyID))
        throw damaged(
          `${join(this.#folder, 'keys', `${role}.key`)} is not the key that ${this.#path(ROOT)} names`,
        );
  }

  /** The list as it is published, with the number of the next version. Read at the start too: damage is told then. */
  async #targets(next = (before: number) => before + 1): Promise<Targets> {
    const snapshot = await this.#snapshot(await this.#timestamp());
    const { version, targets } = (await this.#listOf(snapshot)).signed;
    return new Targets({
      version: next(version),
      specVersion: SPEC,
      expires: this.#expiry('targets'),
      targets,
    });
  }

  #timestamp(): Promise<Metadata<Timestamp>> {
    return this.#read('timestamp.json', (json) => Metadata.fromJSON(MetadataKind.Timestamp, json));
  }
  #snapshot({ signed }: Metadata<Timestamp>): Promise<Metadata<Snapshot>> {
    return this.#read(`${signed.snapshotMeta.version}.snapshot.json`, (json) =>
      Metadata.fromJSON(MetadataKind.Snapshot, json),
    );
  }
  #listOf({ signed }: Metadata<Snapshot>): Promise<Metadata<Targets>> {
    const version = signed.meta['targets.json']?.version ?? 1;
    return this.#read(`${version}.targets.json`, (json) => Metadata.fromJSON(MetadataKind.Targets, json));
  }

  /** Targets, then the snapshot that names them, then the timestamp: a reader in between sees the old state whole. */
  async #publish(targets: Targets): Promise<void> {
    const { version } = targets;
    await this.#write(`${version}.targets.json`, new Metadata(targets), 'targets');
    await this.#write(
      `${version}.snapshot.json`,
      new Metadata(
        new Snapshot({
          version,
          specVersion: SPEC,
          expires: this.#expiry('snapshot'),
          meta: { 'targets.json': new MetaFile({ version }) },
        }),
      ),
      'snapshot',
    );
    await this.#write(
      'timestamp.json',
      new Metadata(
        new Timestamp({
          version,
          specVersion: SPEC,
          expires: this.#expiry('timestamp'),
          snapshotMeta: new MetaFile({ version }),
        }),
      ),
      'timestamp',
    );
  }

  async #writeRoot(): Promise<void> {
    const root = new Root({
      version: 1,
      specVersion: SPEC,
      expires: this.#expiry('root'),
      consistentSnapshot: true,
    });
    for (const role of ROLES) root.addKey(this.#keys[role].public, role);
    await this.#write(ROOT, new Metadata(root), 'root');
  }

  async #write(
    name: string,
    metadata: Metadata<Root | Targets | Snapshot | Timestamp>,
    role: RoleName,
  ): Promise<void> {
    metadata.sign((data) => this.#keys[role].sign(data));
    await writeAtomic(this.#path(name), JSON.stringify(metadata.toJSON()));
  }
  async #read<T>(name: string, parse: (json: ReturnType<typeof JSON.parse>) => T): Promise<T> {
    const bytes = await this.#bytes(name);
    try {
      return parse(JSON.parse(Buffer.from(bytes).toString()));
    } catch (cause) {
      throw damaged(`${this.#path(name)} is not TUF metadata of its role`, cause);
    }
  }
  async #bytes(name: string): Promise<Uint8Array> {
    const bytes = await this.metadata(name);
    if (bytes === undefined) throw damaged(`${this.#path(name)} is missing`);
    return bytes;
  }
  #path(name: string): string {
    return join(this.#folder, 'metadata', name);
  }
  #expiry(role: RoleName): string {
    return new Date(this.#now().getTime() + LIFETIME_DAYS[role] * DAY).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}
