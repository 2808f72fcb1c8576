import { AdbreakError } from '@adbreak/shared/errors.js';

/**
 * Average thresholded confidence (Garg et al. 2022): the threshold under which as many source episodes lie as are wrong.
 * @param scores confidences of labelled source episodes, any order
 */
export function thresholdOfConfidence(scores: readonly number[], accuracy: number): number {
  if (scores.length === 0)
    throw new AdbreakError('input_invalid', 'Cannot choose a threshold of confidence: there are no scores');
  const sorted = [...scores].sort((a, b) => a - b);
  const wrong = Math.round((1 - accuracy) * sorted.length);
  return wrong >= sorted.length ? Number.POSITIVE_INFINITY : (sorted[wrong] ?? 0);
}

/** ATC's estimate: the share of target episodes at or above the threshold. */
export function thresholdedAccuracy(scores: readonly number[], threshold: number): number {
  if (scores.length === 0)
    throw new AdbreakError('input_invalid', 'Cannot estimate accuracy: there are no scores');
  return scores.filter((score) => score >= threshold).length / scores.length;
}
