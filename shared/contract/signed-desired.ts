import { z } from 'zod';
import { instantSchema } from './instant.js';
import { digest } from './manifest.js';
import { desired } from './messages.js';
import { DEVICE_ID } from './topics.js';

/**
 * A desired state as the hub signs it. What is signed is the text of `payload` as it came, behind a mark of
 * its own: no form has to be made of it again, and no other text that the same key signs can pass for it.
 * docs/decisions/019.
 */
export const signedDesired = z.object({
  payload: z
    .string()
    .max(48 * 1024)
    .describe('What is signed, as it was signed: JSON with the fields below.'),
  signatures: z
    .array(
      z.object({
        keyid: digest.describe('Id of a key of the role `timestamp`, as the root metadata names it.'),
        sig: z
          .string()
          .regex(/^[0-9a-f]{128}$/)
          .describe('Its Ed25519 signature.'),
      }),
    )
    .min(1)
    .max(8)
    .describe('One for each key; during a rotation two keys sign.'),
});
export type SignedDesired = z.infer<typeof signedDesired>;

/**
 * What `payload` says. A field that an agent does not know is left out: a hub may be newer than its agents.
 */
export const desiredPayload = z.object({
  device: z.string().regex(DEVICE_ID),
  /** When the hub signed it, by its clock. */
  issued: instantSchema(),
  /** From here on nobody begins to follow it; who follows it already goes on. */
  expires: instantSchema(),
  desired,
});

const MARK = 'adbreak desired 1\n';
/**
 * The bytes that are signed (ed25519, RFC 8032). TUF metadata begins with a brace, so the mark tells the two
 * apart.
 */
export function signingInput(payload: string): Uint8Array {
  return new TextEncoder().encode(MARK + payload);
}

/**
 * An agent that takes signed desired states says so in the version that its status names, as build metadata
 * (SemVer 10).
 */
const SIGNED = 'signed';
export function withSigned(version: string): string {
  return `${version}+${SIGNED}`;
}
/** Whether an agent of this version takes them; one that has said nothing yet does not. */
export function takesSigned(agent: string | undefined): boolean {
  return agent?.split('+')[1]?.split('.').includes(SIGNED) ?? false;
}
