import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import { Metadata, MetadataKind, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { Store } from '../store/store.js';
import { openRoleKey, ROLES, type RoleKey, type RoleName } from './signing.js';

const SPEC = '1.0.31';
const DAY = 24 * 3600 * 1000;
/** A frozen mirror is noticed within the timestamp's life; the hub renews it daily. */
const LIFETIME_DAYS: Record<RoleName, number> = { root: 3650, targets: 365, snapshot: 30, timestamp: 7 };
const MODEL_LIMIT = 256 * 1024 * 1024;
const METADATA_LIMIT = 5_000_000;

/** Target paths of a version, as devices ask for them. */
function targetPath(name: string, version: string, file: 'model.tflite' | 'manifest.json'): string {
  return `${name}/${version}/${file}`;
}

/** Model versions with TUF metadata (the TUF specification 1.0, consistent snapshots) and artifacts by content. */
export class Registry {
  readonly #folder: string;
  readonly #store: Store;
  readonly #keys: Record<RoleName, RoleKey>;
  readonly #now: () => Date;
  /** One publication at a time: metadata versions must follow each other. */
  #publishing: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, store: Store, keys: Record<RoleName, RoleKey>, now: () => Date) {
    this.#folder = folder;
    this.#store = store;
    this.#keys = keys;
    this.#now = now;
  }

  static async open(folder: string, store: Store, now: () => Date): Promise<Registry> {
    await mkdir(join(folder, 'targets'), { recursive: true });
    const [root, targets, snapshot, timestamp] = await Promise.all(ROLES.map((role) => openRoleKey(join(folder, 'keys'), role)));
    if (!root || !targets || !snapshot || !timestamp) throw new AdbreakError('state_corrupt', 'Cannot open the registry: a signing key is missing');
    const registry = new Registry(folder, store, { root, targets, snapshot, timestamp }, now);
    if ((await registry.metadata('1.root.json')) === undefined) await registry.#writeRoot();
    if ((await registry.metadata('timestamp.json')) === undefined)
      await registry.#publish(new Targets({ version: 1, specVersion: SPEC, expires: registry.#expiry('targets') }));
    return registry;
  }

  /** The root metadata that a device trusts from its enrolment on. */
  async root(): Promise<string> {
    const bytes = await this.metadata('1.root.json');
    if (bytes === undefined) throw new AdbreakError('state_corrupt', `Cannot read the registry: ${join(this.#folder, 'metadata/1.root.json')} is missing`);
    return Buffer.from(bytes).toString();
  }

  metadata(name: string): Promise<Uint8Array | undefined> {
    return readLimited(join(this.#folder, 'metadata', name), METADATA_LIMIT);
  }
  /** An artifact by the SHA-256 of its bytes. */
  artifact(digest: string): Promise<Uint8Array | undefined> {
    return readLimited(join(this.#folder, 'targets', digest), MODEL_LIMIT);
  }

  /** Takes a version in: everything is checked before anything is written. Throws `conflict` where it exists already. */
  async register(model: Uint8Array, manifestBytes: Uint8Array, who: string, as: { name: string; version: string }): Promise<Manifest> {
    const facts = parseJson(manifest, manifestBytes, MANIFEST_LIMIT, 'the manifest');
    const { name, version } = facts;
    if (name !== as.name || version !== as.version)
      throw new AdbreakError('input_invalid', `Cannot register ${as.name} ${as.version}: the manifest is of ${name} ${version}`);
    if (sha256(model) !== facts.digest || model.byteLength !== facts.bytes) {
      throw new AdbreakError(
        'manifest_forged',
        `Cannot register ${name} ${version}: the manifest names ${facts.bytes} bytes with SHA-256 ${facts.digest}; the file has ${model.byteLength} and ${sha256(model)}`,
      );
    }
    readModel(model);
    return this.#exclusively(async () => {
      if (this.#store.state.models[name]?.versions[version] !== undefined)
        throw new AdbreakError('conflict', `Cannot register ${name} ${version}: it exists already; versions never change`);
      const manifestDigest = sha256(manifestBytes);
      await writeAtomic(join(this.#folder, 'targets', facts.digest), model);
      await writeAtomic(join(this.#folder, 'targets', manifestDigest), manifestBytes);
      const targets = await this.#targets();
      targets.addTarget(new TargetFile({ path: targetPath(name, version, 'model.tflite'), length: model.byteLength, hashes: { sha256: facts.digest } }));
      targets.addTarget(
        new TargetFile({ path: targetPath(name, version, 'manifest.json'), length: manifestBytes.byteLength, hashes: { sha256: manifestDigest } }),
      );
      await this.#publish(targets);
      await this.#store.change(
        (state) => {
          const entry = state.models[name] ?? { production: null, exceptions: {}, versions: {} };
          state.models[name] = {
            ...entry,
            versions: {
              ...entry.versions,
              [version]: { manifest: facts, status: 'available', registered: this.#now().toISOString(), wasProduction: false, evaluations: [] },
            },
          };
        },
        { who, what: 'model.register', subject: `${name} ${version}`, after: { digest: facts.digest } },
      );
      return facts;
    });
  }

  /** Signs snapshot and timestamp anew before they expire. */
  renew(): Promise<void> {
    return this.#exclusively(async () => this.#publish(await this.#targets()));
  }

  async #targets(): Promise<Targets> {
    const timestamp = await this.#readJson('timestamp.json');
    const snapshotVersion = Metadata.fromJSON(MetadataKind.Timestamp, timestamp).signed.snapshotMeta.version;
    const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, await this.#readJson(`${snapshotVersion}.snapshot.json`)).signed;
    const version = snapshot.meta['targets.json']?.version ?? 1;
    const { targets } = Metadata.fromJSON(MetadataKind.Targets, await this.#readJson(`${version}.targets.json`)).signed;
    return new Targets({ version: version + 1, specVersion: SPEC, expires: this.#expiry('targets'), targets });
  }

  /** Targets, then the snapshot that names them, then the timestamp: a reader in between sees the old state whole. */
  async #publish(targets: Targets): Promise<void> {
    const { version } = targets;
    await this.#write(`${version}.targets.json`, new Metadata(targets), 'targets');
    await this.#write(
      `${version}.snapshot.json`,
      new Metadata(new Snapshot({ version, specVersion: SPEC, expires: this.#expiry('snapshot'), meta: { 'targets.json': new MetaFile({ version }) } })),
      'snapshot',
    );
    await this.#write(
      'timestamp.json',
      new Metadata(new Timestamp({ version, specVersion: SPEC, expires: this.#expiry('timestamp'), snapshotMeta: new MetaFile({ version }) })),
      'timestamp',
    );
  }

  async #writeRoot(): Promise<void> {
    const root = new Root({ version: 1, specVersion: SPEC, expires: this.#expiry('root'), consistentSnapshot: true });
    for (const role of ROLES) root.addKey(this.#keys[role].public, role);
    await this.#write('1.root.json', new Metadata(root), 'root');
  }

  async #write(name: string, metadata: Metadata<Root | Targets | Snapshot | Timestamp>, role: RoleName): Promise<void> {
    metadata.sign((data) => this.#keys[role].sign(data));
    await writeAtomic(join(this.#folder, 'metadata', name), JSON.stringify(metadata.toJSON()));
  }
  async #readJson(name: string) {
    return JSON.parse(await readFile(join(this.#folder, 'metadata', name), 'utf8'));
  }
  #expiry(role: RoleName): string {
    return new Date(this.#now().getTime() + LIFETIME_DAYS[role] * DAY).toISOString().replace(/\.\d+Z$/, 'Z');
  }
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#publishing.then(task);
    this.#publishing = result.catch(() => undefined);
    return result;
  }
}
