import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import type { EpochRecord } from '../ports.js';
import { type Examples, type HeadSettings, refuseOneClass, type TrainingExamples } from './examples.js';
import { begun, type FitState, isOver, judged, lostItsWay } from './fit-state.js';
import { Linear, logitsOf } from './linear.js';
import { adamStep, copyOf, type Learnt, rateAt } from './optimizer.js';
import { type Scaling, scalingOf } from './scaling.js';
import { fitTemperature } from './temperature.js';

/** logits = kernel · features + bias; kernel [2, width]; standardisation and temperature are folded in. */
export interface Head {
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  /** The epoch that was the best on validation. */
  readonly epochs: number;
  readonly validationLoss: number;
  readonly temperature: number;
  readonly history: readonly EpochRecord[];
}

export interface FitHooks {
  /** Goes on from here. */
  readonly from?: FitState;
  /** No more epochs: the best so far is taken. */
  readonly finish?: boolean;
  /** Ends after so many epochs, the schedule being that of all, and takes the last one. */
  readonly stopAfter?: number;
  /** After each epoch. */
  readonly onEpoch?: (record: EpochRecord, state: FitState) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

/** Batches between two moments in which a signal can be heard. */
const BREATH = 16;

/**
 * Multinomial logistic regression on standardised features, in float32 parameters and float64 sums: the same
 * seed gives the same bytes on every machine. Then one temperature, fitted on validation. Throws
 * `training_failed` where a class is missing, and, saying where, when the loss is no number any more.
 */
export async function fitHead(
  train: TrainingExamples,
  validation: Examples,
  settings: HeadSettings,
  hooks: FitHooks = {},
): Promise<Head> {
  refuseOneClass('train', train.isAd);
  refuseOneClass('val', validation.isAd);
  const scaling = scalingOf(train);
  let state = hooks.from ?? initialState(train.width, settings.seed);
  const last = hooks.stopAfter ?? settings.epochs;
  const patience = hooks.stopAfter === undefined ? settings.patience : null;
  while (hooks.finish !== true && !isOver(state, last, patience)) {
    const started = performance.now();
    const { learnt, ...trained } = await trainEpoch(train, scaling, state, settings, hooks.signal);
    const record: EpochRecord = {
      stage: 'head',
      epoch: state.epoch + 1,
      epochs: settings.epochs,
      ...trained,
      ...validated(learnt.values, validation, scaling),
      seconds: (performance.now() - started) / 1000,
    };
    state = judged(state, learnt, record, 'head');
    await hooks.onEpoch?.(record, state);
    hooks.signal?.throwIfAborted();
  }
  if (!Number.isFinite(state.bestLoss))
    throw new AdbreakError('training_failed', 'Cannot take the best epoch: there is none yet');
  const taken = hooks.stopAfter === undefined ? state.best : state.values;
  const temperature = fitTemperature(logitsOf(taken, validation, scaling), validation.isAd);
  return {
    ...folded(taken, scaling, temperature),
    epochs: hooks.stopAfter ?? state.bestEpoch,
    validationLoss: state.bestLoss,
    temperature,
    history: state.history,
  };
}

/** Weights that make both classes count alike. */
export function balancedWeights(isAd: readonly boolean[]): readonly [number, number] {
  const ads = isAd.filter(Boolean).length;
  return [isAd.length / (2 * Math.max(1, isAd.length - ads)), isAd.length / (2 * Math.max(1, ads))];
}

function initialState(width: number, seed: number): FitState {
  const random = seeded(`head/${seed}`);
  const values = Float32Array.from({ length: 2 * width + 2 }, (_, i) =>
    i < 2 * width ? random.normal() * 0.01 : 0,
  );
  return begun(values);
}

type Trained = Pick<EpochRecord, 'trainLoss' | 'trainAccuracy' | 'learningRate'> & {
  readonly learnt: Learnt;
};

async function trainEpoch(
  train: TrainingExamples,
  scaling: Scaling,
  state: FitState,
  settings: HeadSettings,
  signal: AbortSignal | undefined,
): Promise<Trained> {
  const epoch = state.epoch + 1;
  // A stream of its own for each epoch: to go on from an epoch needs no generator's state.
  const random = seeded(`head/${settings.seed}/${epoch}`);
  const rows = train.isAd.length;
  const steps = Math.ceil(rows / settings.batchSize);
  const order = random.shuffle(Array.from({ length: rows }, (_, i) => i));
  const linear = new Linear(train, scaling, settings);
  // The state stays as it was: an epoch that is interrupted has not been.
  const learnt = copyOf(state);
  let [loss, right, rate] = [0, 0, 0];
  for (let batch = 0; batch < steps; batch++) {
    const step = (epoch - 1) * steps + batch;
    rate = rateAt(step, steps, settings);
    const members = order.slice(batch * settings.batchSize, (batch + 1) * settings.batchSize);
    const result = linear.gradient(learnt.values, members, random);
    if (!Number.isFinite(result.loss + result.penalty))
      throw lostItsWay('head', epoch, `batch ${batch + 1} of ${steps}`, state.bestEpoch);
    loss += result.loss * members.length;
    right += result.right;
    const free = 2 * train.width;
    adamStep(learnt, linear.sums, { step: step + 1, rate, decay: settings.weightDecay, free });
    if (batch % BREATH !== BREATH - 1) continue;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  await new Promise(setImmediate);
  return { learnt, trainLoss: loss / rows, trainAccuracy: right / rows, learningRate: rate };
}

/** Mean cross-entropy and share called rightly, on validation. */
function validated(
  values: Float32Array,
  validation: Examples,
  scaling: Scaling,
): Pick<EpochRecord, 'validationLoss' | 'validationAccuracy'> {
  const logits = logitsOf(values, validation, scaling);
  let [loss, right] = [0, 0];
  validation.isAd.forEach((ad, row) => {
    const margin = ((logits[2 * row + 1] ?? 0) - (logits[2 * row] ?? 0)) * (ad ? 1 : -1);
    loss += margin > 0 ? Math.log1p(Math.exp(-margin)) : -margin + Math.log1p(Math.exp(margin));
    right += margin > 0 ? 1 : 0;
  });
  const rows = validation.isAd.length;
  return { validationLoss: loss / rows, validationAccuracy: right / rows };
}

/** w' = w / (s T), b' = (b - Σ w m / s) / T. */
function folded(
  parameters: Float32Array,
  { mean, factor }: Scaling,
  temperature: number,
): { kernel: Float32Array; bias: Float32Array } {
  const width = mean.length;
  const kernel = new Float32Array(2 * width);
  const bias = [0, 1].map((c) => {
    let sum = parameters[2 * width + c] ?? 0;
    for (let i = 0; i < width; i++) {
      const weight = (parameters[c * width + i] ?? 0) * (factor[i] ?? 0);
      kernel[c * width + i] = weight / temperature;
      sum -= weight * (mean[i] ?? 0);
    }
    return sum / temperature;
  });
  return { kernel, bias: Float32Array.from(bias) };
}
