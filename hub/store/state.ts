import { deviceCommand, deviceReply } from '@adbreak/shared/contract/device-commands.js';
import { ROLES } from '@adbreak/shared/contract/http/access.js';
import { digest, MODEL_NAME, manifest, modelRef, VERSION } from '@adbreak/shared/contract/manifest.js';
import { desired, refusal, reported, streamId } from '@adbreak/shared/contract/messages.js';
import { OPERATOR_ROLES, operatorReply } from '@adbreak/shared/contract/operators.js';
import { z } from 'zod';
import type { Round } from '../evaluations/round.js';
import { rollout } from '../rollouts/rollout.js';
import type { TrainingJob } from '../training/job.js';
import type { HubTime } from './hub-time.js';

const instant = z.iso.datetime();
const count = z.int().nonnegative();

export const claim = z.object({
  hash: digest,
  device: z.string().nullable(),
  expires: instant,
  usedBy: z.string().nullable(),
  /** What was issued for it: the same request again gets the same answer. */
  certificate: z.string().nullable().default(null),
  /** What its device shall be from its enrolment on; what it was, or the usual, where nothing is said. */
  model: z.string().regex(MODEL_NAME).optional(),
  tags: z.record(z.string(), z.string()).optional(),
});
export const token = z.object({
  id: z.string(),
  hash: digest,
  role: z.enum(ROLES),
  created: instant,
  /** Absent of before tokens ended: it goes on until it is revoked. */
  expires: instant.optional(),
  revoked: instant.optional(),
});
/** Certificates of an operator that are remembered: a machine has one, and the next one beside it. */
export const KEPT_CERTIFICATES = 8;
/** A person's program or another machine that commands over MQTT. */
export const operator = z.object({
  name: z.string(),
  /** Asked at each command: it may have been lowered since the certificate was made. */
  role: z.enum(OPERATOR_ROLES),
  created: instant,
  /** Oldest first. */
  certificates: z
    .array(z.object({ fingerprint: digest, issued: instant, ends: instant, revoked: instant.nullable() }))
    .max(KEPT_CERTIFICATES),
});
/** What an operator's command came to, by its name: who sends it again hears the same. */
export const operatorCommandRow = z.object({
  /** SHA-256 of what it said. */
  said: digest,
  reply: operatorReply,
  /** From when on its name may be forgotten. */
  forget: instant,
});
/** A command to a device, until some time after its deadline. */
export const deviceCommandRow = z.object({
  device: z.string(),
  id: z.string(),
  who: z.string(),
  /** As it was asked for; `sent` is when. */
  command: deviceCommand,
  reply: deviceReply.nullable(),
});
/** Networks that are remembered of an account. */
export const KNOWN_NETWORKS = 5;
export const account = z.object({
  name: z.string(),
  role: z.enum(ROLES),
  /** By Argon2id, as a PHC string; null once it is removed. */
  password: z.string().max(200).nullable(),
  created: instant,
  /** When the password was set. */
  changed: instant,
  lastSignIn: instant.nullable(),
  /** Where its holder has signed in from, the newest first: strangers' wrong passwords do not keep them waiting. */
  networks: z.array(z.string()).max(KNOWN_NETWORKS),
  removed: instant.optional(),
});
export const session = z.object({
  /** Of its secret. */
  hash: digest,
  account: z.string(),
  begun: instant,
  /** When it was used, some minutes ago or less. */
  used: instant,
});
/** Rollouts that are remembered of a device that has left them: an agent keeps windows for weeks. */
export const ROLLOUTS_LEFT = 20;
/** Streams of a device's numbers that are remembered after another took their place. */
export const KEPT_STREAMS = 8;
export const device = z.object({
  id: z.string(),
  enrolled: instant,
  /** Where it was enrolled before that under this name: an agent that enrols anew keeps its spool. */
  firstEnrolled: instant.optional(),
  fingerprint: digest,
  /** When that certificate ends; null for one that a hub before renewals gave out. */
  certificateEnds: instant.nullable().default(null),
  /** The next certificate: given out, and not used yet. Until the device comes with it, the one before goes on. */
  renewal: z.object({ fingerprint: digest, ends: instant }).nullable().default(null),
  revoked: z.boolean(),
  tags: z.record(z.string(), z.string()),
  /** Channel, site and hardware, as its last report says. */
  slice: z.object({ channel: z.string(), site: z.string(), hardware: z.string() }).nullable().default(null),
  /** Site and channel as people have said them; its reports are taken as if they said so. */
  place: z.object({ site: z.string().max(60).optional(), channel: z.string().max(60).optional() }).optional(),
  model: z.string().regex(MODEL_NAME),
  /** What it shall run, as last published to it. */
  desired: desired.nullable(),
  /** Rollouts that it was given before, the newest first. */
  rolloutsLeft: z.array(z.string()).max(ROLLOUTS_LEFT).optional(),
  online: z.boolean(),
  /** Since when; absent where nobody knows: the hub was killed, or is of before this was written. */
  linkSince: instant.optional(),
  /** Its last session ended without a word: what the hub heard was its last will. */
  lost: z.literal(true).optional(),
  /** The version that its agent says it is; absent before it has said one. */
  agent: z.string().max(40).optional(),
  lastSeen: instant.nullable(),
  reported: reported.nullable(),
  /** Highest window sequence of its stream taken in: what comes again is a duplicate. */
  sequence: z.int().nonnegative(),
  /** The stream that it counts in; absent before an agent has named one. */
  stream: streamId.optional(),
  /** Those before it, oldest first: how far each came, and when another took its place. Its numbers began anew each time. */
  earlierStreams: z
    .array(z.object({ stream: streamId.nullable(), sequence: z.int().nonnegative(), ended: instant }))
    .max(KEPT_STREAMS)
    .optional(),
  /** By the gaps in the numbers of a stream; what was lost between two streams no number says. */
  missingWindows: z.int().nonnegative(),
  /** Those of them that no rollout has heard of yet. */
  untold: z.int().positive().optional(),
  /** Time between streams of which no rollout has heard yet. */
  untoldSeconds: z.number().nonnegative().optional(),
  refusedReports: z.int().nonnegative(),
  /** Why the newest of them was not taken, until a window is taken again. */
  refusal: refusal.optional(),
  /** A new card was enrolled under this name, and the rollouts that know the old one do not count its windows from one yet. */
  enrolledAnew: z.literal(true).optional(),
  /** A window of it ended in the future by the hub's clock: what both said then. It waits until they agree. */
  clock: z.object({ device: instant, hub: instant }).optional(),
  /** When the last window ended that was added to the hours. */
  watchedUntil: instant.optional(),
  /** The time that its newest windows share: when it begins, and how many episodes all of them have. */
  window: z.object({ start: instant, episodes: count }).optional(),
});

/** What a federated round found of a version; the round itself may be forgotten. */
const found = z.object({
  round: z.string(),
  at: instant,
  against: z.string(),
  devices: z.int().nonnegative(),
  episodes: z.int().nonnegative(),
  difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
});
export const version = z.object({
  manifest,
  status: z.enum(['available', 'quarantined']),
  registered: instant,
  wasProduction: z.boolean().default(false),
  evaluations: z.array(found).default([]),
  /** What people wrote down about it. */
  notes: z.string().max(4000).optional(),
  /** Out of sight: nothing can be promoted to it. */
  archived: z.boolean().optional(),
});
export const model = z.object({
  production: z.string().regex(VERSION).nullable(),
  versions: z.record(z.string(), version),
  /** What stays on another version than production, by slice (`channel=one`) or device (`device=pi-3`): a rollout left it behind. */
  exceptions: z.record(z.string(), modelRef).default({}),
  /** Names that people gave to versions. */
  aliases: z.record(z.string(), z.string().regex(VERSION)).optional(),
  /** Versions that were deleted: their numbers stay taken, and windows that name them are no lies. */
  deleted: z.record(z.string(), z.object({ digest, at: instant })).optional(),
  /** Exceptions that a person lifted since this version is in production, by the same names: who lifts one again hears that it is done. */
  lifted: z
    .record(z.string(), z.object({ version: modelRef, at: instant, who: z.string(), reason: z.string() }))
    .optional(),
});
export type Model = z.infer<typeof model>;

/** What a decision still has to do outside the database: written with it, carried out after it, until it is done. */
export const outboxEntry = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('supersede-siblings'), rollout: z.string() }),
  z.strictObject({ kind: z.literal('assign'), rollout: z.string() }),
  z.strictObject({ kind: z.literal('start-round'), rollout: z.string() }),
]);
export type OutboxEntry = z.infer<typeof outboxEntry>;

/** A rollout, and the number of the last event that its state has taken in. */
export const storedRollout = rollout.extend({ seen: count });
export type StoredRollout = z.infer<typeof storedRollout>;

/** Everything the hub remembers but what only grows: events, raw reports, rollups and the audit log. */
export interface HubState {
  /** By the hash of their token. */
  claims: Record<string, z.infer<typeof claim>>;
  tokens: z.infer<typeof token>[];
  /** By their names. */
  accounts: Record<string, z.infer<typeof account>>;
  /** By the hash of their secret. */
  sessions: Record<string, z.infer<typeof session>>;
  devices: Record<string, z.infer<typeof device>>;
  models: Record<string, Model>;
  rollouts: StoredRollout[];
  evaluations: Round[];
  /** By their key: of one rollout in the order in which they were decided. */
  outbox: Record<string, OutboxEntry>;
  operators: Record<string, z.infer<typeof operator>>;
  /** By the operator's name and the command's. */
  operatorCommands: Record<string, z.infer<typeof operatorCommandRow>>;
  /** By the device's name and the command's. */
  deviceCommands: Record<string, z.infer<typeof deviceCommandRow>>;
  /** Trainings on the hub's machine, in the order in which they were asked for. */
  trainingJobs: Record<string, TrainingJob>;
  /** Every desired state has a higher revision: devices may have seen this one of a hub that this one was restored from. */
  readonly revisionFloor: number;
  /** Null before a hub has looked at its clock. */
  readonly time: HubTime | null;
}

/** Devices, models and digests are looked up by names from outside: no such name may find what every object inherits. */
export function emptyState(): HubState {
  return {
    claims: own(),
    tokens: [],
    accounts: own(),
    sessions: own(),
    devices: own(),
    models: own(),
    rollouts: [],
    evaluations: [],
    outbox: own(),
    operators: own(),
    operatorCommands: own(),
    deviceCommands: own(),
    trainingJobs: own(),
    revisionFloor: 0,
    time: null,
  };
}
function own<T>(): Record<string, T> {
  return Object.create(null);
}
