import { AdbreakError } from '../errors.js';

/** How far confidences can be believed, and what they say about accuracy without labels (docs/statistics.md, "Calibration and label-free estimates"). Pure. */

/** Labelled episodes of one bin of confidence. */
export interface ConfidenceBin {
  readonly episodes: number;
  /** Sum of the confidences max(p, 1 - p). */
  readonly confidence: number;
  readonly right: number;
}

/** Expected calibration error Σ n_b/n |right_b/n_b - confidence_b/n_b|, in [0, 1]; exact from sums. Reference: nannyml's and the usual numpy form. */
export function expectedCalibrationError(bins: readonly ConfidenceBin[]): number {
  const total = bins.reduce((sum, { episodes }) => sum + episodes, 0);
  if (!(total > 0))
    throw new AdbreakError('input_invalid', 'Cannot compute the calibration error: no bin holds an episode');
  return bins.reduce((sum, { confidence, right }) => sum + Math.abs(right - confidence), 0) / total;
}

/**
 * Confidence-based estimate of accuracy: the mean of max(p, 1 - p) over a histogram of p(ad), for calibrated p (CBPE's
 * accuracy at the threshold of one half). Reference: nannyml. A bin stands for its middle.
 */
export function confidenceBasedAccuracy(histogram: readonly number[]): number {
  const bins = histogram.length;
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (!(total > 0))
    throw new AdbreakError('input_invalid', 'Cannot estimate accuracy: the histogram is empty');
  return (
    histogram.reduce((sum, count, i) => sum + count * Math.max((i + 0.5) / bins, 1 - (i + 0.5) / bins), 0) /
    total
  );
}

/**
 * Black-box shift estimation for two classes (Lipton et al. 2018): the share of ads in the target from how often the model
 * says ad, given its confusion on the source. Clipped to [0, 1]; null where the model tells nothing apart. Reference: numpy's solver.
 * @param confusion source episodes, [truth][vote], content = 0, ad = 1
 * @param votes target episodes by vote
 */
export function shiftedPrior(
  confusion: readonly [readonly [number, number], readonly [number, number]],
  votes: readonly [number, number],
): { readonly prior: number; readonly weights: readonly [number, number] } | null {
  const [[a, b], [c, d]] = confusion;
  const n = a + b + c + d;
  const m = votes[0] + votes[1];
  if (!(n > 0 && m > 0) || a + b === 0 || c + d === 0) return null;
  // w = C^-1 mu with C[vote][truth] = P(vote, truth), mu = P_target(vote).
  const determinant = (a * d - c * b) / (n * n);
  if (Math.abs(determinant) < 1e-9) return null;
  const [content, ad] = [votes[0] / m, votes[1] / m];
  const w0 = ((d / n) * content - (c / n) * ad) / determinant;
  const w1 = ((a / n) * ad - (b / n) * content) / determinant;
  return { prior: Math.min(1, Math.max(0, (w1 * (c + d)) / n)), weights: [w0, w1] };
}
