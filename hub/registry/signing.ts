import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { Key, Signature } from '@tufjs/models';

export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RoleName = (typeof ROLES)[number];

/** An ed25519 key of one TUF role. */
export interface RoleKey {
  readonly public: Key;
  sign(data: Buffer): Signature;
}

/** The key of a role; a missing one is made while no root metadata names the keys (`make`), later it is `state_corrupt`. */
export async function openRoleKey(folder: string, role: RoleName, make: boolean): Promise<RoleKey> {
  const path = join(folder, `${role}.key`);
  const stored = await readLimited(path, 16_384);
  if (stored !== undefined) return roleKey(parseKey(path, stored));
  if (!make) throw new AdbreakError('state_corrupt', `Cannot open the registry: ${path} is missing`);
  const key = generateKeyPairSync('ed25519').privateKey;
  await writeAtomic(path, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return roleKey(key);
}

function parseKey(path: string, stored: Uint8Array): KeyObject {
  let cause: unknown;
  try {
    const key = createPrivateKey(Buffer.from(stored));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    cause = error;
  }
  throw new AdbreakError('state_corrupt', `Cannot open the registry: ${path} is not an ed25519 key`, {
    cause,
  });
}

function roleKey(key: KeyObject): RoleKey {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const keyVal = { public: Buffer.from(jwk.x ?? '', 'base64url').toString('hex') };
  const keyID = sha256(JSON.stringify({ keytype: 'ed25519', keyval: keyVal, scheme: 'ed25519' }));
  const publicKey = new Key({ keyID, keyType: 'ed25519', scheme: 'ed25519', keyVal });
  return {
    public: publicKey,
    sign: (data) => new Signature({ keyID, sig: sign(null, data, key).toString('hex') }),
  };
}
