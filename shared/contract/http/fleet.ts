import { z } from 'zod';
import { modelRef } from '../manifest.js';
import { deviceId, refusal, reported } from '../messages.js';
import { count, deviceParams, instant, modelName, share } from './common.js';
import { contract } from './contract.js';
import { MOST_TAGS, tag, tagValue } from './devices.js';

const name = z.string().min(1).max(60);
const place = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .refine((text) => !/\p{Cc}/u.test(text), 'must not hold control characters');
const few = (tags: object) => Object.keys(tags).length <= MOST_TAGS;

/** Devices that an answer of the list has at most. */
export const DEVICES_A_PAGE = 1000;
/** Lines of one call; a body has 64 KiB. */
export const CHANGES_A_CALL = 500;

/**
 * A device in a line: where it is, what it runs, and what is wrong with it. What it says itself may be old:
 * `link` says how old.
 */
export const deviceLine = z.object({
  id: z.string(),
  site: z.string().nullable(),
  channel: z.string().nullable(),
  hardware: z.string().nullable(),
  tags: z.record(z.string(), z.string()),
  model: modelName,
  revoked: z.boolean(),
  /** The version of its program, once it has said one. */
  agent: z.string().nullable(),
  link: z.object({
    /** `lost`: its session ended without a word; `never`: it has not come yet. */
    state: z.enum(['online', 'offline', 'lost', 'never']),
    /** Since when; null where the hub does not know. */
    since: instant.nullable(),
    lastSeen: instant.nullable(),
  }),
  versions: z.object({
    production: modelRef.nullable(),
    candidate: modelRef.nullable(),
    serving: modelRef.nullable(),
    shadow: modelRef.nullable(),
    slot: reported.shape.slot.nullable(),
    rollout: z.string().nullable(),
  }),
  certificate: z.object({ ends: instant, daysLeft: z.number() }).nullable(),
  /** Why it does not do what it shall, by its own word, and why the hub takes no report of it. */
  problem: z.object({ code: z.string(), message: z.string() }).nullable(),
  refusal: refusal.nullable(),
  refusedReports: count,
  missingWindows: count,
  /** Since when it is online and does not run what it shall. */
  behindSince: instant.nullable(),
  /** What is left of its quotas, and until when it is kept out for having used one up. */
  quotas: z.object({ messagesLeft: share, bytesLeft: share, barredSeconds: count }),
});
export type DeviceLine = z.infer<typeof deviceLine>;

const list = contract({
  method: 'GET',
  path: '/api/v1/devices',
  access: 'viewer',
  summary: 'The devices, in the order of their names, a page at a time.',
  more: 'Conditions are joined by and. `next` is what `after` takes for the next page.',
  query: z.strictObject({
    model: modelName.optional(),
    site: name.optional(),
    channel: name.optional(),
    hardware: name.optional(),
    tag: z.string().min(1).max(121).optional().describe('`ring`: has the tag; `ring:early`: has this value'),
    online: z.enum(['true', 'false']).optional(),
    after: deviceId.optional(),
    limit: z.coerce.number().int().min(1).max(DEVICES_A_PAGE).default(DEVICES_A_PAGE),
  }),
  answer: z.object({ devices: z.array(deviceLine), next: z.string().nullable() }),
});
const show = contract({
  method: 'GET',
  path: '/api/v1/devices/{id}',
  access: 'viewer',
  summary: 'A device: where it is, what it runs, and what is wrong with it.',
  params: deviceParams,
  answer: deviceLine,
});

/** Which devices: all conditions hold. A tag with null has any value. */
export const deviceFilter = z
  .strictObject({
    model: modelName.optional(),
    site: name.optional(),
    channel: name.optional(),
    hardware: name.optional(),
    tags: z.record(tag, tagValue.nullable()).refine(few, `at most ${MOST_TAGS} tags`).optional(),
    online: z.boolean().optional(),
  })
  .refine((where) => Object.keys(where).length > 0, 'must name a condition');
export type DeviceFilter = z.infer<typeof deviceFilter>;

/** What a device shall be; what is not named stays. */
const set = {
  model: modelName.optional().describe('The model whose production it shall run'),
  tags: z
    .record(tag, tagValue.nullable())
    .refine(few, `at most ${MOST_TAGS} tags at once`)
    .optional()
    .describe('Tags to add or change; null takes one away'),
  only_tags: z.boolean().optional().describe('These are all its tags: others are taken away'),
  site: place.nullable().optional().describe('In place of what its reports say; null: as they say'),
  channel: place.nullable().optional().describe('In place of what its reports say; null: as they say'),
};
const dry_run = z.boolean().default(false).describe('Say what would change, and change nothing');
export const deviceSet = z.strictObject(set);
export type DeviceSet = z.infer<typeof deviceSet>;

const standing = z.object({
  model: z.string(),
  tags: z.record(z.string(), z.string()),
  site: z.string().nullable(),
  channel: z.string().nullable(),
});
export const deviceChange = z.object({
  device: z.string(),
  before: standing,
  after: standing,
  /** The production version of its new model, where the model changes. */
  production: z.string().nullable(),
  /** The active rollout of the model before, which it leaves. */
  leaves: z.string().nullable(),
  online: z.boolean(),
});
export type DeviceChange = z.infer<typeof deviceChange>;
const refused = z.object({ device: z.string(), code: z.string(), message: z.string() });
const outcome = z.object({
  dry_run: z.boolean(),
  changed: z.array(deviceChange),
  unchanged: z.array(z.string()),
  /** Of a dry run alone: where there is one, the same call without dry_run changes nothing. */
  refused: z.array(refused),
});
export type DeviceOutcome = z.infer<typeof outcome>;

const change = contract({
  method: 'PATCH',
  path: '/api/v1/devices/{id}',
  access: 'operator',
  summary: 'Moves a device to another model, changes its tags, its site or its channel.',
  more: 'The device gets the production of its new model, and leaves the rollouts of the one before.',
  params: deviceParams,
  body: z.strictObject({ ...set, dry_run }),
  bodyIs: 'the change',
  answer: outcome,
});
const changes = contract({
  method: 'POST',
  path: '/api/v1/devices/changes',
  access: 'operator',
  summary: 'The same for many devices, by name or by what they have in common: all of it or nothing.',
  body: z.strictObject({
    changes: z
      .array(
        z
          .strictObject({ device: deviceId.optional(), where: deviceFilter.optional(), set: deviceSet })
          .refine(
            ({ device, where }) => (device === undefined) !== (where === undefined),
            'must name a device, or say which by `where`',
          ),
      )
      .min(1)
      .max(CHANGES_A_CALL),
    dry_run,
  }),
  bodyIs: 'the changes',
  answer: outcome,
});

export const fleet = { list, show, change, changes };
