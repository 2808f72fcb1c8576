import { digest, MODEL_NAME, manifest, modelRef, VERSION } from '@adbreak/shared/contract/manifest.js';
import { desired, reported } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import { round } from '../evaluations/round.js';
import { modelHours } from '../monitoring/hours.js';
import { rollout } from '../rollouts/rollout.js';

const instant = z.iso.datetime();
const count = z.int().nonnegative();
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const claim = z.object({
  hash: digest,
  device: z.string().nullable(),
  expires: instant,
  usedBy: z.string().nullable(),
  /** What was issued for it: the same request again gets the same answer. */
  certificate: z.string().nullable().default(null),
});
const token = z.object({ id: z.string(), hash: digest, role: z.enum(ROLES), created: instant });
const device = z.object({
  id: z.string(),
  enrolled: instant,
  fingerprint: digest,
  /** When that certificate ends; null for one that a hub before renewals gave out. */
  certificateEnds: instant.nullable().default(null),
  /** The next certificate: given out, and not used yet. Until the device comes with it, the one before goes on. */
  renewal: z.object({ fingerprint: digest, ends: instant }).nullable().default(null),
  revoked: z.boolean(),
  tags: z.record(z.string(), z.string()),
  /** Channel, site and hardware, as its last report says. */
  slice: z.object({ channel: z.string(), site: z.string(), hardware: z.string() }).nullable().default(null),
  model: z.string().regex(MODEL_NAME),
  /** What it shall run, as last published to it. */
  desired: desired.nullable(),
  online: z.boolean(),
  lastSeen: instant.nullable(),
  reported: reported.nullable(),
  /** Highest window sequence taken in: what comes again is a duplicate. */
  sequence: z.int().nonnegative(),
  missingWindows: z.int().nonnegative(),
  refusedReports: z.int().nonnegative(),
  /** A new card was enrolled under this name, and the rollouts that know the old one do not count its windows from one yet. */
  enrolledAnew: z.literal(true).optional(),
  /** A window of it ended in the future by the hub's clock: what both said then. It waits until they agree. */
  clock: z.object({ device: instant, hub: instant }).optional(),
  /** When the last window ended that was added to the hours. */
  watchedUntil: instant.optional(),
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
const version = z.object({
  manifest,
  status: z.enum(['available', 'quarantined']),
  registered: instant,
  wasProduction: z.boolean().default(false),
  evaluations: z.array(found).default([]),
});
const model = z.object({
  production: z.string().regex(VERSION).nullable(),
  versions: z.record(z.string(), version),
  /** What stays on another version than production, by slice (`channel=one`) or device (`device=pi-3`): a rollout left it behind. */
  exceptions: z.record(z.string(), modelRef).default({}),
  /** Exceptions that a person lifted since this version is in production, by the same names: who lifts one again hears that it is done. */
  lifted: z.record(z.string(), z.object({ version: modelRef, at: instant, who: z.string(), reason: z.string() })).optional(),
});
export type Model = z.infer<typeof model>;

/** What a decision still has to do outside the state; carried out after it is on disk, again at the next look where that failed. */
const PENDING = ['supersede-siblings', 'assign', 'start-round'] as const;
export type Pending = (typeof PENDING)[number];
const storedRollout = rollout.extend({
  /** Bytes of its event log that this state has seen; what comes after them is applied at the next start. Null in a state that was written before positions were kept. */
  seen: count.nullable().default(null),
  pending: z.array(z.enum(PENDING)).default([]),
});
export type StoredRollout = z.infer<typeof storedRollout>;

/** Everything the hub remembers, in one document. */
export const hubState = z.object({
  schema: z.literal(3),
  claims: z.array(claim),
  tokens: z.array(token),
  devices: z.record(z.string(), device),
  models: z.record(z.string(), model),
  rollouts: z.array(storedRollout),
  evaluations: z.array(round),
  /** Hourly histograms by model digest. */
  hours: z.record(z.string(), modelHours),
});
export type HubState = z.infer<typeof hubState>;

export function emptyState(): HubState {
  return ownNames({ schema: 3, claims: [], tokens: [], devices: {}, models: {}, rollouts: [], evaluations: [], hours: {} });
}

/** Devices, models and digests are looked up by names from outside: no such name may find what every object inherits. */
export function ownNames(state: HubState): HubState {
  const own = <T>(entries: Record<string, T>): Record<string, T> => Object.assign(Object.create(null), entries);
  return { ...state, devices: own(state.devices), models: own(state.models), hours: own(state.hours) };
}

/** The state as 0.1.0 wrote it: its rollouts had no events and no drift, and nothing was evaluated. */
const first = z.looseObject({ schema: z.literal(1), rollouts: z.array(z.unknown()) });
/** The state with rollouts of the first gate. */
const second = z.looseObject({ schema: z.literal(2), rollouts: z.array(z.unknown()) });
/**
 * Null for a state of today's schema. Rollouts of an earlier form end here, for what they gathered knew no channels; devices
 * go on with production, and the event logs stay, to be audited by the gate that wrote them.
 */
export function migrate(value: unknown): unknown {
  const oldest = first.safeParse(value);
  if (oldest.success) return { ...oldest.data, schema: 3, rollouts: [], evaluations: [], hours: {} };
  const read = second.safeParse(value);
  return read.success ? { ...read.data, schema: 3, rollouts: [] } : null;
}
