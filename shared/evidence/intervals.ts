import { AdbreakError } from '../errors.js';
import { logIncompleteBeta } from './beta.js';

/** What one device counted over its own labelled episodes. */
interface DeviceCount {
  readonly right: number;
  readonly episodes: number;
}
export interface Estimate {
  /** Σx / Σn over all devices. */
  readonly micro: number;
  /** Mean of the devices' own shares: one vote a device. */
  readonly deviceMean: number;
  /** Interval of the micro share. */
  readonly low: number;
  readonly high: number;
  readonly devices: number;
  readonly episodes: number;
}

/** Sums over devices, enough for a share and its interval: a secure round knows nothing else. n episodes, x of them counted. */
export interface Moments {
  readonly devices: number;
  readonly n: number;
  readonly x: number;
  readonly nn: number;
  readonly xx: number;
  readonly xn: number;
}
export function momentsOf(devices: readonly { readonly n: number; readonly x: number }[]): Moments {
  const sum = { devices: devices.length, n: 0, x: 0, nn: 0, xx: 0, xn: 0 };
  for (const { n, x } of devices) {
    sum.n += n;
    sum.x += x;
    sum.nn += n * n;
    sum.xx += x * x;
    sum.xn += x * n;
  }
  return sum;
}

/** Σx/Σn and its standard error √(J/(J-1) Σ(x_j - share n_j)²)/Σn, with devices as the unit. Throws `input_invalid` for fewer than two. */
export function ratio({ devices, n, x, nn, xx, xn }: Moments): {
  readonly value: number;
  readonly error: number;
} {
  if (devices < 2 || !(n > 0))
    throw new AdbreakError(
      'input_invalid',
      `Cannot estimate a fleet's share: at least two devices must have episodes: current value is ${devices}`,
    );
  const value = x / n;
  const spread = Math.max(0, xx - 2 * value * xn + value * value * nn);
  return { value, error: Math.sqrt((devices / (devices - 1)) * spread) / n };
}

/** The interval of a difference of shares, [-1, 1]: t of J - 1 degrees. */
export function differenceInterval(
  moments: Moments,
  level = 0.95,
): { readonly value: number; readonly low: number; readonly high: number } {
  const { value, error } = ratio(moments);
  const half = studentQuantile((1 + level) / 2, moments.devices - 1) * error;
  return { value, low: Math.max(-1, value - half), high: Math.min(1, value + half) };
}

/**
 * A fleet's share with an interval that knows that episodes of one device go together (docs/statistics.md, "Intervals over clusters"), on the logit
 * scale with t of J - 1 degrees. Pooled intervals cover 54 % where they promise 95 %, at a correlation of .1. Throws
 * `input_invalid` for fewer than two devices with episodes, or counts that do not add up.
 */
export function fleetShare(counts: readonly DeviceCount[], level = 0.95): Estimate {
  const broken = counts.find(
    ({ right, episodes }) => !(Number.isFinite(episodes) && right >= 0 && right <= episodes),
  );
  if (broken !== undefined)
    throw new AdbreakError(
      'input_invalid',
      `Cannot estimate: ${broken.right} right of ${broken.episodes} episodes do not add up`,
    );
  const reporting = counts.filter(({ episodes }) => episodes > 0);
  const share = shareOf(
    momentsOf(reporting.map(({ right, episodes }) => ({ n: episodes, x: right }))),
    level,
  );
  return {
    ...share,
    deviceMean: reporting.reduce((sum, one) => sum + one.right / one.episodes, 0) / reporting.length,
  };
}

/** The same from sums alone: without the devices' mean. */
export function shareOf(moments: Moments, level = 0.95): Omit<Estimate, 'deviceMean'> {
  const { value: micro, error } = ratio(moments);
  const { devices, n: episodes } = moments;
  const base = { micro, devices, episodes };
  // At 0 and 1 the logit is infinite and devices cannot differ: the rule of three, on devices as the unit, bounds it.
  if (micro <= 0 || micro >= 1) {
    const reach = 1 - (1 - level) ** (1 / devices);
    return { ...base, low: micro <= 0 ? 0 : 1 - reach, high: micro <= 0 ? reach : 1 };
  }
  const logit = Math.log(micro / (1 - micro));
  const half = (studentQuantile((1 + level) / 2, devices - 1) * error) / (micro * (1 - micro));
  const back = (x: number) => 1 / (1 + Math.exp(-x));
  return { ...base, low: back(logit - half), high: back(logit + half) };
}

/** Quantile of Student's t for p > ½, by bisection of its distribution: P(T > t) = ½ I_{v/(v+t²)}(v/2, ½) (DLMF 8.17). Reference: scipy.stats.t.ppf. */
export function studentQuantile(p: number, degrees: number): number {
  const tail = (t: number) =>
    0.5 * Math.exp(logIncompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5));
  let [low, high] = [0, 1];
  while (tail(high) > 1 - p) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2;
    if (tail(middle) > 1 - p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Clopper and Pearson's interval (1934) of a binomial share: the shares p whose tails P(X >= x; p) and P(X <= x; p) both hold
 * (1 - level)/2 or more; [0, 1] of nothing. Fractional counts are averages over devices. Reference: scipy.stats.binomtest.
 */
export function exactInterval(
  x: number,
  n: number,
  level = 0.95,
): { readonly low: number; readonly high: number } {
  const tail = Math.log((1 - level) / 2);
  return {
    // P(X >= x) = I_p(x, n - x + 1) and P(X <= x) = I_(1-p)(n - x, x + 1): DLMF 8.17.5.
    low: x === 0 ? 0 : crossing((p) => logIncompleteBeta(p, x, n - x + 1), tail),
    high: x === n ? 1 : 1 - crossing((q) => logIncompleteBeta(q, n - x, x + 1), tail),
  };
}
/** Where a rising function of (0, 1) reaches a value, by bisection. */
function crossing(rising: (p: number) => number, value: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 200 && high - low > 1e-15; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
