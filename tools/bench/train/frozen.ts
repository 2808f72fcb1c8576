import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Ended, lastLine, type Told, timed } from './command.js';
import { COUNTS } from './pictures.js';
import { median, type TrainResult } from './result.js';

const EPOCHS = 30;
const CALIBRATION = 32;
/** What the head learns with; the second one is of the run with warm caches. */
const HEADS = [
  { learningRate: 0.001, l2: 0.003 },
  { learningRate: 0.002, l2: 0.001 },
] as const;
type HeadOptions = (typeof HEADS)[number];

const oursWorth = z.object({
  metrics: z.object({ accuracy: z.number(), f1: z.number(), rocAuc: z.number() }),
});
const kerasSaid = z.object({
  epochs: z.literal(EPOCHS),
  accuracy: z.number(),
  f1: z.number(),
  roc_auc: z.number(),
  parts: z.record(z.string(), z.number()),
});

export interface FrozenRequest extends Told {
  readonly data: string;
  /** What the runs leave lies in it; emptied before each. */
  readonly folder: string;
  readonly rounds: number;
  readonly threads: number;
  readonly python: string;
}
type Worth = NonNullable<TrainResult['frozen']>['worth'];
export type FrozenResult = Pick<TrainResult, 'frozen' | 'second_run' | 'second_run_s'>;

/**
 * From pictures on disk to the metrics of an INT8 file: `adbreak train` without a cache, again with another
 * head, and the same in Keras, in turns. Throws where a side did not go through all its epochs.
 */
export async function measureFrozen(request: FrozenRequest): Promise<FrozenResult> {
  const [first, second, keras]: [Ended[], Ended[], Ended[]] = [[], [], []];
  const parts: Record<string, number>[] = [];
  let worth: Worth | null = null;
  for (let round = 1; round <= request.rounds; round++) {
    request.say(`round ${round} of ${request.rounds}`);
    await rm(request.folder, { recursive: true, force: true });
    first.push(await ours(HEADS[0], request));
    const own = await oursIsWorth(request.folder);
    second.push(await ours(HEADS[1], request));
    const ended = await inKeras(HEADS[0], request);
    keras.push(ended);
    const { parts: of, accuracy, f1, roc_auc } = kerasSaid.parse(lastLine(ended));
    parts.push(of);
    worth = { ours: own, keras: { accuracy, f1, roc_auc } };
  }
  if (worth === null) throw new Error('nothing was measured');
  const [ours_s = 0, second_run_s = 0, keras_s = 0] = [first, second, keras].map(secondsOf);
  return {
    frozen: {
      ...{ ours_s, keras_s, ratio: ours_s / keras_s },
      ...{ ours_cpu_s: cpuOf(first), keras_cpu_s: cpuOf(keras) },
      pictures: COUNTS.train + COUNTS.val + COUNTS.test,
      ...{ epochs: EPOCHS, calibration_pictures: CALIBRATION, worth, keras_parts: mediansOf(parts) },
    },
    second_run: second_run_s / ours_s,
    second_run_s,
  };
}

async function ours({ learningRate, l2 }: HeadOptions, request: FrozenRequest): Promise<Ended> {
  const { data, folder, threads } = request;
  const settings = {
    'training.epochs': EPOCHS,
    'training.patience': 0,
    'training.augmentation.views': 0,
    'training.learning_rate': learningRate,
    'training.l2': l2,
    'training.threads': threads,
    'conversion.calibration_pictures': CALIBRATION,
    'model.weights': 'pretrained',
  };
  const paths = ['--data', data, '--output', join(folder, 'ours'), '--cache', join(folder, 'cache')];
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const ended = await timed([process.execPath, 'trainer/dist/main.js', 'train', ...paths, ...set], request);
  if (!ended.lines.some((line) => line.includes(`epoch ${EPOCHS} of ${EPOCHS}`)))
    throw new Error(`the head did not go through ${EPOCHS} epochs`);
  return ended;
}

async function oursIsWorth(folder: string): Promise<Worth['ours']> {
  const manifest: unknown = JSON.parse(await readFile(join(folder, 'ours/manifest.json'), 'utf8'));
  const { accuracy, f1, rocAuc } = oursWorth.parse(manifest).metrics;
  return { accuracy, f1, roc_auc: rocAuc };
}

function inKeras({ learningRate, l2 }: HeadOptions, request: FrozenRequest): Promise<Ended> {
  const { data, folder, threads, python } = request;
  const numbers = [EPOCHS, learningRate, l2, threads, CALIBRATION].map(String);
  return timed([python, 'scripts/bench-train/frozen.py', data, join(folder, 'keras'), ...numbers], {
    ...request,
    env: { PYTHONPATH: 'scripts/reference' },
  });
}

function secondsOf(runs: readonly Ended[]): number {
  return median(runs.map(({ seconds }) => seconds));
}
function cpuOf(runs: readonly Ended[]): number {
  return median(runs.map(({ cpuSeconds }) => cpuSeconds));
}

function mediansOf(rounds: readonly Record<string, number>[]): Record<string, number> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((parts) => parts[name] ?? 0))]));
}
