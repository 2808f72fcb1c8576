import { explain, hasCode } from '@adbreak/shared/errors.js';
import type { TrainingConfig } from '../config/schema.js';
import type { Tracker } from '../ports.js';
import { type Binding, checkpointPath, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import type { SeenDeep } from './data.js';
import type { Examples, HeadSettings, TrainingExamples } from './examples.js';
import type { FitState } from './fit-state.js';
import { type CrossValidation, crossValidate, partition } from './folds.js';
import { balancedWeights, fitHead, type Head } from './head.js';
import { epochTeller } from './tell.js';

/** How often a fit is made durable, milliseconds. */
const SAVE_MS = 1000;

export interface FittingRequest {
  readonly config: TrainingConfig;
  readonly binding: Binding;
  readonly resume: boolean;
  /** Takes the best that a resumed fit has, without another epoch. */
  readonly finish: boolean;
  readonly tracker: Tracker;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** What the configuration says of the head; balanced weights follow from the examples. */
export function headSettings({ training }: TrainingConfig, { isAd }: Examples): HeadSettings {
  return {
    seed: training.seed,
    batchSize: training.batch_size,
    epochs: training.epochs,
    warmupEpochs: training.warmup_epochs,
    learningRate: training.learning_rate,
    schedule: training.schedule,
    weightDecay: training.optimizer === 'adamw' ? training.weight_decay : 0,
    l2: training.l2,
    labelSmoothing: training.label_smoothing,
    classWeights: classWeights(training.class_weights, isAd),
    dropout: training.dropout,
    mixup: training.mixup,
    patience: training.patience === 0 ? null : training.patience,
  };
}

function classWeights(
  wanted: TrainingConfig['training']['class_weights'],
  isAd: readonly boolean[],
): readonly [number, number] {
  if (wanted === 'balanced') return balancedWeights(isAd);
  return wanted === 'none' ? [1, 1] : wanted;
}

/**
 * Fits the head, each epoch told and, once a second, kept: whatever ends the run, the best stays on disk, and
 * `resume` goes on to the same file that an undisturbed run makes.
 */
export async function fitted(
  train: TrainingExamples,
  validation: Examples,
  request: FittingRequest,
): Promise<Head> {
  const { config, binding, resume, finish, tracker, say, signal } = request;
  const path = checkpointPath(config.output.path);
  const from = resume ? await readCheckpoint(path, binding) : null;
  if (resume) say(from === null ? 'nothing to resume: the head begins anew' : resumed(from, finish));
  let [state, savedAt, saved] = [from, performance.now(), from?.epoch ?? 0];
  const save = async () => {
    if (state === null || state.epoch === saved) return;
    await writeCheckpoint(path, binding, state);
    [savedAt, saved] = [performance.now(), state.epoch];
  };
  const tell = epochTeller(say);
  try {
    return await fitHead(train, validation, headSettings(config, train), {
      ...(from !== null && { from }),
      ...(signal && { signal }),
      finish,
      onEpoch: async (record, now) => {
        state = now;
        tell(record, now.bestEpoch);
        await tracker.epoch(record);
        if (performance.now() - savedAt >= SAVE_MS) await save();
      },
    });
  } catch (error) {
    // What went wrong, or who wants to end, must not cost what was learnt.
    await save();
    if (state !== null)
      say(`the best so far, epoch ${state.bestEpoch}, is kept in ${path}: --resume goes on from there`);
    throw error;
  }
}

function resumed({ epoch, bestEpoch }: FitState, finish: boolean): string {
  return finish
    ? `taking the best of ${epoch} epochs, epoch ${bestEpoch}`
    : `going on behind epoch ${epoch}; the best so far is epoch ${bestEpoch}`;
}

/** The model that a cross-validation is of. */
interface Validated {
  /** That its head took. */
  readonly epochs: number;
  /** Whether the network below the head has learnt from these pictures: what is held back, it then knows. */
  readonly hasSeen: boolean;
}
/** A cross-validation, and whether it promises too much. */
export interface HeadValidation extends CrossValidation {
  readonly optimistic: boolean;
}

/**
 * The configured cross-validation over everything but the test pictures; null where there is none to be had,
 * which is said: the model is fitted by then, and must not be lost with it.
 */
export async function crossValidated(
  train: SeenDeep,
  validation: SeenDeep,
  { epochs, hasSeen }: Validated,
  { config, say, signal }: Pick<FittingRequest, 'config' | 'say' | 'signal'>,
): Promise<HeadValidation | null> {
  const { folds, seed } = config.training;
  if (folds === 0) return null;
  const groups = [...train.samples, ...validation.samples].map(({ group }) => group);
  const parts = partition(groups, folds, seed);
  if (parts === null) {
    say(`no cross-validation: ${new Set(groups).size} recordings or scenes are fewer than ${folds} parts`);
    return null;
  }
  const [own, held] = [train.features, validation.features];
  const all = {
    width: own.width,
    features: joined(own.features, held.features),
    views: own.views.map((rows, i) => joined(rows, held.views[i] ?? held.features)),
    isAd: [...own.isAd, ...held.isAd],
    groups,
  };
  const validating = crossValidate(all, parts, (examples) => headSettings(config, examples), epochs, {
    ...(signal && { signal }),
    onFold: ({ pictures, accuracy, loss }, index) =>
      say(
        `  part ${index + 1} of ${folds}: ${pictures} pictures, accuracy ${accuracy.toFixed(3)}, loss ${loss.toFixed(3)}`,
      ),
  });
  const result = await validating.catch((error: unknown) => {
    if (!hasCode(error, 'training_failed')) throw error;
    say(`no cross-validation: ${explain(error)}`);
    return null;
  });
  if (result === null) return null;
  const left = folds - result.folds.length;
  const without = `${left} of ${folds} parts, or what is left without them, lack ad or content`;
  if (result.folds.length < 2) {
    say(`no cross-validation: ${without}`);
    return null;
  }
  const { mean, deviation } = result.accuracy;
  const figures = `accuracy ${mean.toFixed(3)} ± ${deviation.toFixed(3)}`;
  say(`cross-validation in ${result.folds.length} parts: ${figures}${left === 0 ? '' : `; ${without}`}`);
  if (hasSeen)
    say('  it is of the head alone: the network has learnt from these pictures, so it is too good');
  return { ...result, optimistic: hasSeen };
}

function joined(one: Float32Array, other: Float32Array): Float32Array {
  const all = new Float32Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
