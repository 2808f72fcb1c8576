import type { UnsureReference } from './contract/manifest.js';
import { AdbreakError } from './errors.js';
import { seeded } from './random.js';

/** Features [width] -> how far the picture is from those of training. */
export type DistanceMeter = (features: Float32Array) => number;

export interface UnsureOptions {
  readonly seed: number;
  /** Of the projection. */
  readonly dimensions: number;
  /** How many training pictures are kept. */
  readonly prototypes: number;
  /** Share of the validation pictures that are called unlike training: the price of noticing others. */
  readonly falseAlarms: number;
}
export const DEFAULT_UNSURE: UnsureOptions = { seed: 1, dimensions: 32, prototypes: 128, falseAlarms: 0.005 };

/**
 * What is needed to tell pictures that are like nothing in training: of a picture's features, scaled to
 * length one, the distance to the nearest training picture (Sun et al. 2022, with k = 1), after a random
 * projection that nearly keeps distances (Achlioptas 2003), so that it fits into a manifest. The training
 * pictures that are kept are each the farthest from those before (Gonzalez 1985); the threshold is a quantile
 * over recordings that are not in training. Throws `training_failed` without pictures of both.
 */
export function fitUnsure(
  training: readonly Float32Array[],
  validation: readonly Float32Array[],
  { seed, dimensions, prototypes, falseAlarms }: UnsureOptions = DEFAULT_UNSURE,
): UnsureReference {
  const width = training[0]?.length ?? 0;
  if (width === 0 || validation.length === 0)
    throw new AdbreakError('training_failed', 'Cannot tell what is unlike training: there are no pictures');
  const project = projection(seed, width, dimensions);
  const kept = farthestFirst(training.map(project), prototypes);
  const scale = Math.max(1e-9, ...kept.map((row) => Math.max(...row.map(Math.abs)))) / 127;
  const codes = Int8Array.from(kept.flatMap((row) => Array.from(row, (value) => Math.round(value / scale))));
  const reference = {
    seed,
    width,
    dimensions,
    prototypes: Buffer.from(codes.buffer).toString('base64'),
    scale,
  };
  const distances = validation.map(distanceMeter(reference)).sort((a, b) => a - b);
  const place = Math.min(distances.length - 1, Math.floor((1 - falseAlarms) * distances.length));
  return { ...reference, threshold: Math.max(1e-9, distances[place] ?? 0) };
}

/**
 * The measure of a manifest. Throws `model_corrupt` where its parts do not fit each other, or the features.
 */
export function distanceMeter(reference: Omit<UnsureReference, 'threshold'>): DistanceMeter {
  const { seed, width, dimensions, prototypes, scale } = reference;
  const codes = new Int8Array(Buffer.from(prototypes, 'base64'));
  const rows = Array.from({ length: Math.ceil(codes.length / dimensions) }, (_, i) =>
    Float32Array.from(codes.subarray(i * dimensions, (i + 1) * dimensions), (code) => code * scale),
  );
  if (rows.length === 0 || codes.length % dimensions !== 0)
    throw new AdbreakError(
      'model_corrupt',
      `Cannot measure distances: ${codes.length} values are no rows of ${dimensions}`,
    );
  const project = projection(seed, width, dimensions);
  return (features) => {
    if (features.length !== width)
      throw new AdbreakError(
        'model_corrupt',
        `Cannot measure distances: the model must have ${width} features: current value is ${features.length}`,
      );
    const place = project(features);
    return Math.sqrt(Math.min(...rows.map((row) => squaredDistance(row, place))));
  };
}

/** [width] -> [dimensions]: length one, then signs drawn by the seed; the same on every machine. */
function projection(
  seed: number,
  width: number,
  dimensions: number,
): (features: Float32Array) => Float32Array {
  const random = seeded(`unsure/${seed}`);
  const signs = Int8Array.from({ length: width * dimensions }, () => (random.uniform() < 0.5 ? -1 : 1));
  return (features) => {
    const length = Math.hypot(...features) || 1;
    const shrunk = 1 / (length * Math.sqrt(dimensions));
    return Float32Array.from({ length: dimensions }, (_, row) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (signs[row * width + i] ?? 0) * (features[i] ?? 0);
      return sum * shrunk;
    });
  };
}

function farthestFirst(rows: readonly Float32Array[], count: number): Float32Array[] {
  const kept: Float32Array[] = [];
  const distances = new Float64Array(rows.length).fill(Number.POSITIVE_INFINITY);
  let next = 0;
  while (kept.length < count && (distances[next] ?? 0) > 0) {
    const chosen = rows[next] ?? new Float32Array(0);
    kept.push(chosen);
    next = 0;
    rows.forEach((row, i) => {
      distances[i] = Math.min(distances[i] ?? 0, squaredDistance(row, chosen));
      if ((distances[i] ?? 0) > (distances[next] ?? 0)) next = i;
    });
  }
  return kept;
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
}
