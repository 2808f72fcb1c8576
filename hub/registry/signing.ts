import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { Key, Signature } from '@tufjs/models';

export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RoleName = (typeof ROLES)[number];

/** An ed25519 key of one TUF role. Root and targets keys may be moved off the hub once the fleet trusts them. */
export interface RoleKey {
  readonly public: Key;
  sign(data: Buffer): Signature;
}

export async function openRoleKey(folder: string, role: RoleName): Promise<RoleKey> {
  const path = join(folder, `${role}.key`);
  const stored = await readLimited(path, 16_384);
  const key = stored === undefined ? generateKeyPairSync('ed25519').privateKey : createPrivateKey(Buffer.from(stored));
  if (stored === undefined) await writeAtomic(path, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return roleKey(key);
}

function roleKey(key: KeyObject): RoleKey {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const keyVal = { public: Buffer.from(jwk.x ?? '', 'base64url').toString('hex') };
  const keyID = sha256(JSON.stringify({ keytype: 'ed25519', keyval: keyVal, scheme: 'ed25519' }));
  const publicKey = new Key({ keyID, keyType: 'ed25519', scheme: 'ed25519', keyVal });
  return { public: publicKey, sign: (data) => new Signature({ keyID, sig: sign(null, data, key).toString('hex') }) };
}
