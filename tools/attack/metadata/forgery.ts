import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalCommand as canonical } from '@adbreak/shared/contract/commands.js';
import { signingInput } from '@adbreak/shared/contract/signed-desired.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import type { Ground } from '../ground.js';

/** Metadata as the TUF specification 1.0 has it, and desired states, by whichever key somebody has. */
type Role = 'root' | 'targets' | 'snapshot' | 'timestamp';

const signedSchema = z.looseObject({ version: z.int() });
type Signed = z.infer<typeof signedSchema>;
const documentSchema = z.object({ signed: signedSchema, signatures: z.array(z.unknown()) });
interface Document {
  readonly text: string;
  readonly signed: Signed;
}

/** A document of the registry, as it lies there. */
export async function document(ground: Ground, name: string): Promise<Document> {
  const text = await readFile(join(ground.folder, 'registry/metadata', name), 'utf8');
  return { text, signed: documentSchema.parse(JSON.parse(text)).signed };
}
/** What devices take now, by role. */
export type Named = Readonly<Record<Role, Document>>;
export async function inForce(ground: Ground): Promise<Named> {
  const timestamp = await document(ground, 'timestamp.json');
  const snapshot = await document(ground, `${versionIn(timestamp, 'snapshot.json')}.snapshot.json`);
  const targets = await document(ground, `${versionIn(snapshot, 'targets.json')}.targets.json`);
  return { root: await document(ground, '1.root.json'), timestamp, snapshot, targets };
}
function versionIn({ signed }: Document, name: string): number {
  const meta = z
    .looseObject({ meta: z.record(z.string(), z.object({ version: z.int() })) })
    .parse(signed).meta;
  return meta[name]?.version ?? 0;
}

/** A role's key, stolen from the hub's disk. */
export async function stolenKey(ground: Ground, role: Role): Promise<KeyObject> {
  return createPrivateKey(await readFile(join(ground.folder, 'registry/keys', `${role}.key`)));
}
/** A key that nobody knows. */
export function ownKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}
/** How root metadata names a key (section 4.2). */
export function named(key: KeyObject) {
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
  const entry = { keytype: 'ed25519', keyval: { public: raw }, scheme: 'ed25519' };
  return { id: sha256(canonical(entry)), entry };
}

/** Signs metadata; `as` is the key that it says it was. */
export function seal(signed: object, key: KeyObject, as: KeyObject = key): string {
  const sig = sign(null, Buffer.from(canonical(signed)), key).toString('hex');
  return JSON.stringify({ signed, signatures: [{ keyid: named(as).id, sig }] });
}

interface Word {
  readonly device: string;
  readonly revision: number;
  /** When it says that it was signed, milliseconds since 1970. */
  readonly issued?: number;
  readonly mark?: (payload: string) => Uint8Array;
}
/** A desired state as the hub signs it, good for a day (shared/contract/signed-desired.ts). */
export function desiredOf(
  { device, revision, issued = Date.now(), mark = signingInput }: Word,
  key: KeyObject,
  as: KeyObject = key,
): string {
  const iso = (time: number) => new Date(time).toISOString();
  const payload = JSON.stringify({
    device,
    issued: iso(issued),
    expires: iso(issued + 24 * 3_600_000),
    desired: plain(revision),
  });
  const sig = sign(null, mark(payload), key).toString('hex');
  return JSON.stringify({ payload, signatures: [{ keyid: named(as).id, sig }] });
}
export function plain(revision: number) {
  return {
    revision,
    model: 'base-ad-detector',
    production: { version: '2.0.0', digest: 'a'.repeat(64) },
    candidate: null,
    serve: 'production',
    rollout: null,
  };
}
