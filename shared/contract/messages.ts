import { z } from 'zod';
import { digest, MODEL_NAME, modelRef } from './manifest.js';
import { roundRequest } from './rounds.js';
import { sparse } from './sparse.js';
import { DEVICE_ID } from './topics.js';

/** A message larger than this is refused before it is parsed; no message can carry a picture. */
export const MESSAGE_LIMIT = 64 * 1024;

/** The largest count. */
const MOST = 1e9;
const count = z.int().nonnegative().max(MOST);
const instant = z.iso.datetime();
const text = z.string().max(500);
/** A name that people read and keys are made of. */
const sliceName = z
  .string()
  .max(60)
  .refine((name) => !/\p{Cc}/u.test(name), 'must not hold control characters');

export type { ModelRef } from './manifest.js';

const arm = z.enum(['production', 'candidate']);

export const status = z.strictObject({ online: z.boolean(), agent: z.string().max(40), at: instant });
export type Status = z.infer<typeof status>;

/** What a disagreement's draw promises: how many answers a device's people are asked for, and how long an answer may take. */
const drawOrder = z.object({
  /** Answers a device and week; null: every disagreement is asked about. */
  perWeek: z.int().min(1).max(10_000).nullable(),
  /** After this time a draw without an answer counts as one that nobody answered. */
  answerHours: z.number().positive().max(1000),
});
export type DrawOrder = z.infer<typeof drawOrder>;

/**
 * Why the hub takes no report of this device, until it takes one again: for its page. MQTT 3.1.1 acknowledges
 * without a reason.
 */
export const refusal = z.object({ code: z.string().max(40), message: text, at: instant });
export type Refusal = z.infer<typeof refusal>;

/**
 * What a device shall run. A higher revision supersedes, also in the middle of an update. Fields that an agent does not know
 * are left out and not refused: a hub may be newer than its agents.
 */
export const desired = z.object({
  revision: z.int().positive(),
  model: z.string().regex(MODEL_NAME),
  production: modelRef,
  candidate: modelRef.nullable(),
  /** Which of the two acts; the other one runs in its shadow. */
  serve: arm,
  rollout: z.string().max(100).nullable(),
  /** A federated round that it shall take part in, on its own labelled reservoir. */
  evaluation: roundRequest.nullable().default(null),
  /** The rollout waits for a person's word on episodes where the two models differ: the status page asks for it. */
  ask: z.literal('disagreements').nullable().default(null),
  /** How the device draws the disagreements that count as evidence. */
  draws: drawOrder.default({ perWeek: null, answerHours: 24 }),
  /** No part of what it shall run: it comes and goes under the same revision. */
  refusal: refusal.optional(),
});
export type Desired = z.infer<typeof desired>;

/** What a device runs: proved by inferences, never by a finished download. */
export const reported = z.strictObject({
  revision: z.int().nonnegative(),
  serving: modelRef.nullable(),
  shadow: modelRef.nullable(),
  slot: z.enum(['factory', 'trial', 'confirmed', 'fallen-back']),
  /** Why it could not do what it shall, or null; `model` where it is one model's, by its digest. An agent of 0.1.0 names none. */
  problem: z.strictObject({ code: z.string().max(40), message: text, model: digest.optional() }).nullable(),
  source: z.enum(['running', 'ended', 'lost']),
  statusPage: z.string().max(200).nullable(),
  at: instant,
});
export type Reported = z.infer<typeof reported>;

export const BINS = 256;
/** Sparse histogram of p(ad), [bin, count] pairs; one bin per INT8 output code loses nothing. Bin = min(255, floor(256 p)). */
const histogram = z.strictObject({
  bins: sparse<[bin: number, count: number]>([BINS - 1, MOST], BINS),
  sum: z.number().nonnegative().max(1e9),
});
export type SparseHistogram = z.infer<typeof histogram>;
/** Latency in fixed logarithmic buckets, [bucket, count]: bucket b holds milliseconds in [2^(b/4), 2^((b+1)/4)). */
const latency = sparse<[bucket: number, count: number]>([63, MOST], 64);

function labelDetail() {
  return z.strictObject({ confusion: table, tenths });
}
const table = z.tuple([z.tuple([count, count]), z.tuple([count, count])]);
/** Labelled episodes by tenth of p(ad): [tenth, episodes, right]. */
const tenths = sparse<[tenth: number, episodes: number, right: number]>([9, MOST, MOST], 10);

/** The rates at which a device may draw: powers of one half. They are fixed before a window begins, so that no draw looks at what it draws. */
export const DRAW_RATES = Array.from({ length: 9 }, (_, level) => 2 ** -level);
/** Draws of the disagreements that ended in this window; each is answered, or counts in the worst case. */
const draws = z.strictObject({
  rate: z.number().refine((rate) => DRAW_RATES.includes(rate), 'must be a power of one half, 1/256 at least'),
  drawn: count,
  /** Of the drawn, those a person has answered already. wins: only production was wrong; losses: only the candidate was. */
  wins: count,
  losses: count,
});
/** Answers to draws that an earlier window of the same pairing reported, by that window's start. */
const lateAnswer = z.strictObject({ start: instant, wins: count, losses: count });
/** Episodes whose truth is known, asked about like the others: how often people answer wrongly. */
const control = z.strictObject({ asked: count, answered: count, wrong: count });

/** A random name for a run of numbers: two runs of one device are told apart by it, whatever their numbers are. */
export const streamId = z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits');

/** The evidence of one window; reports merge by addition. docs/gate.md. */
export const windowReport = z.strictObject({
  sequence: z.int().positive(),
  /** Whose number it is. An agent of before 0.3 names none: its numbers go on from whatever was heard of it. */
  stream: streamId.optional(),
  start: instant,
  end: instant,
  slice: z.strictObject({ channel: sliceName, site: sliceName, hardware: sliceName }),
  rollout: z.string().max(100).nullable(),
  production: digest,
  candidate: digest.nullable(),
  serving: arm,
  episodes: count,
  /** Episodes that are new content, what airs again left out. Today every episode: null says the same. */
  content: count.nullable().default(null),
  /** Null: on this device nobody is asked, so its disagreements say nothing about who is right. */
  draws: draws.nullable().default(null),
  answers: z.array(lateAnswer).max(100).default([]),
  /** Drawn disagreements that still wait for a person. */
  waiting: count.default(0),
  control: control.default({ asked: 0, answered: 0, wrong: 0 }),
  histograms: z.strictObject({ production: histogram, candidate: histogram.nullable() }),
  /** Episodes by [vote of production][vote of candidate], content = 0, ad = 1. */
  joint: table.nullable(),
  /** Episodes by [tenth of production's p(ad), tenth of the candidate's, count]. */
  jointConfidence: sparse<[production: number, candidate: number, count: number]>([9, 9, MOST], 100).default(
    [],
  ),
  /** Labelled episodes. wins: only production was wrong; losses: only the candidate was. */
  labelled: z.strictObject({
    episodes: count,
    productionRight: count,
    candidateRight: count,
    wins: count,
    losses: count,
    /** By [truth][vote of the arm], and by confidence. */
    detail: z
      .strictObject({ production: labelDetail(), candidate: labelDetail().nullable() })
      .nullable()
      .default(null),
  }),
  latency: z.strictObject({ production: latency, candidate: latency.nullable() }),
  adFrames: count,
  frames: count,
  dropped: count,
  restarts: count,
  /** Largest memory of the agent and its inference processes together, MiB; 0 where it is not known. */
  memoryMb: count.default(0),
  downloadFailures: count.default(0),
});
export type WindowReport = z.infer<typeof windowReport>;

export const event = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.enum(['ad-started', 'ad-ended']),
    at: instant,
    mediaTime: z.number().nonnegative(),
  }),
  z.strictObject({ kind: z.enum(['signal-lost', 'signal-back', 'source-ended']), at: instant, reason: text }),
  z.strictObject({
    kind: z.enum(['slot-confirmed', 'slot-fell-back']),
    at: instant,
    model: modelRef,
    reason: text,
  }),
]);
export type DeviceEvent = z.infer<typeof event>;

export const deviceId = z
  .string()
  .regex(
    DEVICE_ID,
    'must be lower-case letters, digits and dashes, and not the name of what every object has',
  );
export const enrolRequest = z.strictObject({
  token: z.string().min(16).max(100),
  device: deviceId,
  csr: z.string().max(4096),
  instance: z.string().max(64),
});
export const enrolResponse = z.object({
  device: deviceId,
  certificate: z.string(),
  authority: z.string(),
  mqtt: z.string(),
  root: z.string(),
});
export type EnrolResponse = z.infer<typeof enrolResponse>;

/** A device asks for its next certificate over mutual TLS: the one before says who it is, so the request holds a key alone. */
export const renewRequest = z.strictObject({ csr: z.string().max(4096) });
export const renewResponse = z.object({ certificate: z.string().max(8192) });
export type RenewResponse = z.infer<typeof renewResponse>;
