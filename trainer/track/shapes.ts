/** As many buckets as TensorBoard's own histograms have. */
const BUCKETS = 30;
/** Thresholds of a precision-recall curve: 0, .005, ..., 1. */
const THRESHOLDS = 201;

/**
 * A histogram for TensorBoard, [30, 3] of left edge, right edge and count, over the finite values. Buckets have
 * one width; where all values are one, that is 0 and the last bucket has them; without values all is 0.
 */
export function bucketsOf(values: Float32Array): Float64Array {
  const finite = values.filter(Number.isFinite);
  const buckets = new Float64Array(3 * BUCKETS);
  if (finite.length === 0) return buckets;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of finite) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const width = (most - least) / BUCKETS;
  for (let i = 0; i < BUCKETS; i++) {
    buckets[3 * i] = least + i * width;
    buckets[3 * i + 1] = i === BUCKETS - 1 ? most : least + (i + 1) * width;
  }
  for (const value of finite) {
    const bucket = width === 0 ? BUCKETS - 1 : Math.min(BUCKETS - 1, Math.floor((value - least) / width));
    buckets[3 * bucket + 2] = (buckets[3 * bucket + 2] ?? 0) + 1;
  }
  return buckets;
}

/**
 * A precision-recall curve for TensorBoard, [6, 201]: at each threshold t, with "ad" said where p >= t, true
 * positives, false positives, true negatives, false negatives, precision and recall. Where nothing is called
 * an ad, none is called so wrongly: precision 1; where there is no ad, none is missed: recall 1.
 */
export function curveOf(
  scored: readonly { readonly probability: number; readonly isAd: boolean }[],
): Float32Array {
  const [ads, others] = [new Float64Array(THRESHOLDS), new Float64Array(THRESHOLDS)];
  for (const { probability, isAd } of scored) {
    const side = isAd ? ads : others;
    const at = Math.floor(Math.min(1, Math.max(0, probability)) * (THRESHOLDS - 1));
    side[at] = (side[at] ?? 0) + 1;
  }
  const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0);
  const [positives, negatives] = [sum(ads), sum(others)];
  const curve = new Float32Array(6 * THRESHOLDS);
  let [hits, alarms] = [0, 0];
  for (let i = THRESHOLDS - 1; i >= 0; i--) {
    hits += ads[i] ?? 0;
    alarms += others[i] ?? 0;
    const precision = hits + alarms === 0 ? 1 : hits / (hits + alarms);
    const recall = positives === 0 ? 1 : hits / positives;
    const column = [hits, alarms, negatives - alarms, positives - hits, precision, recall];
    column.forEach((value, row) => {
      curve[row * THRESHOLDS + i] = value;
    });
  }
  return curve;
}
