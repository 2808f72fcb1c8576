import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import type { Tracker } from '../ports.js';
import { guarded, type Watch } from './guard.js';
import { mlflow } from './mlflow.js';
import { addressOf } from './mlflow-address.js';
import { tensorBoard } from './tensorboard.js';

const text = (longest: number) => z.string().trim().min(1).max(longest);

const mlflowSchema = z.strictObject({
  enabled: z.boolean(),
  /** Where `mlflow server` answers, with the path it stands under, if any. */
  url: z.url({ protocol: /^https?$/ }).max(2000),
  experiment: text(500),
  /** What the newest registered version is called; MLflow keeps `latest` and v1, v2, … for itself. */
  alias: z
    .string()
    .regex(/^(?!latest$|v\d+$)[\w-]{1,255}$/i, 'it must be letters, digits, _ and -, and not latest or v1'),
  /** PEM: of the authority that the server's certificate is from; null: one that Node knows. */
  ca: text(4096).nullable(),
});

/** `tracking` of a training's configuration. */
export const trackingSchema = z.strictObject({
  tensorboard: z.strictObject({ enabled: z.boolean(), path: text(4096) }),
  mlflow: mlflowSchema,
});
export type Tracking = z.infer<typeof trackingSchema>;

/** What holds where a configuration says nothing: nothing is followed. */
export const DEFAULT_TRACKING: Tracking = {
  tensorboard: { enabled: false, path: 'logs/tensorboard' },
  mlflow: {
    enabled: false,
    url: 'http://localhost:5000',
    experiment: 'adbreak',
    alias: 'candidate',
    ca: null,
  },
};

interface Surroundings {
  /** How long the end of a training waits for each, milliseconds. */
  readonly drainMs?: number;
  readonly log: Log;
  /** Where MLflow's own variables may hold the secret: MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Where this training is followed. None of them ever throws, or makes its caller wait before the end; what
 * goes wrong with one is logged once, with what to do.
 */
export function trackers({ tensorboard, mlflow: server }: Tracking, around: Surroundings): Tracker[] {
  const { log, env, drainMs } = around;
  const options = { log, ...(drainMs !== undefined && { drainMs }) };
  const list: Tracker[] = [];
  if (tensorboard.enabled)
    list.push(guarded(async () => tensorBoard(tensorboard.path), { name: 'TensorBoard', ...options }));
  if (server.enabled) {
    const make = async (watch: Watch) => {
      const authority = server.ca === null ? undefined : await authorityIn(server.ca);
      return mlflow({ ...server, ...addressOf(server.url, env), authority }, watch);
    };
    list.push(guarded(make, { name: 'MLflow', ...options }));
  }
  return list;
}

const AUTHORITY_LIMIT = 2 ** 20;

async function authorityIn(path: string): Promise<string> {
  const bytes = await readLimited(path, AUTHORITY_LIMIT);
  if (bytes !== undefined) return Buffer.from(bytes).toString();
  throw new AdbreakError(
    'not_found',
    `Cannot read the authority of tracking.mlflow.ca: there is no ${path}`,
    {
      remedy: 'Name a file with its certificate (PEM).',
    },
  );
}
