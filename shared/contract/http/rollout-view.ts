import { z } from 'zod';
import { modelRef } from '../manifest.js';
import { count, difference, instant } from './common.js';
import { planView } from './plan.js';

const ids = z.array(z.string());
const amount = z.number().nonnegative();

/**
 * One look of the gate, or one order of a person. docs/operations/rollouts.md says what verdicts and causes
 * mean.
 */
export const decision = z.object({
  at: instant,
  stage: z.string(),
  verdict: z.string(),
  cause: z.string(),
  reason: z.string(),
  episodes: count,
  action: z.string(),
});

/** What one device has contributed: its own counts, not averaged. */
const deviceEvidence = z.object({
  episodes: count,
  wins: amount,
  losses: amount,
  open: amount,
  windows: count,
  waiting: count,
  cluster: z.string(),
  control: z.object({ asked: count, answered: count, wrong: count }),
});
const apart = z.object({ at: instant, reason: z.string() });
/** `who`: a person has taken its evidence out, whatever it showed. */
const aside = apart.extend({ who: z.string().optional() });

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

/** A rollout for people: without the bulk that only the gate needs. */
export const rolloutView = z.object({
  id: z.string(),
  model: z.string(),
  kind: z.enum(['rollout', 'rollback']),
  group: z.string().nullable(),
  from: modelRef,
  to: modelRef,
  plan: planView,
  /** It does not go beyond this share of devices, percent, until a person raises it. */
  ceiling: z.number().min(0).max(100),
  stage: count,
  stageName: z.string(),
  status: z.enum(STATUSES),
  /** Share of devices on which the candidate acts now. */
  percent: z.number().min(0).max(100),
  startedAt: instant,
  stageSince: instant,
  before: z.object({ episodes: amount, acting: amount }),
  approved: z.boolean(),
  round: z
    .object({
      round: z.string(),
      low: z.number(),
      high: z.number(),
      devices: count,
      episodes: count,
      inconclusive: z.boolean(),
    })
    .nullable(),
  members: ids,
  acting: ids,
  excepted: z.record(z.string(), z.string()),
  exceptions: z.record(z.string(), modelRef),
  excluded: z.record(z.string(), apart),
  setAside: z.record(z.string(), aside),
  failing: z.record(z.string(), z.string()),
  limitStops: count,
  limitStanding: z.enum(['crashes', 'latency', 'memory', 'failures']).nullable(),
  silentSince: instant.nullable(),
  /** By device. */
  evidence: z.record(z.string(), deviceEvidence),
  episodes: count,
  /**
   * The candidate's difference as of the gate's last look, share of episodes; null where nothing is known of
   * it.
   */
  difference: difference.nullable(),
  history: z.array(decision),
  last: decision.nullable(),
  summary: z
    .object({
      episodes: z.number(),
      channels: count,
      days: count,
      devices: count,
      wins: z.number(),
      losses: z.number(),
      open: z.number(),
      difference: difference.nullable(),
      harm: z.number(),
      promotion: z.number(),
    })
    .nullable(),
});
