/** What a metric needs of a scored picture. */
export interface Scored {
  /** p(ad) */
  readonly probability: number;
  readonly isAd: boolean;
}
/** What the bootstrap needs too: scores of one group are drawn together. */
export interface Grouped extends Scored {
  readonly group: string;
}

/**
 * Scores from the surest advertisement down, as columns of one length: a bootstrap goes through them
 * thousands of times and sorts once.
 */
export interface Ranked {
  readonly probability: Float64Array;
  /** 1 for an advertisement. */
  readonly isAd: Uint8Array;
  /** Position of each score's group in `groups`. */
  readonly group: Int32Array;
  readonly groups: readonly string[];
}

/** Scores without groups stand alone, each its own. */
export function rank(scored: readonly (Scored & { readonly group?: string })[]): Ranked {
  const sorted = scored.toSorted((a, b) => b.probability - a.probability);
  const places = new Map<string, number>();
  const group = Int32Array.from(sorted, (item, i) => {
    const name = item.group ?? `#${i}`;
    const place = places.get(name) ?? places.size;
    places.set(name, place);
    return place;
  });
  return {
    probability: Float64Array.from(sorted, (item) => item.probability),
    isAd: Uint8Array.from(sorted, (item) => Number(item.isAd)),
    group,
    groups: [...places.keys()],
  };
}

/**
 * Counts and areas of weighted scores; what has no value (a precision of no call, an area of one class) is
 * NaN.
 */
export interface Tally {
  readonly weight: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
  /**
   * Chance that an advertisement has the higher score, ties half (Mann-Whitney). Reference: scikit-learn's
   * roc_auc_score.
   */
  readonly rocAuc: number;
  /**
   * Σ (R_n - R_(n-1)) P_n over the distinct scores, nothing interpolated. Reference: scikit-learn's
   * average_precision_score.
   */
  readonly prAuc: number;
  /** Over `BINS` equal bins of p(ad); confidence is max(p, 1 - p), right is the call at one half. */
  readonly ece: number;
  /** Mean of (p - truth)². Reference: scikit-learn's brier_score_loss. */
  readonly brier: number;
}

/** Bins of the calibration error and of the reliability diagram. */
export const BINS = 15;

/**
 * A score at the threshold is called an advertisement.
 * @param weights how often each group counts; once where nothing is given
 */
export function tally(ranked: Ranked, threshold: number, weights?: Int32Array): Tally {
  const { probability, isAd, group } = ranked;
  const gaps = new Float64Array(BINS);
  const weightOf = (i: number) => weights?.[group[i] ?? 0] ?? 1;
  const sum = { ads: 0, content: 0, called: 0, calledAds: 0, pairs: 0, square: 0, precision: 0 };
  for (let i = 0; i < probability.length; ) {
    const p = probability[i] ?? 0;
    const tie = { ads: 0, content: 0 };
    for (; i < probability.length && probability[i] === p; i++) {
      if (isAd[i] === 1) tie.ads += weightOf(i);
      else tie.content += weightOf(i);
    }
    sum.pairs += tie.content * (sum.ads + tie.ads / 2);
    sum.ads += tie.ads;
    sum.content += tie.content;
    if (tie.ads > 0) sum.precision += (tie.ads * sum.ads) / (sum.ads + sum.content);
    if (p >= threshold) [sum.calledAds, sum.called] = [sum.ads, sum.ads + sum.content];
    sum.square += tie.ads * (1 - p) ** 2 + tie.content * p ** 2;
    const bin = binOf(p);
    const right = p >= 0.5 ? tie.ads : tie.content;
    gaps[bin] = (gaps[bin] ?? 0) + right - (tie.ads + tie.content) * Math.max(p, 1 - p);
  }
  const weight = sum.ads + sum.content;
  return {
    weight,
    truePositives: sum.calledAds,
    falsePositives: sum.called - sum.calledAds,
    falseNegatives: sum.ads - sum.calledAds,
    trueNegatives: sum.content - (sum.called - sum.calledAds),
    rocAuc: sum.pairs / (sum.ads * sum.content),
    prAuc: sum.precision / sum.ads,
    ece: gaps.reduce((total, gap) => total + Math.abs(gap), 0) / weight,
    brier: sum.square / weight,
  };
}

export function binOf(probability: number): number {
  return Math.min(BINS - 1, Math.max(0, Math.floor(probability * BINS)));
}
