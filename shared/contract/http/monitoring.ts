import { z } from 'zod';
import { anyVersion, count, deviceParams, instant, modelName, modelParams, share } from './common.js';
import { contract } from './contract.js';

/** So many days are read for one call; `until` leads to earlier ones. */
const MOST_DAYS = 100;
const milliseconds = z.number().nonnegative().nullable();

/**
 * What a model did in a time, over all channels and hardware that were asked for; null where nothing was
 * seen.
 */
export const summarySchema = z.object({
  /** By channel and hardware: a device that moved counts in both. */
  devices: count,
  windows: count,
  missing: count,
  episodes: count,
  inferences: count,
  /** Mean of max(p, 1 - p), and episodes by 64ths of p(ad). */
  confidence: z.object({ mean: share.nullable(), histogram: z.array(count) }),
  /** Quantiles are upper ends of buckets, each 19 % wider than the one before. */
  latency: z.object({ mean: milliseconds, p50: milliseconds, p95: milliseconds, p99: milliseconds }),
  frames: count,
  adFrames: count,
  adRate: share.nullable(),
  dropped: count,
  restarts: count,
  labelled: z.object({ episodes: count, accuracy: share.nullable() }),
});
export type Summary = z.infer<typeof summarySchema>;

const date = z.iso.date();
const period = {
  days: z.coerce.number().int().min(1).max(MOST_DAYS).default(7),
  /** The last day, UTC; today where it is left out. */
  until: date.optional(),
};
const modelQuery = z.strictObject({
  version: anyVersion.default('production'),
  channel: z.string().max(60).optional(),
  hardware: z.string().max(60).optional(),
});
const day = { day: z.string() };

/** The four numbers of a version: means over what devices counted, null where nothing was seen. */
const metrics = {
  avg_inference_time_ms: milliseconds,
  /** Mean of max(p, 1 - p) over episodes. */
  avg_confidence: share.nullable(),
  total_inferences: count,
  /** Share of the frames that were told to be advertisements. */
  ad_detection_rate: share.nullable(),
};

const performance = contract({
  method: 'GET',
  path: '/api/v1/monitoring/models/{name}/performance',
  access: 'viewer',
  summary: 'What a version did in the last days: latency, confidence, inferences, share of advertisements.',
  params: modelParams,
  query: modelQuery.extend(period),
  answer: z.object({
    model_name: modelName,
    version: z.string(),
    period_days: count,
    metrics: z.object(metrics),
    // The same once more, for who reads the answer as it was before `metrics`.
    ...metrics,
  }),
});
const days = contract({
  method: 'GET',
  path: '/api/v1/monitoring/models/{name}/days',
  access: 'viewer',
  summary: 'A summary of a version for each day (UTC).',
  params: modelParams,
  query: modelQuery.extend(period),
  answer: z.object({ model: modelName, version: z.string(), days: z.array(summarySchema.extend(day)) }),
});
const hours = contract({
  method: 'GET',
  path: '/api/v1/monitoring/models/{name}/hours',
  access: 'viewer',
  summary: 'A summary of a version for each hour of a day (UTC).',
  params: modelParams,
  query: modelQuery.extend({ day: date.optional() }),
  answer: z.object({
    model: modelName,
    version: z.string(),
    hours: z.array(summarySchema.extend({ hour: instant })),
  }),
});
const deviceDays = contract({
  method: 'GET',
  path: '/api/v1/monitoring/devices/{id}/days',
  access: 'viewer',
  summary: 'What a device sent and owed, by day (UTC); days without a window are left out.',
  params: deviceParams,
  query: z.strictObject(period),
  answer: z.object({
    device: z.string(),
    days: z.array(
      z.object({
        ...day,
        windows: count,
        owed: count,
        episodes: count,
        frames: count,
        adFrames: count,
        dropped: count,
        restarts: count,
        downloadFailures: count,
        memoryMb: count,
        refused: z.object({ old: count, twice: count, unknown: count, series: count }),
        series: z.array(
          z.object({
            digest: z.string(),
            channel: z.string(),
            hardware: z.string(),
            /** Of the day, in which its windows began. */
            hours: z.array(count),
          }),
        ),
      }),
    ),
  }),
});

/** Not answered yet: nothing here would say what it means. */
const drift = contract({
  method: 'GET',
  path: '/api/v1/monitoring/models/{name}/drift',
  access: 'viewer',
  summary: 'Whether the world changed under a version. Not answered yet (501).',
  params: modelParams,
  answer: z.object({
    drift_detected: z.boolean(),
    drift_metrics: z.object({ confidence_drift: z.number(), ad_rate_drift: z.number() }),
  }),
});
const health = contract({
  method: 'GET',
  path: '/api/v1/monitoring/models/{name}/health',
  access: 'viewer',
  summary: 'One word for how a version does. Not answered yet (501).',
  params: modelParams,
  answer: z.object({
    status: z.enum(['healthy', 'warning', 'critical']),
    health_score: z.number(),
    issues: z.array(z.string()),
    recommendations: z.array(z.string()),
  }),
});

export const monitoring = { performance, days, hours, deviceDays, drift, health };
