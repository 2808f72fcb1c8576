import { AdbreakError } from '@adbreak/shared/errors.js';
import type { EpochRecord } from '../ports.js';
import { fresh, type Learnt } from './optimizer.js';

/** Where a fit stands after an epoch: with its settings and its examples it decides all that follows. */
export interface FitState extends Learnt {
  readonly epoch: number;
  readonly bestEpoch: number;
  /** Infinity before the first epoch. */
  readonly bestLoss: number;
  readonly best: Float32Array;
  readonly history: readonly EpochRecord[];
}

export function begun(values: Float32Array): FitState {
  return {
    ...fresh(values),
    epoch: 0,
    bestEpoch: 0,
    bestLoss: Number.POSITIVE_INFINITY,
    best: values,
    history: [],
  };
}

/** Whether all epochs are gone through, or patience is over; null: it never is. */
export function isOver({ epoch, bestEpoch }: FitState, epochs: number, patience: number | null): boolean {
  return epoch >= epochs || (patience !== null && epoch - bestEpoch >= patience);
}

/** The state after an epoch. Throws `training_failed` where validation gives no number any more. */
export function judged(
  state: FitState,
  learnt: Learnt,
  record: EpochRecord,
  what: 'head' | 'network',
): FitState {
  const { epoch, validationLoss } = record;
  if (!Number.isFinite(validationLoss)) throw lostItsWay(what, epoch, 'on validation', state.bestEpoch);
  const better = validationLoss < state.bestLoss;
  return {
    ...state,
    ...learnt,
    epoch,
    history: [...state.history, record],
    ...(better && { bestEpoch: epoch, bestLoss: validationLoss, best: learnt.values }),
  };
}

/**
 * The loss is no number any more: where, and what is kept. Only of a head can a model be made as it stands.
 */
export function lostItsWay(
  what: 'head' | 'network',
  epoch: number,
  where: string,
  bestEpoch: number,
): AdbreakError {
  const kept = bestEpoch === 0 ? 'there is no earlier epoch' : `epoch ${bestEpoch} was the best, and is kept`;
  return new AdbreakError(
    'training_failed',
    `Cannot go on: the loss is no number any more, in the ${what}'s epoch ${epoch}, ${where}; ${kept}`,
    {
      remedy:
        what === 'head'
          ? 'Lower training.learning_rate. To make a model of what is kept: the same command with --resume --finish.'
          : 'Lower the learning rate of this stage.',
    },
  );
}
