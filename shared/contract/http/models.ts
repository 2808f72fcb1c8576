import { z } from 'zod';
import { manifest, modelRef } from '../manifest.js';
import {
  anyReason,
  count,
  difference,
  instant,
  modelName,
  newAlias,
  newModel,
  version,
  versionParams,
} from './common.js';
import { contract } from './contract.js';
import { askedPlan } from './plan.js';
import { rolloutView, STATUSES } from './rollout-view.js';

/** What a federated round found of a version; the round itself may be forgotten. */
const found = z.object({
  round: z.string(),
  at: instant,
  against: z.string(),
  devices: count,
  episodes: count,
  difference: difference.nullable(),
});
export const registeredVersion = z.object({
  manifest,
  status: z.enum(['available', 'quarantined']),
  registered: instant,
  wasProduction: z.boolean(),
  evaluations: z.array(found),
  notes: z.string().optional(),
  archived: z.boolean().optional(),
});
/** A model with all that the registry has of it. */
export const modelView = z.object({
  production: version.nullable(),
  versions: z.record(z.string(), registeredVersion),
  /** What stays on another version than production, by slice (`channel=one`) or device (`device=pi-3`). */
  exceptions: z.record(z.string(), modelRef),
  /** Names that people gave to versions. */
  aliases: z.record(z.string(), version).optional(),
  /** Versions that are gone; nothing else ever gets their numbers. */
  deleted: z.record(z.string(), z.object({ digest: z.string(), at: instant })).optional(),
  lifted: z
    .record(z.string(), z.object({ version: modelRef, at: instant, who: z.string(), reason: z.string() }))
    .optional(),
});

/**
 * A version in the words of a promote call: `production` on all devices, `canary` while a rollout tries it,
 * `available` or `quarantined` (rolled back) otherwise.
 */
const versionLine = z.object({
  version,
  status: z.enum(['production', 'canary', 'available', 'quarantined']),
  is_production: z.boolean(),
  /** Share of the devices on which it acts now, percent. */
  rollout_percentage: z.number().min(0).max(100),
  registered: instant,
  digest: z.string(),
  bytes: count,
  aliases: z.array(z.string()),
  /** What people should know of it; empty where nobody has written anything. */
  notes: z.string(),
  /** Out of sight: nothing can be promoted to it. */
  archived: z.boolean(),
});
export type VersionLine = z.infer<typeof versionLine>;
const modelLine = z.object({
  name: modelName,
  production: version.nullable(),
  /** The rollout of the model that is active. */
  rollout: z.object({ id: z.string(), version, status: z.enum(STATUSES), percent: z.number() }).nullable(),
});

/** Where a version comes from, as far as its manifest and the hub's memory know. */
const lineage = z.object({
  architecture: z.string(),
  weights: z.string(),
  made: instant,
  /** The rollouts that tried it, oldest first, and the version that each began from. */
  rollouts: z.array(z.object({ id: z.string(), from: z.string(), status: z.enum(STATUSES) })),
});

const list = contract({
  method: 'GET',
  path: '/api/v1/models',
  access: 'viewer',
  summary: 'The models of the registry.',
  answer: z.object({ models: z.array(modelLine.extend({ versions: z.array(version) })) }),
});
const show = contract({
  method: 'GET',
  path: '/api/v1/models/{name}',
  access: 'viewer',
  summary: 'A model and its versions, the newest registered first.',
  params: z.object({ name: modelName }),
  answer: modelLine.extend({
    versions: z.array(versionLine),
    exceptions: z.record(z.string(), modelRef),
  }),
});
const showVersion = contract({
  method: 'GET',
  path: '/api/v1/models/{name}/versions/{version}',
  access: 'viewer',
  summary: 'A version, or the one in production.',
  params: versionParams,
  answer: versionLine.extend({
    model_name: modelName,
    was_production: z.boolean(),
    manifest,
    evaluations: z.array(found),
    lineage,
  }),
});
const alias = contract({
  method: 'PUT',
  path: '/api/v1/models/{name}/aliases/{alias}',
  access: 'operator',
  summary: 'Gives a version a name, moves the name to another one, or takes it away (null).',
  more: 'It moves no device: what runs where is a rollout’s to change.',
  params: z.object({ name: modelName, alias: newAlias }),
  body: z.strictObject({ version: version.nullable() }),
  bodyIs: 'the alias',
  answer: z.object({ model_name: modelName, alias: z.string(), version: version.nullable() }),
});
const note = contract({
  method: 'PUT',
  path: '/api/v1/models/{name}/versions/{version}/notes',
  access: 'operator',
  summary: 'What people should know about a version; it takes the place of what was there.',
  params: versionParams,
  body: z.strictObject({ notes: z.string().trim().max(4000) }),
  bodyIs: 'the notes',
  answer: z.object({ model_name: modelName, version, notes: z.string() }),
});
const archive = contract({
  method: 'PUT',
  path: '/api/v1/models/{name}/versions/{version}/archived',
  access: 'operator',
  summary: 'Puts a version out of sight, or back; nothing that is at work or that a rollback needs.',
  params: versionParams,
  body: z.strictObject({ archived: z.boolean() }),
  bodyIs: 'the archiving',
  answer: z.object({ model_name: modelName, version, archived: z.boolean() }),
});
const remove = contract({
  method: 'POST',
  path: '/api/v1/models/{name}/versions/{version}/delete',
  access: 'admin',
  doing: 'deleting a version',
  summary: 'Deletes a version and its file; nothing that is at work or that a rollback needs.',
  more: 'Its number stays taken, and devices that run it go on.',
  params: z.object({ name: modelName, version }),
  body: z.strictObject({ reason: anyReason }),
  bodyIs: 'the deletion',
  answer: z.object({ model_name: modelName, version, digest: z.string() }),
});
const upload = contract({
  method: 'PUT',
  path: '/api/v1/models/{name}/versions/{version}',
  access: 'operator',
  summary: 'Registers a version: the manifest that `adbreak train` wrote, and the model file it describes.',
  more: 'Versions never change: a number that exists already is refused.',
  params: z.object({ name: newModel, version }),
  form: { manifest: 'manifest.json', model: 'model.tflite, 256 MiB at most' },
  answer: z.object({ name: modelName, version, digest: z.string() }),
  status: 201,
});
/**
 * What the words of the guide's scripts ask for; hub/http/promotion.ts makes a plan and a ceiling of them. A word that is
 * mistyped is refused: without it a canary would go to all.
 */
const promotion = z.strictObject({
  is_production: z
    .boolean()
    .optional()
    .describe('true: it may go on to all devices, through its gates, whatever the percentage says'),
  status: z
    .enum(['production', 'canary'])
    .default('production')
    .describe('canary: the plan gets a stage of rollout_percentage, and goes no further by itself'),
  rollout_percentage: z
    .number()
    .gt(0)
    .max(100)
    .optional()
    .describe('share of the devices that it may go to; all of them, or the first canary of the plan'),
  plan: askedPlan,
  supersede: z.boolean().default(false).describe('ends the rollout of another version that is running'),
});
export type Promotion = z.infer<typeof promotion>;
const promote = contract({
  method: 'POST',
  path: '/api/v1/models/{name}/versions/{version}/promote',
  access: 'operator',
  summary: 'Rolls a version out through its gates.',
  more: 'The first version of a model is in production at once. A second call for a version that is being rolled out raises the share it may go to.',
  params: versionParams,
  body: promotion,
  bodyIs: 'the promote call',
  answer: z.object({
    model_name: modelName,
    version: z.string(),
    rollout: rolloutView.nullable(),
    production: version.nullable(),
  }),
});
const download = contract({
  method: 'GET',
  path: '/api/v1/models/{name}/versions/{version}/download',
  access: 'viewer',
  summary: 'The model file of a version, or of the one in production.',
  more: 'Its ETag is the SHA-256 of the file.',
  params: versionParams,
  answer: { media: 'application/octet-stream', holds: 'a TFLite model', ranges: true },
});
const showManifest = contract({
  method: 'GET',
  path: '/api/v1/models/{name}/versions/{version}/manifest',
  access: 'viewer',
  summary: 'What a device must know to run the model file of a version, or of the one in production.',
  params: versionParams,
  answer: manifest,
});

export const models = {
  list,
  show,
  showVersion,
  upload,
  promote,
  download,
  manifest: showManifest,
  alias,
  note,
  archive,
  remove,
};
