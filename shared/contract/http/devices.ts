import { z } from 'zod';
import { desired, event, refusal, reported } from '../messages.js';
import { count, deviceParams, instant, modelName, newDevice, reason } from './common.js';
import { contract } from './contract.js';

/** A device as the hub knows it. */
export const deviceView = z.object({
  id: z.string(),
  enrolled: instant,
  firstEnrolled: instant.optional(),
  certificateEnds: instant.nullable(),
  revoked: z.boolean(),
  tags: z.record(z.string(), z.string()),
  /** Channel, site and hardware, as its last report says. */
  slice: z.object({ channel: z.string(), site: z.string(), hardware: z.string() }).nullable(),
  /** Site and channel as people have said them. */
  place: z.object({ site: z.string().optional(), channel: z.string().optional() }).optional(),
  model: z.string(),
  /** What it shall run, and what it says that it runs. */
  desired: desired.nullable(),
  /** Rollouts that it was given before, the newest first. */
  rolloutsLeft: z.array(z.string()).optional(),
  reported: reported.nullable(),
  online: z.boolean(),
  linkSince: instant.optional(),
  lost: z.literal(true).optional(),
  agent: z.string().optional(),
  lastSeen: instant.nullable(),
  /** Highest window number of its stream, the stream, and those before it. */
  sequence: count,
  stream: z.string().optional(),
  earlierStreams: z
    .array(z.object({ stream: z.string().nullable(), sequence: count, ended: instant }))
    .optional(),
  missingWindows: count,
  untold: count.optional(),
  untoldSeconds: z.number().optional(),
  refusedReports: count,
  refusal: refusal.optional(),
  enrolledAnew: z.literal(true).optional(),
  clock: z.object({ device: instant, hub: instant }).optional(),
  watchedUntil: instant.optional(),
  /** The time that its newest windows share, and how many episodes they have together. */
  window: z.object({ start: instant, episodes: count }).optional(),
  /** Since when it does not run what it shall; null where it does. */
  behindSince: instant.nullable(),
});
export const deviceEvent = z.object({ device: z.string(), event });

export const tag = z
  .string()
  .regex(/^[a-z0-9_-]{1,60}$/, 'must be lower-case letters, digits, dashes and underscores');
export const tagValue = z.string().min(1).max(60);
export const MOST_TAGS = 50;
const few = (tags: object) => Object.keys(tags).length <= MOST_TAGS;
const deviceTags = z.strictObject({
  tags: z.record(tag, tagValue).refine(few, `a device has at most ${MOST_TAGS} tags`),
});

const claim = contract({
  method: 'POST',
  path: '/api/v1/claims',
  access: 'operator',
  summary: 'Makes claim tokens for cards; each is shown once.',
  // A word that is mistyped must not make a claim for any device.
  body: z.strictObject({
    /** For this device alone; for any where nothing is said. */
    device: newDevice.nullable().default(null),
    hours: z
      .number()
      .positive()
      .max(24 * 366)
      .default(72),
    count: z.int().min(1).max(1000).default(1),
    /** What its device shall be from its enrolment on; where nothing is said, what it was, or the usual. */
    model: modelName.optional(),
    tags: deviceTags.shape.tags.optional(),
  }),
  bodyIs: 'the claim',
  answer: z.object({ tokens: z.array(z.string()), expires: instant }),
  status: 201,
});
const revoke = contract({
  method: 'POST',
  path: '/api/v1/devices/{id}/revoke',
  access: 'operator',
  summary: 'Ends a device’s identity and its session, and takes its evidence out of the rollouts that run.',
  params: deviceParams,
  answer: z.object({ id: z.string(), revoked: z.literal(true) }),
});

const ids = z.array(z.string());
const exclude = contract({
  method: 'POST',
  path: '/api/v1/devices/{id}/exclude',
  access: 'operator',
  summary:
    'Takes a device’s evidence out of the rollouts that run, what it gave before too; it stays on production.',
  params: deviceParams,
  body: z.strictObject({
    reason,
    /** Out of this one alone; out of each that has the device where nothing is said. */
    rollout: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,99}$/)
      .optional(),
  }),
  bodyIs: 'the exclusion',
  /** The rollouts that it was taken out of now, and those where it was out already. */
  answer: z.object({ id: z.string(), excluded: ids, already: ids }),
});

const tagged = z.object({ id: z.string(), tags: z.record(z.string(), z.string()) });
const setTags = contract({
  method: 'PUT',
  path: '/api/v1/devices/{id}/tags',
  access: 'operator',
  summary: 'Replaces a device’s tags; stages of a plan may reach a device by them.',
  params: deviceParams,
  body: deviceTags,
  bodyIs: 'the tags',
  answer: tagged,
});
const changeTags = contract({
  method: 'PATCH',
  path: '/api/v1/devices/{id}/tags',
  access: 'operator',
  summary: 'Changes the tags that are named, and takes one away where the value is null.',
  params: deviceParams,
  body: z.strictObject({
    tags: z.record(tag, tagValue.nullable()).refine(few, `at most ${MOST_TAGS} tags at once`),
  }),
  bodyIs: 'the tags',
  answer: tagged,
});

export const devices = { claim, revoke, exclude, setTags, changeTags };
