import { AdbreakError } from '@adbreak/shared/errors.js';
import type { ScoredSample } from '../ports.js';

/**
 * Several models as one: the mean of their probabilities for each picture. Every list has the same pictures
 * in the same order, or `input_invalid`.
 */
export function ensembleOf(members: readonly (readonly ScoredSample[])[]): ScoredSample[] {
  const [first, ...others] = members;
  if (first === undefined)
    throw new AdbreakError('input_invalid', 'Cannot evaluate an ensemble: it has no model');
  for (const other of others) checkSamePictures(first, other);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return first.map((sample, i) => ({
    ...sample,
    probability: mean(members.map((member) => member[i]?.probability ?? 0)),
    uncalibrated: mean(members.map((member) => member[i]?.uncalibrated ?? 0)),
  }));
}

/** Two models are compared, or put together, on the same pictures alone. */
export function checkSamePictures(a: readonly ScoredSample[], b: readonly ScoredSample[]): void {
  const differs = a.findIndex(({ picture, isAd }, i) => {
    const other = b[i];
    return other?.picture.path !== picture.path || other.picture.at !== picture.at || other.isAd !== isAd;
  });
  if (differs === -1 && a.length === b.length) return;
  const place = differs === -1 ? Math.min(a.length, b.length) : differs;
  throw new AdbreakError(
    'input_invalid',
    `Cannot put models side by side: they must have scored the same pictures; they part at picture ${place}`,
  );
}
