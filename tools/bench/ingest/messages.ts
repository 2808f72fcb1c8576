import { z } from 'zod';

/** What the benchmark and its workers say to each other; parsed on both sides. */
export const SIDES = ['hub', 'peer'] as const;
export type Side = (typeof SIDES)[number];
const side = z.enum(SIDES);

/** A worker's share of the fleet, and whom all reports are evidence for. */
export const share = z.object({
  authority: z.string(),
  spans: z.array(z.string()).min(1),
  pairing: z.object({
    rollout: z.string(),
    production: z.string(),
    candidate: z.string(),
    hour: z.number(),
    length: z.number(),
  }),
  devices: z.array(
    z.object({
      device: z.string(),
      key: z.string(),
      certificate: z.string(),
      from: z.string(),
      index: z.int(),
    }),
  ),
});
export type Share = z.infer<typeof share>;

export const order = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('connect'), side, port: z.int() }),
  /** Reports for `warm` seconds, then `seconds` that count, then what is still under way. */
  z.object({ kind: z.literal('run'), side, warm: z.number(), seconds: z.number() }),
  z.object({ kind: z.literal('close'), side }),
]);
export type Order = z.infer<typeof order>;

export const word = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('connecting'), connected: z.int() }),
  z.object({ kind: z.literal('connected') }),
  z.object({ kind: z.literal('counting') }),
  z.object({ kind: z.literal('counted') }),
  z.object({
    kind: z.literal('done'),
    /** Of the seconds that count. */
    latencies: z.instanceof(Float32Array),
    seconds: z.number(),
    /** Share of that time in which this worker had something to do. */
    busy: z.number(),
    /**
     * By device, all that was acknowledged since its session began, before and after the seconds that count
     * too.
     */
    acknowledged: z.array(z.tuple([z.string(), z.int()])),
  }),
  z.object({ kind: z.literal('closed') }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
]);
export type Word = z.infer<typeof word>;
