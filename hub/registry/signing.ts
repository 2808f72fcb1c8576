import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { Key, Signature } from '@tufjs/models';

export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RoleName = (typeof ROLES)[number];

/** An ed25519 key of one TUF role. */
export interface RoleKey {
  readonly public: Key;
  sign(data: Uint8Array): Signature;
}

/** A new private key as PKCS #8 in PEM. */
export function newKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * The private key in a file of PEM. Throws the code given, naming the file, where it is no key or one of
 * another kind: every client of ours knows ed25519, and the root says so of each key.
 */
export function privateKeyOf(
  bytes: Uint8Array,
  path: string,
  code: 'state_corrupt' | 'input_invalid',
): RoleKey {
  return roleKey(ed25519Of(() => createPrivateKey(Buffer.from(bytes)), path, 'a private ed25519 key', code));
}

/**
 * The public half of a key in a file of PEM, for a key that lies elsewhere. Throws `input_invalid` for all
 * else.
 */
export function publicKeyOf(bytes: Uint8Array, path: string): Key {
  const key = ed25519Of(() => createPublicKey(Buffer.from(bytes)), path, 'an ed25519 key', 'input_invalid');
  return tufKey(key);
}

function ed25519Of(
  parse: () => KeyObject,
  path: string,
  wanted: string,
  code: 'state_corrupt' | 'input_invalid',
): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch (cause) {
    throw new AdbreakError(code, `Cannot use ${path}: it is not ${wanted} in PEM`, { cause });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new AdbreakError(code, `Cannot use ${path}: it is not ${wanted}: it is ${kindOf(key)}`);
}

function kindOf({ asymmetricKeyType, asymmetricKeyDetails: details }: KeyObject): string {
  return [asymmetricKeyType, details?.namedCurve ?? details?.modulusLength]
    .filter((word) => word !== undefined)
    .join(' ');
}

function roleKey(key: KeyObject): RoleKey {
  const publicKey = tufKey(createPublicKey(key));
  const { keyID } = publicKey;
  return {
    public: publicKey,
    sign: (data) => new Signature({ keyID, sig: sign(null, data, key).toString('hex') }),
  };
}

/**
 * As root metadata names it; the id is the SHA-256 of the key's canonical form (the TUF specification 1.0,
 * 4.2).
 */
function tufKey(key: KeyObject): Key {
  const keyVal = { public: Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex') };
  const keyID = sha256(JSON.stringify({ keytype: 'ed25519', keyval: keyVal, scheme: 'ed25519' }));
  return new Key({ keyID, keyType: 'ed25519', scheme: 'ed25519', keyVal });
}
