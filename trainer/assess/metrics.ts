import type { TestMetrics } from '@adbreak/shared/contract/manifest.js';

export interface Scored {
  /** p(ad) */
  readonly probability: number;
  readonly isAd: boolean;
}

const BINS = 15;

/** Frame metrics at threshold .5. ROC-AUC by ranks (Mann-Whitney, ties share); ECE over 15 equal bins of p(ad)'s winner. */
export function metricsOf(scored: readonly Scored[]): TestMetrics {
  const count = (isAd: boolean, says: boolean) =>
    scored.filter((item) => item.isAd === isAd && item.probability >= 0.5 === says).length;
  const [tn, fp, fn, tp] = [count(false, false), count(false, true), count(true, false), count(true, true)];
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    frames: scored.length,
    accuracy: share(tp + tn, scored.length),
    precision: share(tp, tp + fp),
    recall: share(tp, tp + fn),
    f1: share(2 * tp, 2 * tp + fp + fn),
    rocAuc: rocAuc(scored),
    ece: expectedCalibrationError(scored),
    confusion: [
      [tn, fp],
      [fn, tp],
    ],
  };
}

function rocAuc(scored: readonly Scored[]): number {
  const sorted = scored.toSorted((a, b) => a.probability - b.probability);
  let ranks = 0;
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (end < sorted.length && sorted[end]?.probability === sorted[i]?.probability) end++;
    const rank = (i + 1 + end) / 2;
    for (let j = i; j < end; j++) if (sorted[j]?.isAd) ranks += rank;
    i = end;
  }
  const ads = scored.filter(({ isAd }) => isAd).length;
  const rest = scored.length - ads;
  return ads === 0 || rest === 0 ? 0.5 : (ranks - (ads * (ads + 1)) / 2) / (ads * rest);
}

function expectedCalibrationError(scored: readonly Scored[]): number {
  const bins = Array.from({ length: BINS }, () => ({ n: 0, confidence: 0, correct: 0 }));
  for (const { probability, isAd } of scored) {
    const bin = bins[Math.min(BINS - 1, Math.floor(probability * BINS))];
    if (bin === undefined) continue;
    bin.n += 1;
    bin.confidence += Math.max(probability, 1 - probability);
    bin.correct += probability >= 0.5 === isAd ? 1 : 0;
  }
  return (
    bins.reduce((sum, { correct, confidence }) => sum + Math.abs(correct - confidence), 0) /
    Math.max(1, scored.length)
  );
}
