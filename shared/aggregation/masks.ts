import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

/** The cryptography of a secure round, all of it Node's own: X25519 (RFC 7748), HKDF (RFC 5869), AES-256-GCM and -CTR. */
const MODULUS = 1n << 64n;

/** DER headers of X25519 keys (RFC 8410): the 32 raw bytes follow. */
const PRIVATE_HEADER = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_HEADER = Buffer.from('302a300506032b656e032100', 'hex');

export function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_HEADER, seed]), format: 'der', type: 'pkcs8' });
}
export function publicKeyOf(seed: Uint8Array): string {
  return createPublicKey(privateKey(seed))
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('base64');
}

/** A secret that two devices share and nobody else: the same whichever of them computes it. */
export function agree(seed: Uint8Array, peer: string, purpose: string): Uint8Array {
  const secret = diffieHellman({
    privateKey: privateKey(seed),
    publicKey: createPublicKey({
      key: Buffer.concat([PUBLIC_HEADER, Buffer.from(peer, 'base64')]),
      format: 'der',
      type: 'spki',
    }),
  });
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), purpose, 32));
}

/** `length` numbers modulo 2^64 from a seed: AES-256 in counter mode over zeros. */
export function maskOf(seed: Uint8Array, length: number): bigint[] {
  const cipher = createCipheriv('aes-256-ctr', seed, new Uint8Array(16));
  const stream = cipher.update(new Uint8Array(length * 8));
  return Array.from({ length }, (_, i) => stream.readBigUInt64LE(i * 8));
}

export function add(a: readonly bigint[], b: readonly bigint[], sign: 1n | -1n = 1n): bigint[] {
  return a.map((value, i) => (((value + sign * (b[i] ?? 0n)) % MODULUS) + MODULUS) % MODULUS);
}
export function toResidue(value: number): bigint {
  return ((BigInt(value) % MODULUS) + MODULUS) % MODULUS;
}
/** Sums are far from the modulus: what lies in its upper half was negative. */
export function fromResidue(value: bigint): number {
  return Number(value >= MODULUS / 2n ? value - MODULUS : value);
}

/** Encrypted and authenticated for one peer: 12 bytes nonce, 16 bytes tag, text. */
export function seal(key: Uint8Array, nonce: Uint8Array, text: string): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
}
/** Throws where the box was made by somebody else or changed on its way. */
export function unseal(key: Uint8Array, box: string): string {
  const bytes = Buffer.from(box, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
}
