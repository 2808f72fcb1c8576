/**
 * The T that minimises the negative log likelihood of softmax(logits / T), by golden-section search on ln T
 * (Guo et al. 2017).
 */
export function fitTemperature(logits: ArrayLike<number>, isAd: readonly boolean[]): number {
  const loss = (t: number) =>
    isAd.reduce((sum, ad, i) => {
      const margin = (((logits[i * 2 + 1] ?? 0) - (logits[i * 2] ?? 0)) / t) * (ad ? 1 : -1);
      return sum + (margin > 0 ? Math.log1p(Math.exp(-margin)) : -margin + Math.log1p(Math.exp(margin)));
    }, 0);
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.25), Math.log(8)];
  while (high - low > 1e-3) {
    const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (loss(Math.exp(a)) < loss(Math.exp(b))) high = b;
    else low = a;
  }
  return Math.exp((low + high) / 2);
}
