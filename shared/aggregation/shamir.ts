/**
 * Shamir's secret sharing (1979), byte by byte over GF(2^8) with the polynomial of AES (x^8 + x^4 + x^3 + x + 1): any
 * `threshold` shares give the secret, fewer tell nothing about it. Up to 255 shares.
 */
export interface Share {
  /** 1 to 255. */
  readonly x: number;
  readonly y: Uint8Array;
}

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let i = 0, value = 1; i < 255; i++) {
  EXP[i] = value;
  EXP[i + 255] = value;
  LOG[value] = i;
  // Times the generator 3.
  value ^= (value << 1) ^ (value & 0x80 ? 0x11b : 0);
}
const multiply = (a: number, b: number) =>
  a === 0 || b === 0 ? 0 : (EXP[(LOG[a] ?? 0) + (LOG[b] ?? 0)] ?? 0);
const divide = (a: number, b: number) => (a === 0 ? 0 : (EXP[(LOG[a] ?? 0) + 255 - (LOG[b] ?? 0)] ?? 0));

/** @param randomBytes unpredictable bytes: the polynomials' coefficients */
export function split(
  secret: Uint8Array,
  shares: number,
  threshold: number,
  randomBytes: (n: number) => Uint8Array,
): Share[] {
  if (!(threshold >= 1 && threshold <= shares && shares <= 255))
    throw new RangeError(
      `Cannot share a secret: 1 <= threshold <= shares <= 255: current values are ${threshold} and ${shares}`,
    );
  const coefficients = Array.from({ length: threshold - 1 }, () => randomBytes(secret.length));
  return Array.from({ length: shares }, (_, i) => {
    const x = i + 1;
    // Horner's scheme, from the highest coefficient down to the secret.
    const y = secret.map(
      (byte, at) => coefficients.reduceRight((sum, one) => multiply(sum ^ (one[at] ?? 0), x), 0) ^ byte,
    );
    return { x, y };
  });
}

/** The secret behind at least `threshold` shares, by Lagrange's interpolation at zero. */
export function combine(shares: readonly Share[]): Uint8Array {
  const [first] = shares;
  if (
    first === undefined ||
    new Set(shares.map(({ x }) => x)).size !== shares.length ||
    shares.some(({ y }) => y.length !== first.y.length)
  )
    throw new RangeError('Cannot combine shares: they must be different ones of one secret');
  const weights = shares.map(({ x }, i) =>
    shares.reduce(
      (product, other, k) => (k === i ? product : multiply(product, divide(other.x, other.x ^ x))),
      1,
    ),
  );
  return first.y.map((_, at) =>
    shares.reduce((sum, { y }, i) => sum ^ multiply(y[at] ?? 0, weights[i] ?? 0), 0),
  );
}
