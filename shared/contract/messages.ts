import { z } from 'zod';
import { instantSchema } from './instant.js';
import { digest, MODEL_NAME, modelRef } from './manifest.js';
import { roundRequest } from './rounds.js';
import { sparse } from './sparse.js';
import { DEVICE_ID } from './topics.js';

/** A message larger than this is refused before it is parsed; no message can carry a picture. */
export const MESSAGE_LIMIT = 64 * 1024;

/** The largest count. */
const MOST = 1e9;
const count = z.int().nonnegative().max(MOST);
const instant = instantSchema();
const text = z.string().max(500);
/** A name that people read and keys are made of. */
const sliceName = z
  .string()
  .max(60)
  .refine((name) => !/\p{Cc}/u.test(name), 'must not hold control characters');

export type { ModelRef } from './manifest.js';

const arm = z.enum(['production', 'candidate']);

export const status = z.strictObject({
  online: z
    .boolean()
    .describe('`true` after connecting; `false` in the last will, and before an orderly end.'),
  agent: z.string().max(40).describe("Version of the device's program."),
  at: instant.describe('When it was said, by the clock of the device.'),
});
export type Status = z.infer<typeof status>;

/** What a disagreement's draw promises: how many answers a device's people are asked for, and how long an answer may take. */
const drawOrder = z.object({
  perWeek: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .describe('Answers a week that the people at one device are asked for; null: about every disagreement.'),
  answerHours: z
    .number()
    .positive()
    .max(1000)
    .describe('Hours after which a draw without an answer counts as one that nobody answered.'),
});
export type DrawOrder = z.infer<typeof drawOrder>;

/**
 * Why the hub takes no report of this device, until it takes one again: for its page. MQTT 3.1.1 acknowledges
 * without a reason.
 */
export const refusal = z.object({
  code: z.string().max(40).describe('The code of the error; see [refusals.md](refusals.md).'),
  message: text.describe('What was wrong with the report, for people.'),
  at: instant.describe('When the report was refused.'),
});
export type Refusal = z.infer<typeof refusal>;

/**
 * What a device shall run. A higher revision supersedes, also in the middle of an update. Fields that an agent does not know
 * are left out and not refused: a hub may be newer than its agents.
 */
export const desired = z.object({
  revision: z.int().positive().describe('Number of this order: the highest one counts.'),
  model: z.string().regex(MODEL_NAME).describe('Name of the model whose versions these are.'),
  production: modelRef.describe('The version in production.'),
  candidate: modelRef
    .nullable()
    .describe('The version that is tried beside it, on the same frames; null: none is.'),
  serve: arm.describe('Which of the two acts: its decisions are the events. The other runs in its shadow.'),
  rollout: z.string().max(100).nullable().describe('The rollout that the window reports shall name.'),
  evaluation: roundRequest
    .nullable()
    .default(null)
    .describe('A federated round to take part in, over the labelled episodes of this device.'),
  ask: z
    .literal('disagreements')
    .nullable()
    .default(null)
    .describe('The status page shall ask people about drawn disagreements.'),
  draws: drawOrder
    .default({ perWeek: null, answerHours: 24 })
    .describe('How disagreements are drawn for people to judge.'),
  refusal: refusal
    .optional()
    .describe('Why the hub takes no report of this device; comes and goes under one revision.'),
});
export type Desired = z.infer<typeof desired>;

/** What a device runs: proved by inferences, never by a finished download. */
export const reported = z.strictObject({
  revision: z.int().nonnegative().describe('Revision of the desired state that is at work; 0: none yet.'),
  serving: modelRef.nullable().describe('The version that acts.'),
  shadow: modelRef.nullable().describe('The version that runs in its shadow.'),
  slot: z
    .enum(['factory', 'trial', 'confirmed', 'fallen-back'])
    .describe(
      '`factory`: nothing from the hub runs; `trial`: what acts is not proved yet; `confirmed`: it is; `fallen-back`: a trial failed.',
    ),
  // An agent of 0.1.0 names no model.
  problem: z
    .strictObject({
      code: z.string().max(40).describe('A code of docs/errors.md, or `unexpected`.'),
      message: text.describe('What is wrong with which thing, for people.'),
      model: digest.optional().describe("The model's digest where the problem is one model's."),
    })
    .nullable()
    .describe('Why the device does not do what it shall; null: it does.'),
  source: z.enum(['running', 'ended', 'lost']).describe('What comes from the video source.'),
  statusPage: z
    .string()
    .max(200)
    .nullable()
    .describe("URL of the device's own page, on which people answer; null: it has none, and asks nobody."),
  at: instant.describe('When it was said, by the clock of the device.'),
});
export type Reported = z.infer<typeof reported>;

export const BINS = 256;
/** Sparse histogram of p(ad), [bin, count] pairs; one bin per INT8 output code loses nothing. Bin = min(255, floor(256 p)). */
const histogram = z.strictObject({
  bins: sparse<[bin: number, count: number]>([BINS - 1, MOST], BINS).describe(
    '[bin, episodes], each bin once; bin = min(255, floor(256 p)).',
  ),
  sum: z.number().nonnegative().max(1e9).describe('Sum of p over the episodes; it must fit the bins.'),
});
export type SparseHistogram = z.infer<typeof histogram>;
/** Latency in fixed logarithmic buckets, [bucket, count]: bucket b holds milliseconds in [2^(b/4), 2^((b+1)/4)). */
const latency = sparse<[bucket: number, count: number]>([63, MOST], 64);

function labelDetail() {
  return z.strictObject({
    confusion: table.describe('Labelled episodes by [truth][vote], content = 0, ad = 1.'),
    tenths: tenths.describe('[tenth, episodes, right], each tenth once; tenth = min(9, floor(10 p)).'),
  });
}
const table = z.tuple([z.tuple([count, count]), z.tuple([count, count])]);
/** Labelled episodes by tenth of p(ad): [tenth, episodes, right]. */
const tenths = sparse<[tenth: number, episodes: number, right: number]>([9, MOST, MOST], 10);

/** The rates at which a device may draw: powers of one half. They are fixed before a window begins, so that no draw looks at what it draws. */
export const DRAW_RATES = Array.from({ length: 9 }, (_, level) => 2 ** -level);
/** Draws of the disagreements that ended in this window; each is answered, or counts in the worst case. */
const draws = z.strictObject({
  rate: z
    .number()
    .refine((rate) => DRAW_RATES.includes(rate), 'must be a power of one half, 1/256 at least')
    .describe(
      'Chance with which each disagreement was drawn: 1, 1/2, 1/4, … 1/256; fixed before the window began.',
    ),
  drawn: count.describe('Disagreements that were drawn.'),
  wins: count.describe('Of the drawn: answered already, and only production was wrong.'),
  losses: count.describe('Of the drawn: answered already, and only the candidate was wrong.'),
});
/** Answers to draws that an earlier window of the same pairing reported. */
const lateAnswer = z.strictObject({
  start: instant.describe('Start of the window that reported the draws; each once, and before this window.'),
  wins: count.describe('Answers that say only production was wrong.'),
  losses: count.describe('Answers that say only the candidate was wrong.'),
});
const control = z.strictObject({
  asked: count.describe('Control items whose time is over or that were answered.'),
  answered: count.describe('Of these, answered.'),
  wrong: count.describe('Of these, answered against the truth that is known.'),
});

/** A random name for a run of numbers: two runs of one device are told apart by it, whatever their numbers are. */
export const streamId = z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits');

/** The evidence of one window; reports merge by addition. docs/gate.md. */
export const windowReport = z.strictObject({
  sequence: z
    .int()
    .positive()
    .describe('Number of the report in its stream, from 1 on; none is given twice.'),
  // An agent of before 0.3 names none: its numbers go on from whatever was heard of it.
  stream: streamId.optional().describe('Whose number it is: a random name for a run of numbers.'),
  start: instant.describe('Begin of the window: a multiple of its length since 1970 (UTC).'),
  end: instant.describe('Its end, which may not lie in the future; at most 45 days after the start.'),
  slice: z
    .strictObject({
      channel: sliceName.describe('What is watched; one name for a channel on all devices.'),
      site: sliceName.describe('Where the device stands.'),
      hardware: sliceName.describe('What it is made of.'),
    })
    .describe('Where the counts belong.'),
  rollout: z.string().max(100).nullable().describe('`rollout` of the desired state that was at work.'),
  production: digest.describe('Digest of the version in production.'),
  candidate: digest.nullable().describe('Digest of the candidate; null without one.'),
  serving: arm.describe('Which of the two acted.'),
  episodes: count.describe('Episodes counted; at most one a second.'),
  content: count
    .nullable()
    .default(null)
    .describe('Of these, new content: what airs again left out. Null: the device does not know repeats.'),
  draws: draws
    .nullable()
    .default(null)
    .describe('Draws among the disagreements of this window; null: nobody is asked on this device.'),
  answers: z
    .array(lateAnswer)
    .max(100)
    .default([])
    .describe('Answers to draws of earlier windows of the same models, since the last report.'),
  waiting: count.default(0).describe('Drawn disagreements that wait for a person now.'),
  control: control
    .default({ asked: 0, answered: 0, wrong: 0 })
    .describe('Episodes whose truth is known, asked about among the others: how often people are wrong.'),
  histograms: z
    .strictObject({
      production: histogram.describe("Production's mean p(ad) of each episode."),
      candidate: histogram.nullable().describe("The candidate's; null without one."),
    })
    .describe('Episodes by confidence.'),
  joint: table
    .nullable()
    .describe(
      'Episodes by [vote of production][vote of the candidate], content = 0, ad = 1; null without one.',
    ),
  jointConfidence: sparse<[production: number, candidate: number, count: number]>([9, 9, MOST], 100)
    .default([])
    .describe("[tenth of production's p, tenth of the candidate's, episodes], each pair once."),
  labelled: z
    .strictObject({
      episodes: count.describe('Episodes with a label of a person.'),
      productionRight: count.describe('Of these, production voted as the label says.'),
      candidateRight: count.describe('Of these, the candidate did; 0 without one.'),
      wins: count.describe('Of these, only production was wrong.'),
      losses: count.describe('Of these, only the candidate was wrong.'),
      detail: z
        .strictObject({
          production: labelDetail().describe("Production's labelled episodes."),
          candidate: labelDetail().nullable().describe("The candidate's; null without one."),
        })
        .nullable()
        .default(null)
        .describe('The same by truth and by confidence.'),
    })
    .describe('Episodes whose truth a person told before they were counted.'),
  latency: z
    .strictObject({
      production: latency.describe('[bucket, inferences], each bucket once.'),
      candidate: latency.nullable().describe("The candidate's; null without one."),
    })
    .describe(
      'Inferences by duration: bucket b holds milliseconds in [2^(b/4), 2^((b+1)/4)), bucket 0 what is shorter.',
    ),
  adFrames: count.describe('Frames that the acting model calls an advertisement.'),
  frames: count.describe('Frames that were looked at; at most 120 a second.'),
  dropped: count.describe('Frames that came and were not looked at, because a newer one was there.'),
  restarts: count.describe('Inference processes that had to be started again.'),
  memoryMb: count
    .default(0)
    .describe('Largest memory of the program and its children together, MiB; 0: not known.'),
  downloadFailures: count.default(0).describe('Downloads of a model that failed.'),
});
export type WindowReport = z.infer<typeof windowReport>;

const eventTime = instant.describe('When, by the clock of the device.');
export const event = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.enum(['ad-started', 'ad-ended']).describe('The acting model has changed its mind for good.'),
    at: eventTime,
    mediaTime: z
      .number()
      .nonnegative()
      .describe('Where in the source the change began, seconds from its begin.'),
  }),
  z.strictObject({
    kind: z.enum(['signal-lost', 'signal-back', 'source-ended']).describe('What became of the source.'),
    at: eventTime,
    reason: text.describe('Why, for people.'),
  }),
  z.strictObject({
    kind: z
      .enum(['slot-confirmed', 'slot-fell-back'])
      .describe('A model on trial has proved itself, or was given up.'),
    at: eventTime,
    model: modelRef.describe('Which model.'),
    reason: text.describe('Why, for people.'),
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
  token: z.string().min(16).max(100).describe('The claim token of the card.'),
  device: deviceId.describe('The name that the device shall have.'),
  csr: z.string().max(4096).describe('PKCS#10 signing request in PEM, of an EC key on P-256 or P-384.'),
  instance: z.string().max(64).describe('A name of this run of the program, random.'),
});
export const enrolResponse = z.object({
  device: deviceId.describe('The name that it has from now on.'),
  certificate: z.string().describe('Its client certificate, PEM.'),
  authority: z
    .string()
    .describe("The certificate of the fleet's authority, PEM: what the hub is trusted by."),
  mqtt: z.string().describe('Where its MQTT session goes: `mqtts://HOST:PORT`.'),
  root: z.string().describe('TUF root metadata, JSON text: what downloads are trusted by.'),
});
export type EnrolResponse = z.infer<typeof enrolResponse>;

/** A device asks for its next certificate over mutual TLS: the one before says who it is, so the request holds a key alone. */
export const renewRequest = z.strictObject({
  csr: z.string().max(4096).describe('PKCS#10 signing request in PEM, of a new key.'),
});
export const renewResponse = z.object({
  certificate: z.string().max(8192).describe('The next client certificate, PEM.'),
});
