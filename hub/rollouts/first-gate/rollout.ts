import { MODEL_NAME, modelRef } from '@adbreak/shared/contract/manifest.js';
import { z } from 'zod';
import { drift } from './drift.js';
import { armLabels, evidence } from './evidence.js';
import { CAUSES, VERDICTS } from './gate.js';
import { plan } from './plan.js';

const instant = z.iso.datetime();
export const ROLLOUT_ID = /^[a-z0-9][a-z0-9.-]{0,79}$/;

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

export const STATUSES = [
  'running',
  'paused',
  'suspended',
  'watching',
  'completed',
  'rolled-back',
  'aborted',
  'superseded',
] as const;
export const rollout = rolloutHead.extend({
  /** It does not go beyond this share of devices until a person raises it. */
  ceiling: z.number().min(0).max(100),
  stage: z.int().nonnegative(),
  status: z.enum(STATUSES),
  startedAt: instant,
  stageSince: instant,
  /** Episodes decided when the stage began: by all devices, and by those on which the candidate acted. */
  before: z.object({ decided: z.int().nonnegative(), acting: z.int().nonnegative() }),
  /** Windows that acting devices had sent when the stage began: who has not sent more is silent. */
  windowsBefore: z.record(z.string(), z.int().nonnegative()),
  approved: z.boolean(),
  round: round.nullable(),
  /** Devices that shall run the candidate at all, and those on which it acts. */
  members: z.array(z.string()),
  acting: z.array(z.string()),
  /** What devices say that cannot run the candidate, by device. */
  failing: z.record(z.string(), z.string()),
  evidence,
  /** Production's labels and confidences before the rollout: what a change is told from. */
  baseline: armLabels.nullable(),
  drift,
  /** What was decided and why; waiting is recorded when its cause changes. */
  history: z.array(entry),
  last: entry.nullable(),
});
export type Rollout = z.infer<typeof rollout>;

/** The candidate runs somewhere, acting or in shadow. */
export function isActive({ status }: Pick<Rollout, 'status'>): boolean {
  return status === 'running' || status === 'paused' || status === 'suspended' || status === 'watching';
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
