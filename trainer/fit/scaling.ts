/** What brings features to mean 0 and variance 1: (x - mean) * factor. */
export interface Scaling {
  readonly mean: Float64Array;
  readonly factor: Float64Array;
}

/** Added to a variance: a feature that never changes must not be divided by nothing. */
const LEAST_VARIANCE = 1e-4;

/** Over the pictures themselves: their augmented views do not move it. */
export function scalingOf({ width, features }: { width: number; features: Float32Array }): Scaling {
  const rows = features.length / width;
  const mean = new Float64Array(width);
  const squares = new Float64Array(width);
  for (let at = 0; at < features.length; at += width)
    for (let i = 0; i < width; i++) mean[i] = (mean[i] ?? 0) + (features[at + i] ?? 0) / rows;
  for (let at = 0; at < features.length; at += width)
    for (let i = 0; i < width; i++)
      squares[i] = (squares[i] ?? 0) + ((features[at + i] ?? 0) - (mean[i] ?? 0)) ** 2;
  return { mean, factor: squares.map((sum) => 1 / Math.sqrt(sum / rows + LEAST_VARIANCE)) };
}
