import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, readLimited, syncFolder, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import type { Root } from '@tufjs/models';
import { newKeyPem, privateKeyOf, ROLES, type RoleKey, type RoleName } from './signing.js';

const LIMIT = 16_384;
const OWNER_ALONE = { mode: 0o600 };

/** Roles that sign rarely, so that their keys may lie elsewhere; the other two sign every hour. */
export const MAY_LIE_ELSEWHERE: readonly RoleName[] = ['root', 'targets'];

/** What a role signs with here. */
export interface RoleKeys {
  /** The key that the root names; null where it lies elsewhere. */
  readonly current: RoleKey | null;
  /** The key that a rotation under way will have the root name. */
  readonly next: RoleKey | null;
}
export type Keys = Readonly<Record<RoleName, RoleKeys>>;

/**
 * The private keys of the roles in one folder: ROLE.key; ROLE.next.key during a rotation; ROLE.offline in the
 * place of a key that was taken elsewhere.
 */
export class KeyFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Whoever begins a registry: the keys, those made that are not there yet. */
  async make(): Promise<Record<RoleName, RoleKey>> {
    for (const role of ROLES)
      if (!(await exists(this.path(role)))) await writeAtomic(this.path(role), newKeyPem(), OWNER_ALONE);
    const key = async (role: RoleName) => (await this.#read(this.path(role))) ?? this.#missing(role);
    return {
      root: await key('root'),
      targets: await key('targets'),
      snapshot: await key('snapshot'),
      timestamp: await key('timestamp'),
    };
  }

  /**
   * The keys that sign under a root. None is ever made here: where one that the root names is missing and was
   * not taken elsewhere, or where another lies in its place, that is `state_corrupt`. With `lost` such a role
   * signs with nothing: for a rotation that replaces its key.
   */
  async read(root: Root, { lost = false } = {}): Promise<Keys> {
    const of = (role: RoleName) => this.#keysOf(role, root.roles[role]?.keyIDs ?? [], lost);
    return {
      root: await of('root'),
      targets: await of('targets'),
      snapshot: await of('snapshot'),
      timestamp: await of('timestamp'),
    };
  }

  async #keysOf(role: RoleName, named: readonly string[], lost: boolean): Promise<RoleKeys> {
    const [stored, next] = [await this.#read(this.path(role)), await this.#read(this.#nextPath(role))];
    const isNamed = (key: RoleKey | null) => key !== null && named.includes(key.public.keyID);
    // A rotation ended with its root; what is left is the name of a file.
    if (isNamed(next) && !isNamed(stored)) return { current: next, next: null };
    if (isNamed(stored)) return { current: stored, next: isNamed(next) ? null : next };
    if (stored === null && (await this.isElsewhere(role))) return { current: null, next };
    if (lost) return { current: null, next };
    if (stored === null) return this.#missing(role);
    throw new AdbreakError(
      'state_corrupt',
      `Cannot open the registry: ${this.path(role)} is not the key that the root metadata names`,
      { remedy: `Put the key back: \`adbreak keys import ${role} FILE\`, or restore a backup.` },
    );
  }

  #missing(role: RoleName): never {
    throw new AdbreakError('state_corrupt', `Cannot open the registry: ${this.path(role)} is missing`, {
      remedy: `Put it back: \`adbreak keys import ${role} FILE\`, or restore a backup; lost for good, see docs/operations/keys.md.`,
    });
  }

  /** The key that the next root shall name: one that an interrupted rotation has made, or a new one. */
  async makeNext(role: RoleName): Promise<RoleKey> {
    const path = this.#nextPath(role);
    if (!(await exists(path))) await writeAtomic(path, newKeyPem(), OWNER_ALONE);
    return (await this.#read(path)) ?? this.#missing(role);
  }

  /**
   * After a root has named its next key: takes the place of the one before, which is deleted. Whether there
   * was one.
   */
  async settle(role: RoleName, root: Root): Promise<boolean> {
    const next = await this.#read(this.#nextPath(role));
    if (next === null || !(root.roles[role]?.keyIDs.includes(next.public.keyID) ?? false)) return false;
    await rename(this.#nextPath(role), this.path(role));
    await rm(this.#offlinePath(role), { force: true });
    await syncFolder(this.#folder);
    return true;
  }

  /** The PEM of a role's key, for a copy elsewhere. */
  async pem(role: RoleName): Promise<Uint8Array> {
    const bytes = await readLimited(this.path(role), LIMIT);
    if (bytes !== undefined) return bytes;
    throw new AdbreakError('not_found', `Cannot export the key of ${role}: ${this.path(role)} is not here`);
  }

  /**
   * From here on the key is elsewhere on purpose. The note comes first: a power cut in between leaves both.
   */
  async takeAway(role: RoleName, now: Date): Promise<void> {
    const note = `The key of ${role} lies elsewhere since ${now.toISOString()}.\n`;
    await writeAtomic(this.#offlinePath(role), note, OWNER_ALONE);
    await rm(this.path(role));
    await syncFolder(this.#folder);
  }

  async putBack(role: RoleName, pem: Uint8Array): Promise<void> {
    await writeAtomic(this.path(role), pem, OWNER_ALONE);
    await rm(this.#offlinePath(role), { force: true });
    await syncFolder(this.#folder);
  }

  /** Whether a role's key was taken elsewhere, and not merely lost. */
  async isElsewhere(role: RoleName): Promise<boolean> {
    return MAY_LIE_ELSEWHERE.includes(role) && (await exists(this.#offlinePath(role)));
  }

  path(role: RoleName): string {
    return join(this.#folder, `${role}.key`);
  }
  #nextPath(role: RoleName): string {
    return join(this.#folder, `${role}.next.key`);
  }
  #offlinePath(role: RoleName): string {
    return join(this.#folder, `${role}.offline`);
  }

  async #read(path: string): Promise<RoleKey | null> {
    const bytes = await readLimited(path, LIMIT);
    return bytes === undefined ? null : privateKeyOf(bytes, path, 'state_corrupt');
  }
}
