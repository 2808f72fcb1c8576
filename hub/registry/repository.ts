import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { type Key, Metadata, type Root, type Signature, type TargetFile, type Targets } from '@tufjs/models';
import { addedBy, refuseRoot } from './acceptance.js';
import {
  type Document,
  hasAll,
  isDue,
  listOf,
  rootAfter,
  rootOf,
  snapshotOf,
  type TargetMap,
  timestampOf,
  type Versions,
  versionsOf,
} from './documents.js';
import { KeyFiles, type Keys } from './key-files.js';
import { type InForce, MetadataFiles, signedDocument } from './metadata-files.js';
import { ROLES, type RoleName } from './signing.js';

type Next = (before: number) => number;
const successor: Next = (before) => before + 1;
const NOTHING: Versions = { targets: 0, snapshot: 0, timestamp: 0 };

/**
 * The signed side of the registry: who signs what, until when, and what follows it (the TUF specification
 * 1.0, with consistent snapshots). The keys of root and targets may lie elsewhere: what they would sign is
 * prepared, and waits.
 */
export class Repository {
  readonly files: MetadataFiles;
  readonly keyFiles: KeyFiles;
  readonly #now: () => Date;
  readonly #lost: boolean;
  /** One publication at a time: versions must follow each other. */
  readonly #turn = new SerialRunner();
  #keys: Keys;
  #elsewhere: ReadonlySet<RoleName> = new Set();

  private constructor(files: MetadataFiles, keyFiles: KeyFiles, keys: Keys, now: () => Date, lost: boolean) {
    this.files = files;
    this.keyFiles = keyFiles;
    this.#keys = keys;
    this.#now = now;
    this.#lost = lost;
  }

  /**
   * Opens what lies in the registry's folder. Until a first start has come to its end (`begin`), what is
   * missing is made, in the order keys, root, targets, snapshot, timestamp. Later everything must be there,
   * be what it says, and belong together, which is `state_corrupt` otherwise. With `lost` a key may be
   * missing: for the rotation that replaces it.
   */
  static async open(
    folder: string,
    now: () => Date,
    { begin = false, lost = false } = {},
  ): Promise<Repository> {
    const files = new MetadataFiles(folder);
    const keyFiles = new KeyFiles(join(folder, 'keys'));
    if (begin && !(await files.hasRoot())) {
      const made = await keyFiles.make();
      const first = new Metadata(rootOf(1, now(), (role) => [made[role].public]));
      first.sign((data) => made.root.sign(data));
      await files.write('1.root.json', first);
    }
    const { signed } = await files.root();
    const repository = new Repository(files, keyFiles, await keyFiles.read(signed, { lost }), now, lost);
    await repository.#reload();
    if (begin && (await files.read('timestamp.json')) === undefined) await repository.#putList({}, NOTHING);
    // Damage is told now, and not when somebody publishes.
    await files.inForce();
    return repository;
  }

  /** Resolves when what was begun is on the disk. */
  idle(): Promise<void> {
    return this.#turn.run(() => undefined);
  }

  /** Whether a list of targets is published at once, or waits for its signature. */
  get signsTargets(): boolean {
    return !this.#elsewhere.has('targets');
  }

  /**
   * What the role with the shortest life signs beside its metadata: text with a mark of its own
   * (docs/decisions/019).
   */
  signFresh(data: Uint8Array): Signature[] {
    return this.#signers('timestamp').map((key) => key.sign(data));
  }

  /** Whether the list in force names them, as they are. */
  async lists(targets: readonly TargetFile[]): Promise<boolean> {
    const { signed } = (await this.files.inForce()).targets;
    return targets.every((target) => signed.targets[target.path]?.equals(target) === true);
  }

  /** Adds targets to the list, and takes others out. False where the list waits for its signature now. */
  add(added: readonly TargetFile[], removed: readonly string[] = []): Promise<boolean> {
    return this.#turn.run(async () => {
      const all = await this.files.inForce();
      const targets: TargetMap = { ...(await this.#base(all)).signed.targets };
      for (const target of added) targets[target.path] = target;
      for (const path of removed) delete targets[path];
      return this.#putList(targets, versionsOf(all));
    });
  }

  /**
   * Signs anew what is old enough, for a look at each start and every hour. What lies longer in the future
   * than its life is left alone: a clock that was set back must not shorten it. Throws `state_corrupt` where
   * what is in force is not signed as the root says.
   */
  renewDue(): Promise<void> {
    return this.#turn.run(async () => {
      const all = await this.files.verified();
      const versions = versionsOf(all);
      const due = (role: RoleName) => isDue(role, all[role].signed, this.#now());
      // What a publication that was killed has left undone.
      await this.#carryOver(all.targets.signed);
      if (due('root') && (await this.#waitingRoot(all)) === null)
        await this.#putRoot(rootAfter(all.root.signed, all.root.signed.version, this.#now()));
      const canList = this.signsTargets || (await this.#waitingList(all)) === null;
      if (due('targets') && canList && (await this.#putList(all.targets.signed.targets, versions))) return;
      if (due('snapshot')) await this.#putSnapshot(versions.targets, versions);
      else if (due('timestamp')) await this.#putTimestamp(versions.snapshot, versions);
    });
  }

  /**
   * Signs all three anew, further on: after a restore, clients have seen versions that nobody here knows. A
   * list whose key lies elsewhere waits, and until it is published clients that have seen a newer one refuse
   * what is in force.
   */
  leap(version: Next): Promise<void> {
    return this.#turn.run(async () => {
      const all = await this.files.inForce();
      const versions = versionsOf(all);
      const published = await this.#putList((await this.#base(all)).signed.targets, versions, version);
      if (!published) await this.#putSnapshot(versions.targets, versions, version);
    });
  }

  /**
   * Gives a role another key: one that is made here, or `given`, the public half of one that lies elsewhere.
   * The metadata of the role is signed by both keys first, then a root names the new one, signed by the old
   * root key and its own (the TUF specification 1.0, 5.3): whatever step a client meets, it takes. Killed at
   * any step, the same rotation goes on where it was. False where something waits for its signature
   * (`waiting`).
   */
  rotate(role: RoleName, given?: Key): Promise<boolean> {
    return this.#turn.run(async () => {
      const before = await this.files.inForce();
      if (await this.keyFiles.settle(role, before.root.signed)) {
        await this.#reload();
        return true;
      }
      this.#refuseRotation(role, given);
      const next = given ?? (await this.keyFiles.makeNext(role)).public;
      await this.#reload();
      await this.#signAnew(role, before);
      const base = (await this.#waitingRoot(before)) ?? before.root;
      const root = rootAfter(base.signed, before.root.signed.version, this.#now(), { role, key: next });
      return this.#putRoot(root);
    });
  }

  #refuseRotation(role: RoleName, given: Key | undefined): void {
    if (this.#keys.root.current === null && !this.#elsewhere.has('root'))
      throw new AdbreakError('state_corrupt', `Cannot rotate ${role}: the root key is lost`, {
        remedy: 'Import it from a copy, or set up a new hub and give each device a claim of it.',
      });
    if (given === undefined && this.#elsewhere.has(role))
      throw new AdbreakError('input_invalid', `Cannot rotate ${role}: its key lies elsewhere`, {
        remedy: 'Make the next one where it lies, and give its public half: `--public FILE`.',
      });
    if (given !== undefined && !this.#elsewhere.has(role))
      throw new AdbreakError('conflict', `Cannot rotate ${role} to a key elsewhere: its key is here`, {
        remedy: `Rotate it here, then take it away: \`adbreak keys export ${role} FILE --remove\`.`,
      });
  }

  /**
   * Publishes a root or a list that was signed elsewhere, where clients would take it and the hub can go on
   * from it; a root that only waited for a list follows it. `inspect` sees what a list adds, before anything
   * is written. Resolves to what it was: `targets 7`.
   */
  publish(
    bytes: Uint8Array,
    path: string,
    inspect: (added: readonly TargetFile[]) => Promise<void>,
  ): Promise<string> {
    const document = signedDocument(bytes, path);
    return this.#turn.run(async () => {
      const all = await this.files.inForce();
      if (document.role === 'root') {
        await this.#refuseRoot(document.metadata, all, path);
        await this.#enact(document.metadata);
      } else {
        await inspect(addedBy(document.metadata, all, { path, now: this.#now() }));
        await this.#enactList(document.metadata, all);
      }
      return `${document.role} ${document.metadata.signed.version}`;
    });
  }

  async #enactList(list: Metadata<Targets>, all: InForce): Promise<void> {
    await this.files.write(`${list.signed.version}.targets.json`, list);
    await this.#putSnapshot(list.signed.version, versionsOf(all));
    await this.#carryOver(list.signed);
    const now = await this.files.inForce();
    const root = await this.#waitingRoot(now);
    if (root !== null && (await this.#isAccepted(root, now))) await this.#enact(root);
  }

  /** What waits for a signature from elsewhere, a line each. */
  async waiting(): Promise<string[]> {
    const all = await this.files.inForce();
    const [root, list] = [await this.#waitingRoot(all), await this.#waitingList(all)];
    const told = (role: 'root' | 'targets', version: number) =>
      `${role} ${version} waits for its signature: ${this.files.pendingPath(role)}`;
    return [
      ...(list === null ? [] : [told('targets', list.signed.version)]),
      ...(root === null ? [] : [told('root', root.signed.version)]),
      ...(await this.files.unreadable()),
    ];
  }

  async #waitingRoot({ root }: InForce): Promise<Metadata<Root> | null> {
    const waiting = await this.files.pendingRoot();
    return waiting?.signed.version === root.signed.version + 1 ? waiting : null;
  }
  async #waitingList({ targets }: InForce): Promise<Metadata<Targets> | null> {
    const waiting = await this.files.pendingTargets();
    return waiting !== null && waiting.signed.version > targets.signed.version ? waiting : null;
  }
  /** What the next list goes on from: what waits counts only as long as nobody here can sign. */
  async #base(all: InForce): Promise<Metadata<Targets>> {
    return (this.signsTargets ? null : await this.#waitingList(all)) ?? all.targets;
  }

  async #signAnew(role: RoleName, all: InForce): Promise<void> {
    const versions = versionsOf(all);
    switch (role) {
      case 'root':
        return;
      case 'targets':
        await this.#putList((await this.#base(all)).signed.targets, versions);
        return;
      case 'snapshot':
        return this.#putSnapshot(versions.targets, versions);
      case 'timestamp':
        return this.#putTimestamp(versions.snapshot, versions);
    }
  }

  /**
   * Targets, then the snapshot that names them, then the timestamp: a reader in between sees the old state
   * whole.
   */
  async #putList(targets: TargetMap, versions: Versions, next = successor): Promise<boolean> {
    // A list that waits keeps its number: after a restore that is far ahead.
    const waiting = this.signsTargets ? null : await this.files.pendingTargets();
    const version = Math.max(next(versions.targets), waiting?.signed.version ?? 0);
    const list = this.#signed('targets', listOf(version, targets, this.#now()));
    if (!this.signsTargets) {
      await this.files.prepare('targets', list);
      return false;
    }
    await this.files.write(`${version}.targets.json`, list);
    await this.#putSnapshot(version, versions, next);
    await this.#carryOver(list.signed);
    return true;
  }

  /**
   * After a list has come into force: what waits and is not in it waits on, for a number after it; else
   * nothing waits.
   */
  async #carryOver({ version, targets }: Targets): Promise<void> {
    const waiting = (await this.files.pendingTargets())?.signed;
    if (waiting === undefined) return;
    if (waiting.version > version && hasAll(waiting.targets, targets)) return;
    if (hasAll(targets, waiting.targets)) return this.files.withdraw('targets');
    const next = Math.max(version + 1, waiting.version);
    const both = listOf(next, { ...waiting.targets, ...targets }, this.#now());
    await this.files.prepare('targets', this.#signed('targets', both));
  }

  async #putSnapshot(targets: number, versions: Versions, next = successor): Promise<void> {
    const version = next(versions.snapshot);
    const snapshot = this.#signed('snapshot', snapshotOf(version, targets, this.#now()));
    await this.files.write(`${version}.snapshot.json`, snapshot);
    await this.#putTimestamp(version, versions, next);
  }

  async #putTimestamp(snapshot: number, versions: Versions, next = successor): Promise<void> {
    const signed = timestampOf(next(versions.timestamp), snapshot, this.#now());
    await this.files.write('timestamp.json', this.#signed('timestamp', signed));
  }

  /** A root that clients would not take yet waits for what it lacks. */
  async #putRoot(root: Root): Promise<boolean> {
    const metadata = this.#signed('root', root);
    if (await this.#isAccepted(metadata, await this.files.inForce())) {
      await this.#enact(metadata);
      return true;
    }
    await this.files.prepare('root', metadata);
    return false;
  }

  /**
   * Throws why clients would not take a root after the one in force, or why this hub could not go on under
   * it.
   */
  async #refuseRoot(root: Metadata<Root>, all: InForce, path: string): Promise<void> {
    refuseRoot(root, all, path);
    await this.keyFiles.read(root.signed, { lost: this.#lost }).catch((cause: unknown) => {
      throw new AdbreakError(
        'conflict',
        `Cannot publish ${path}: it names a key that this hub needs and has not got`,
        { cause },
      );
    });
  }

  async #isAccepted(root: Metadata<Root>, all: InForce): Promise<boolean> {
    try {
      await this.#refuseRoot(root, all, this.files.pendingPath('root'));
      return true;
    } catch (error) {
      if (error instanceof AdbreakError) return false;
      throw error;
    }
  }

  /** The root is what decides; then the files get the names of what they are. */
  async #enact(root: Metadata<Root>): Promise<void> {
    await this.files.write(`${root.signed.version}.root.json`, root);
    await this.files.withdraw('root');
    for (const role of ROLES) await this.keyFiles.settle(role, root.signed);
    await this.#reload();
  }

  async #reload(): Promise<void> {
    const { signed } = await this.files.root();
    this.#keys = await this.keyFiles.read(signed, { lost: this.#lost });
    const elsewhere = new Set<RoleName>();
    for (const role of ROLES)
      if (this.#keys[role].current === null && (await this.keyFiles.isElsewhere(role))) elsewhere.add(role);
    this.#elsewhere = elsewhere;
  }

  #signers(role: RoleName) {
    const { current, next } = this.#keys[role];
    return [current, next].filter((key) => key !== null);
  }
  /** During a rotation by both keys, so that a client takes it under either root. */
  #signed<T extends Document>(role: RoleName, signed: T): Metadata<T> {
    const metadata = new Metadata(signed);
    for (const key of this.#signers(role)) metadata.sign((data) => key.sign(data));
    return metadata;
  }
}
