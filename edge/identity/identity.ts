import { createPrivateKey, X509Certificate } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type EnrolResponse, enrolResponse } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, syncFolder, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';

export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}
export interface Identity extends KeyPair {
  readonly device: string;
  readonly authority: string;
  readonly mqtt: string;
  /** TUF root metadata, trusted from enrolment on. */
  readonly root: string;
}

const LIMIT = 64 * 1024;
const pairSchema = z.object({ key: z.string(), certificate: z.string() });
const storedSchema = enrolResponse.extend({ key: z.string(), previous: pairSchema.nullable().default(null) });
type Stored = z.infer<typeof storedSchema>;

/**
 * Who this device is, in its state folder. Key and certificate are one file, written atomically: after a power cut at
 * any moment they are a pair, the old one or the new one. The pair before stays in it, for a hub whose state comes from
 * a backup and knows nothing of the newest renewal.
 */
export class DeviceIdentity implements Identity {
  readonly #folder: string;
  #stored: Stored;

  private constructor(folder: string, value: Stored) {
    this.#folder = folder;
    this.#stored = value;
  }

  /** Null where there is none yet; `state_corrupt` where there is one that cannot be used. */
  static async open(folder: string): Promise<DeviceIdentity | null> {
    const path = join(folder, 'identity.json');
    const value = await readJson(z.looseObject({}), path, LIMIT);
    if (value === undefined) return null;
    const identity = check(storedSchema, { key: await keyOfItsOwn(folder), ...value }, path, 'state_corrupt');
    requirePair(identity, path, 'state_corrupt');
    return new DeviceIdentity(folder, identity);
  }

  /** A new identity, in the place of what the folder holds; what could not be read there stays beside it. */
  static async create(folder: string, enrolled: EnrolResponse, key: string): Promise<DeviceIdentity> {
    const unreadable = await DeviceIdentity.open(folder).then(
      () => false,
      () => true,
    );
    if (unreadable) await rename(join(folder, 'identity.json'), join(folder, 'identity.damaged.json'));
    const identity = new DeviceIdentity(folder, { ...enrolled, key, previous: null });
    await identity.#save({ ...enrolled, key, previous: null });
    return identity;
  }

  /** The state folder's part for the identity. */
  get folder(): string {
    return this.#folder;
  }
  get device(): string {
    return this.#stored.device;
  }
  get key(): string {
    return this.#stored.key;
  }
  get certificate(): string {
    return this.#stored.certificate;
  }
  get authority(): string {
    return this.#stored.authority;
  }
  get mqtt(): string {
    return this.#stored.mqtt;
  }
  get root(): string {
    return this.#stored.root;
  }
  /** Pairs that the hub may know, the one in use first. */
  get pairs(): readonly KeyPair[] {
    const { key, certificate, previous } = this.#stored;
    return previous === null ? [{ key, certificate }] : [{ key, certificate }, previous];
  }

  /** The pair of a renewal, which was asked for under the pair `under`. */
  async renewed(next: KeyPair, under: KeyPair): Promise<void> {
    const { key, certificate } = next;
    await this.#save({
      ...this.#stored,
      key,
      certificate,
      previous: { key: under.key, certificate: under.certificate },
    });
  }

  /** Everything anew, after an enrolment in the middle of a run. */
  async enrolled(response: EnrolResponse, key: string): Promise<void> {
    await this.#save({ ...response, key, previous: null });
  }

  async #save(value: Stored): Promise<void> {
    requirePair(value, "the hub's answer", 'input_invalid');
    await writeAtomic(join(this.#folder, 'identity.json'), JSON.stringify(value), { mode: 0o600 });
    this.#stored = value;
    await rm(join(this.#folder, 'device.key'), { force: true });
    await syncFolder(this.#folder);
  }
}

/** An agent before renewals kept the key in a file of its own. */
async function keyOfItsOwn(folder: string): Promise<string | undefined> {
  const bytes = await readLimited(join(folder, 'device.key'), LIMIT);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

/** A certificate without its own key would lock the device out. */
function requirePair(
  { key, certificate }: KeyPair,
  what: string,
  code: 'state_corrupt' | 'input_invalid',
): void {
  let fits: boolean;
  try {
    fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new AdbreakError(code, `Cannot accept ${what}: its key or its certificate is not PEM`, { cause });
  }
  if (!fits) throw new AdbreakError(code, `Cannot accept ${what}: the certificate is not for the key`);
}
