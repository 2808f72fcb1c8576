import { z } from 'zod';
import { SECURE_FIELDS } from '../contract/rounds.js';

/** What goes between devices and hub in a secure round; names and order of Bonawitz et al. 2017. */
const device = z.string().min(1).max(63);
const key = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'must be 32 bytes in base64');
/** Whole numbers modulo 2^64, in decimal: JSON numbers end at 2^53. */
const residue = z.string().regex(/^\d{1,20}$/);

/** Number of the device, and its share of 32 bytes in base64. */
const share = z
  .string()
  .regex(/^([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]):[A-Za-z0-9+/]{43}=$/, 'must be a share of 32 bytes');

export const advertised = z.strictObject({ channel: key, mask: key });
export type Advertised = z.infer<typeof advertised>;
/** For each peer an encrypted pair of shares. */
export const sharedOut = z.strictObject({ boxes: z.record(device, z.string().max(400)) });
export const maskedInput = z.strictObject({ vector: z.array(residue).length(SECURE_FIELDS.length) });
/** A peer's shares: of its own mask where it answered, of its pairwise key where it dropped out. Never both. */
export const unmasking = z.strictObject({ self: z.record(device, share), pairwise: z.record(device, share) });
export type Unmasking = z.infer<typeof unmasking>;

export const PHASES = ['keys', 'shares', 'masked', 'unmask'] as const;
export type Phase = (typeof PHASES)[number];
/** What the hub says when asked: the phase, and what a device needs for it. */
export const secureView = z.discriminatedUnion('phase', [
  z.strictObject({ phase: z.literal('keys') }),
  z.strictObject({
    phase: z.literal('shares'),
    threshold: z.int().min(2).max(255),
    peers: z.record(device, advertised),
  }),
  z.strictObject({ phase: z.literal('masked'), boxes: z.record(device, z.string().max(400)) }),
  z.strictObject({ phase: z.literal('unmask'), survivors: z.array(device).max(255) }),
  z.strictObject({ phase: z.literal('over'), reason: z.string().max(300) }),
]);
export type SecureView = z.infer<typeof secureView>;
