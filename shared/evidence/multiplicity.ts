import { logMeanExp } from './non-inferiority.js';

/**
 * Several questions, one error. E-values stay valid when averaged, however they depend on each other (Vovk and Wang 2021).
 */

/**
 * ln of the e-value with which hypothesis `index` may be rejected while the chance of any false rejection stays under alpha:
 * closed testing with averages, i.e. the least mean over all sets that hold the hypothesis. Sharper than Bonferroni's E/K.
 * @param logs ln E of every hypothesis that is tested together
 */
export function logClosed(logs: readonly number[], index: number): number {
  const own = logs[index];
  if (own === undefined) throw new RangeError(`Cannot correct hypothesis ${index}: there are ${logs.length}`);
  // The least mean of a set with k members takes the k - 1 smallest others.
  const others = logs.filter((_, i) => i !== index).sort((a, b) => a - b);
  return Math.min(...Array.from({ length: logs.length }, (_, k) => logMeanExp([own, ...others.slice(0, k)])));
}
