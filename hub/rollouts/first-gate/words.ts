/** Numbers as people read them, in reasons, explanations and reports. */

/** E-values span orders of magnitude: numbers where people can read them, else powers. Takes ln E. */
export function evalue(log: number): string {
  if (log > 230) return '> 1e100';
  const value = Math.exp(log);
  return value >= 1e5 || value < 0.01 ? value.toExponential(1) : value.toPrecision(3);
}

export function points(share: number): string {
  return `${(100 * share).toFixed(1)} points`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function hours(value: number): string {
  if (value >= 48) return `${(value / 24).toFixed(1)} days`;
  if (value >= 1) return `${value.toFixed(1)} h`;
  return value >= 1 / 60 ? `${(60 * value).toFixed(1)} minutes` : `${(3600 * value).toFixed(0)} seconds`;
}
