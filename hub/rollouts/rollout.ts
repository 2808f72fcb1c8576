import { STATUSES } from '@adbreak/shared/contract/http/rollout-view.js';
import { MODEL_NAME, modelRef } from '@adbreak/shared/contract/manifest.js';
import { z } from 'zod';
import { drift } from './drift.js';
import { armLabels, evidence } from './evidence.js';
import { LIMITS } from './health.js';
import { plan } from './plan.js';
import { CAUSES, VERDICTS } from './verdicts.js';

const instant = z.iso.datetime();
export const ROLLOUT_ID = /^[a-z0-9][a-z0-9.-]{0,99}$/;

/** One decision of the gate, or one order of a person, with its reason. */
export const entry = z.object({
  at: instant,
  stage: z.string(),
  verdict: z.enum([...VERDICTS, 'ORDER']),
  cause: z.enum([...CAUSES, 'person']),
  reason: z.string(),
  episodes: z.int().nonnegative(),
  action: z.string(),
});
export type Entry = z.infer<typeof entry>;

/** What never changes about a rollout. */
export const rolloutHead = z.object({
  id: z.string().regex(ROLLOUT_ID),
  model: z.string().regex(MODEL_NAME),
  /** `rollback`: the version was in production before. */
  kind: z.enum(['rollout', 'rollback']),
  /** Candidates that are compared with the same production share a group; null alone. */
  group: z.string().nullable(),
  from: modelRef,
  to: modelRef,
  plan,
});

export const round = z.object({
  round: z.string(),
  low: z.number(),
  high: z.number(),
  devices: z.int().nonnegative(),
  episodes: z.int().nonnegative(),
  inconclusive: z.boolean(),
});

/** Where a device stands in a rollout: since which window it is a member, since which the candidate acts on it, and whether it ever did. */
const placement = z.object({ member: z.int(), acting: z.int().nullable(), acted: z.boolean() });

/** Devices that are judged apart: a device alone, or those of a slice. */
const apart = z.object({ at: instant, reason: z.string() });
/** `who`: a person has taken its evidence out, whatever it showed. */
const aside = apart.extend({ who: z.string().optional() });

/** What an ended rollout knew: its evidence may be forgotten, these numbers stay. */
const summary = z.object({
  episodes: z.number(),
  channels: z.int().nonnegative(),
  days: z.int().nonnegative(),
  devices: z.int().nonnegative(),
  wins: z.number(),
  losses: z.number(),
  open: z.number(),
  difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
  harm: z.number(),
  promotion: z.number(),
});
export type Summary = z.infer<typeof summary>;

export const rollout = rolloutHead.extend({
  /** It does not go beyond this share of devices until a person raises it. */
  ceiling: z.number().min(0).max(100),
  stage: z.int().nonnegative(),
  status: z.enum(STATUSES),
  startedAt: instant,
  stageSince: instant,
  /** Hours since then in which no hub ran, or that its clock has skipped: they count for nothing. */
  uncountedHours: z.number().default(0),
  /** When the stage began: distinct episodes of all devices, and of those on which the candidate acted. */
  before: z.object({ episodes: z.number().nonnegative(), acting: z.number().nonnegative() }),
  /** Windows that devices had sent when the stage began. */
  windowsBefore: z.record(z.string(), z.int().nonnegative()),
  approved: z.boolean(),
  round: round.nullable(),
  /** Devices that shall run the candidate at all, and those on which it acts. */
  members: z.array(z.string()),
  acting: z.array(z.string()),
  placed: z.record(z.string(), placement),
  /** Devices whose production is another version than the rollout's: what an earlier rollout left behind, by digest. */
  excepted: z.record(z.string(), z.string()),
  /** The exceptions when it began, by slice or device: they come back where it is taken back. */
  exceptions: z.record(z.string(), modelRef),
  /** Slices, and single devices, that stay on production while the rollout goes on. */
  excluded: z.record(z.string(), apart),
  setAside: z.record(z.string(), aside),
  /** What devices say that cannot run the candidate, by device. */
  failing: z.record(z.string(), z.string()),
  /** How often a limit has stopped it, and the one whose stop it has not gone on from since. */
  limitStops: z.int().nonnegative(),
  limitStanding: z.enum(LIMITS).nullable().default(null),
  /** Since when silence holds it. */
  silentSince: instant.nullable(),
  evidence,
  /** Production's labels and confidences before the rollout: what a change is told from. */
  baseline: armLabels.nullable(),
  drift,
  /** What was decided and why; waiting is recorded when its cause changes. */
  history: z.array(entry),
  last: entry.nullable(),
  /** Once it has ended. */
  summary: summary.nullable(),
});
export type Rollout = z.infer<typeof rollout>;
export type RoundOutcome = z.infer<typeof round>;

/** The candidate runs somewhere, acting or in shadow. */
export function isActive<T extends Pick<Rollout, 'status'>>(
  one: T,
): one is T & { readonly status: 'running' | 'paused' | 'suspended' | 'watching' } {
  return (
    one.status === 'running' ||
    one.status === 'paused' ||
    one.status === 'suspended' ||
    one.status === 'watching'
  );
}

/** Share of devices on which the candidate acts now. */
export function percentOf({
  status,
  plan: rules,
  stage,
}: Pick<Rollout, 'status' | 'plan' | 'stage'>): number {
  if (status === 'watching') return 100;
  return status === 'running' || status === 'paused' ? (rules.stages[stage]?.percent ?? 0) : 0;
}
