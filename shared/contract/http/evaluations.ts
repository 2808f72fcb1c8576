import { z } from 'zod';
import { ROUND_ID, roundRequest } from '../rounds.js';
import { count, difference, instant, modelName, version } from './common.js';
import { contract } from './contract.js';

/** A share with its interval, and the devices and episodes behind it. */
const arm = z
  .object({
    micro: z.number(),
    low: z.number(),
    high: z.number(),
    devices: z.number(),
    episodes: z.number(),
    /** Mean of the devices' own shares, where single devices are known. */
    deviceMean: z.number().nullable(),
  })
  .nullable();
/**
 * What a round tells: below its quorum it is inconclusive and shows no estimate. docs/statistics.md,
 * "Federated rounds".
 */
const result = z.object({
  asked: count,
  answered: z.number(),
  unit: z.enum(['channel', 'device']),
  episodes: z.number(),
  inconclusive: z.boolean(),
  notes: z.array(z.string()),
  production: arm,
  candidate: arm,
  difference: difference.nullable(),
  slices: z.record(z.string(), z.object({ devices: count, production: arm, candidate: arm })),
  worst: z.object({ devices: z.array(z.string()), difference: z.number().nullable() }).nullable(),
  sources: z.object({ operator: count, button: count, rule: count }).nullable(),
  ageHours: z.object({ youngest: z.number(), oldest: z.number() }).nullable(),
});

/** A federated round with its result; single devices' answers stay inside. */
export const evaluationView = z.object({
  id: z.string(),
  model: z.string(),
  request: roundRequest,
  started: instant,
  who: z.string(),
  quorum: count,
  /** A cell of the result is shown only with so many devices behind it. */
  minDevices: count,
  /** The rollout whose gate waits for it; null by hand. */
  rollout: z.string().nullable(),
  status: z.enum(['open', 'closed', 'cancelled']),
  closed: instant.nullable(),
  /** What went wrong with it: it is inconclusive then. */
  trouble: z.string().nullable(),
  told: z.boolean(),
  asked: z.array(z.string()),
  answered: z.array(z.string()),
  result,
});

const params = z.object({ id: z.string().regex(ROUND_ID) });
const names = z.array(z.string().min(1).max(60)).min(1).max(50);

const start = contract({
  method: 'POST',
  path: '/api/v1/evaluations',
  access: 'operator',
  summary: 'Asks devices what two versions make of the frames that were labelled on them.',
  body: z.strictObject({
    model: modelName,
    candidate: version,
    against: version.optional(),
    where: z
      .strictObject({
        channel: names.optional(),
        site: names.optional(),
        hardware: names.optional(),
        tags: z.record(z.string(), z.string()).optional(),
      })
      .optional(),
    quorum: z.int().min(2).max(1_000_000).default(10),
    hours: z
      .number()
      .positive()
      .max(24 * 60)
      .default(24),
    /**
     * A cell is shown only with so many devices behind it; a small site says a smaller number, knowing what
     * it does.
     */
    min_devices: z.int().min(1).max(1000).default(10),
    secure: z.boolean().default(false),
    epsilon: z.number().gt(0).max(100).nullable().default(null),
  }),
  bodyIs: 'the round',
  answer: evaluationView,
  status: 201,
});
const list = contract({
  method: 'GET',
  path: '/api/v1/evaluations',
  access: 'viewer',
  summary: 'Federated rounds and what they found.',
  answer: z.object({ evaluations: z.array(evaluationView) }),
});
const show = contract({
  method: 'GET',
  path: '/api/v1/evaluations/{id}',
  access: 'viewer',
  summary: 'A federated round, also as text.',
  params,
  answer: evaluationView.extend({ text: z.string() }),
});
const cancel = contract({
  method: 'POST',
  path: '/api/v1/evaluations/{id}/cancel',
  access: 'operator',
  summary: 'Ends a round before its time.',
  params,
  answer: evaluationView,
});

export const evaluations = { start, list, show, cancel };
