import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, MODEL_LIMIT, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { type SignedDesired, signingInput } from '@adbreak/shared/contract/signed-desired.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { readLimited, sha256, syncFolder, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import { TargetFile } from '@tufjs/models';
import type { Store } from '../store/store.js';
import { type Artifact, artifactAt } from './artifact.js';
import { METADATA_LIMIT } from './metadata-files.js';
import { Repository } from './repository.js';
import type { RoleName } from './signing.js';
import { type Upload, Uploads } from './upload.js';

/** So long an artifact stays that nothing names. */
const UNUSED_MS = 24 * 3_600_000;

/** A file that devices may fetch; it lies in `targets` under its digest. */
export interface ListedTarget {
  readonly path: string;
  readonly bytes: number;
  readonly digest: string;
}

type TargetName = 'model.tflite' | 'manifest.json';
/** Target paths of a version, as devices ask for them. */
function targetPath(name: string, version: string, file: TargetName): string {
  return `${name}/${version}/${file}`;
}

const DOING = 'enter a version of the signed list';
const MANIFEST_PATH = /^([^/]+)\/([^/]+)\/manifest\.json$/;

/** The next patch, which is free far more often than not. */
function after(version: string): string {
  const [major, minor, patch] = version.split('.').map(Number);
  return `${major}.${minor}.${(patch ?? 0) + 1}`;
}

/** Model versions with TUF metadata and artifacts by content. */
export class Registry {
  readonly #folder: string;
  readonly #store: Store;
  readonly #repository: Repository;
  readonly #uploads: Uploads;
  readonly #now: () => Date;
  /** One at a time: what is listed gets its rows before the next one comes. */
  readonly #publishing = new SerialRunner();

  private constructor(
    folder: string,
    store: Store,
    { repository, uploads }: { readonly repository: Repository; readonly uploads: Uploads },
    now: () => Date,
  ) {
    this.#folder = folder;
    this.#store = store;
    this.#repository = repository;
    this.#uploads = uploads;
    this.#now = now;
  }

  /** Opens the registry in `folder`; see `Repository.open` for what may be missing. */
  static async open(folder: string, store: Store, now: () => Date, begin: boolean): Promise<Registry> {
    await mkdir(join(folder, 'targets'), { recursive: true });
    const uploads = new Uploads(join(folder, 'uploads'));
    return new Registry(
      folder,
      store,
      { repository: await Repository.open(folder, now, { begin }), uploads },
      now,
    );
  }

  /** The newest root metadata: what a device trusts from its enrolment on. */
  root(): Promise<string> {
    return this.#repository.files.rootText();
  }

  metadata(name: string): Promise<Uint8Array | undefined> {
    return this.#repository.files.read(name);
  }
  /** An artifact by the SHA-256 of its bytes. */
  artifact(digest: string): Promise<Artifact | undefined> {
    return artifactAt(this.#artifactPath(digest), digest);
  }

  /** Takes a model's file while it comes, for `register`. Throws `input_too_large` and `disk_full`. */
  receive(file: AsyncIterable<Uint8Array>): Promise<Upload> {
    return this.#uploads.receive(file);
  }

  /**
   * Takes a version in: everything is checked before anything of it is kept; then the file is the registry's.
   * Throws `conflict` where it exists already, and `signature_pending` where the list that names it waits for
   * the signature of a key elsewhere: then the version is there as soon as the list is published.
   */
  async register(
    model: Upload,
    manifestBytes: Uint8Array,
    who: string,
    as: { name: string; version: string },
  ): Promise<Manifest> {
    const facts = await factsOf(model, manifestBytes, as);
    const { name, version } = facts;
    return this.#publishing.run(async () => {
      const { versions, deleted } = this.#store.state.models[name] ?? {};
      if (versions?.[version] !== undefined || deleted?.[version] !== undefined)
        throw new AdbreakError(
          'conflict',
          `Cannot register ${name} ${version}: it exists already, or did; versions never change`,
          {
            remedy: `Train it under the next number: \`adbreak train --version ${after(version)}\`, and push that; \`adbreak models list\` shows what is there.`,
          },
        );
      const manifestDigest = sha256(manifestBytes);
      // It was synced when it had come.
      await rename(model.path, this.#artifactPath(facts.digest));
      await syncFolder(join(this.#folder, 'targets'));
      await writeAtomic(this.#artifactPath(manifestDigest), manifestBytes);
      const target = (file: TargetName, length: number, digest: string) =>
        new TargetFile({ path: targetPath(name, version, file), length, hashes: { sha256: digest } });
      const targets = [
        target('model.tflite', model.bytes, facts.digest),
        target('manifest.json', manifestBytes.byteLength, manifestDigest),
      ];
      // Listed already: a hub that was killed before it had written the rows.
      const listed = (await this.#repository.lists(targets)) || (await this.#repository.add(targets));
      if (!listed) throw this.#unsigned(facts);
      await this.#enter(facts, who);
      return facts;
    });
  }

  /** Whether a list of targets is published here, or where its key lies. */
  get signsTargets(): boolean {
    return this.#repository.signsTargets;
  }

  /** Takes a version out of the signed list; devices that run it go on, and nobody fetches it any more. */
  withdraw(name: string, version: string): Promise<void> {
    return this.#publishing.run(async () => {
      const paths = (['model.tflite', 'manifest.json'] as const).map((file) =>
        targetPath(name, version, file),
      );
      const listed = new Set((await this.listed()).map(({ path }) => path));
      if (paths.some((path) => listed.has(path))) await this.#repository.add([], paths);
    });
  }

  /**
   * Removes artifacts that neither a list, in force or waiting, nor a version names, once they are a day old,
   * and what never came whole; gives the digests. What a list alone still names of a version that was deleted
   * is withdrawn first.
   */
  async collect(now: Date): Promise<string[]> {
    if (this.signsTargets)
      for (const [name, { deleted = {} }] of Object.entries(this.#store.state.models))
        for (const version of Object.keys(deleted)) await this.withdraw(name, version);
    await this.#uploads.tidy(now.getTime() - UNUSED_MS);
    return this.#publishing.run(async () => {
      const named = new Set((await this.listed()).map(({ digest }) => digest));
      const waiting = await this.#repository.files.pendingTargets();
      for (const { hashes } of Object.values(waiting?.signed.targets ?? {}))
        named.add(hashes['sha256'] ?? '');
      for (const { versions } of Object.values(this.#store.state.models))
        for (const { manifest: facts } of Object.values(versions)) named.add(facts.digest);
      const removed: string[] = [];
      for (const file of await readdir(join(this.#folder, 'targets'))) {
        if (!/^[0-9a-f]{64}$/.test(file) || named.has(file)) continue;
        const { mtimeMs } = await stat(this.#artifactPath(file));
        // One that was just written may wait for its list.
        if (now.getTime() - mtimeMs < UNUSED_MS) continue;
        await rm(this.#artifactPath(file), { force: true });
        removed.push(file);
      }
      return removed;
    });
  }

  #unsigned({ name, version }: Manifest): AdbreakError {
    const path = this.#repository.files.pendingPath('targets');
    return new AdbreakError(
      'signature_pending',
      `Cannot register ${name} ${version} yet: the list that names it waits for the signature of the targets key`,
      {
        remedy: `Where that key lies: \`adbreak keys sign ${path} --key targets.key\`; then here \`adbreak keys publish ${path}\`. Do not push it again.`,
      },
    );
  }

  /** The rows of a version that the signed list names. */
  async #enter(facts: Manifest, who: string): Promise<void> {
    const { name, version, digest } = facts;
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
      { who, what: 'model.register', subject: `${name} ${version}`, after: { digest } },
    );
  }

  /**
   * Publishes a root or a list of targets that was signed elsewhere, with the versions that a list adds.
   * Throws, with nothing written, where clients would not take it.
   */
  async publish(bytes: Uint8Array, path: string, who: string): Promise<void> {
    await this.#publishing.run(async () => {
      const manifests: Manifest[] = [];
      const subject = await this.#repository.publish(bytes, path, async (added) => {
        for (const target of added) {
          const found = await this.#inspect(target, `publish ${path}`);
          if (found !== null) manifests.push(found);
        }
      });
      await this.#store.change(() => undefined, { who, what: 'keys.publish', subject });
      for (const facts of manifests)
        if (this.#store.state.models[facts.name]?.versions[facts.version] === undefined)
          await this.#enter(facts, who);
    });
  }

  /**
   * Enters versions that the signed list names and no row does: a hub was killed, or its disk was full, between the
   * two. Done again, it changes nothing. A line each for what was entered, and for what cannot be.
   */
  enterListed(): Promise<string[]> {
    return this.#publishing.run(async () => {
      const lines: string[] = [];
      const { targets } = (await this.#repository.files.inForce()).targets.signed;
      for (const target of Object.values(targets)) {
        const [, name = '', version = ''] = MANIFEST_PATH.exec(target.path) ?? [];
        const { versions, deleted } = ownValue(this.#store.state.models, name) ?? {};
        if (name === '' || versions?.[version] !== undefined || deleted?.[version] !== undefined) continue;
        try {
          await this.#enterTarget(target, targets);
          lines.push(`${name} ${version} is registered: the signed list had it, and the database had not`);
        } catch (error) {
          if (!(error instanceof AdbreakError)) throw error;
          lines.push(`${name} ${version} is in the signed list and is not registered: ${explain(error)}`);
        }
      }
      return lines;
    });
  }

  async #enterTarget(target: TargetFile, all: Readonly<Record<string, TargetFile>>): Promise<void> {
    const facts = await this.#inspect(target, DOING);
    if (facts === null) return;
    const model = all[targetPath(facts.name, facts.version, 'model.tflite')];
    if (model?.hashes['sha256'] !== facts.digest)
      throw new AdbreakError(
        'conflict',
        `Cannot ${DOING}: the list names no model with the digest of ${target.path}`,
      );
    await this.#inspect(model, DOING);
    await this.#enter(facts, 'hub');
  }

  /** A target that a list adds is here and is what it says; gives the manifest that it is. */
  async #inspect({ path, length, hashes }: TargetFile, doing: string): Promise<Manifest | null> {
    const digest = hashes['sha256'] ?? '';
    const bytes = /^[0-9a-f]{64}$/.test(digest)
      ? await readLimited(this.#artifactPath(digest), MODEL_LIMIT)
      : undefined;
    if (bytes?.byteLength !== length || sha256(bytes) !== digest)
      throw new AdbreakError('conflict', `Cannot ${doing}: this hub has not got ${path} as it names it`);
    if (!path.endsWith('/manifest.json')) return null;
    const facts = parseJson(manifest, bytes, MANIFEST_LIMIT, path);
    if (targetPath(facts.name, facts.version, 'manifest.json') === path) return facts;
    throw new AdbreakError(
      'conflict',
      `Cannot ${doing}: ${path} is the manifest of ${facts.name} ${facts.version}`,
    );
  }

  /** Where `adbreak keys publish` leaves a signed document for a hub that runs. */
  static arrivalPath(folder: string): string {
    return join(folder, 'pending/arrived.json');
  }
  /** Publishes what was left there, and takes it away, whatever becomes of it. */
  async takeArrived(): Promise<void> {
    const path = Registry.arrivalPath(this.#folder);
    const bytes = await readLimited(path, METADATA_LIMIT);
    if (bytes === undefined) return;
    try {
      await this.publish(bytes, path, 'keys');
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Resolves when what was begun is done: before the store is closed. */
  idle(): Promise<void> {
    return this.#publishing.run(() => this.#repository.idle());
  }

  /** Signs anew, at each start and every hour, what will soon be old. */
  renewDue(): Promise<void> {
    return this.#repository.renewDue();
  }
  /** What waits for a signature from elsewhere, a line each. */
  waiting(): Promise<string[]> {
    return this.#repository.waiting();
  }

  /**
   * A desired state with the signature by which devices know that this hub wrote it, and when
   * (docs/decisions/019).
   */
  signDesired(payload: string): SignedDesired {
    const signatures = this.#repository.signFresh(signingInput(payload));
    return { payload, signatures: signatures.map(({ keyID, sig }) => ({ keyid: keyID, sig })) };
  }

  /** The artifacts that the signed list names, of rows or not. */
  async listed(): Promise<ListedTarget[]> {
    const { targets } = await this.#repository.files.inForce();
    return Object.entries(targets.signed.targets).map(([path, { length, hashes }]) => ({
      path,
      bytes: length,
      digest: hashes['sha256'] ?? '',
    }));
  }

  /**
   * When what is in force ends, by role. Throws `state_corrupt` where a signature is not of the role's key:
   * no device would take it.
   */
  async expiries(): Promise<Record<RoleName, Date>> {
    const { root, targets, snapshot, timestamp } = await this.#repository.files.verified();
    return {
      root: new Date(root.signed.expires),
      targets: new Date(targets.signed.expires),
      snapshot: new Date(snapshot.signed.expires),
      timestamp: new Date(timestamp.signed.expires),
    };
  }

  /**
   * Signs everything anew, further on: after a restore, clients have seen versions that nobody here knows.
   */
  leap(version: (before: number) => number): Promise<void> {
    return this.#publishing.run(() => this.#repository.leap(version));
  }

  #artifactPath(digest: string): string {
    return join(this.#folder, 'targets', digest);
  }
}

/**
 * The manifest of a version that is pushed, after file, manifest and address were held against each other.
 */
async function factsOf(
  model: Upload,
  manifestBytes: Uint8Array,
  as: { name: string; version: string },
): Promise<Manifest> {
  const facts = parseJson(manifest, manifestBytes, MANIFEST_LIMIT, 'the manifest');
  const { name, version } = facts;
  if (name !== as.name || version !== as.version)
    throw new AdbreakError(
      'input_invalid',
      `Cannot register ${as.name} ${as.version}: the manifest is of ${name} ${version}`,
    );
  if (model.digest !== facts.digest || model.bytes !== facts.bytes)
    throw new AdbreakError(
      'manifest_forged',
      `Cannot register ${name} ${version}: the manifest names ${facts.bytes} bytes with SHA-256 ${facts.digest}; the file has ${model.bytes} and ${model.digest}`,
    );
  readModel(await readFile(model.path));
  return facts;
}
