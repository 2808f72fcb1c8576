import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { type SignedDesired, signingInput } from '@adbreak/shared/contract/signed-desired.js';
import { z } from 'zod';

/** Root metadata as tuf-js takes it at most. */
export const ROOT_LIMIT = 512_000;
const keySchema = z.object({
  keytype: z.literal('ed25519'),
  keyval: z.object({ public: z.string().regex(/^[0-9a-f]{64}$/) }),
});
/**
 * Of a root (the TUF specification 1.0, 4.3) what says who signs often. Keys of other kinds are for others.
 */
const rootSchema = z.object({
  signed: z.object({
    _type: z.literal('root'),
    keys: z.record(z.string(), z.unknown()),
    roles: z.object({
      timestamp: z.object({ keyids: z.array(z.string()).max(64), threshold: z.int().positive() }),
    }),
  }),
});

/**
 * The keys of the timestamp role that have signed a desired state, by their ids; none where they are fewer
 * than this root asks for. Of the root itself nothing is checked: it is one that the device trusts already.
 */
export function signersUnder(
  root: Uint8Array | string,
  { payload, signatures }: SignedDesired,
): readonly string[] {
  const { keys, roles } = parseJson(
    rootSchema,
    root,
    ROOT_LIMIT,
    'the root metadata',
    'state_corrupt',
  ).signed;
  const input = signingInput(payload);
  const signers = new Set<string>();
  for (const { keyid, sig } of signatures) {
    const key = roles.timestamp.keyids.includes(keyid) ? keyOf(keys[keyid]) : null;
    if (key !== null && verify(null, input, key, Buffer.from(sig, 'hex'))) signers.add(keyid);
  }
  return signers.size >= roles.timestamp.threshold ? [...signers] : [];
}

function keyOf(entry: unknown): KeyObject | null {
  const { success, data } = keySchema.safeParse(entry);
  if (!success) return null;
  const x = Buffer.from(data.keyval.public, 'hex').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
