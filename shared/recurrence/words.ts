/**
 * A fingerprint of a moment. How surely each bit was read is known to who reads it, not to who kept it: what is asked
 * for is soft, what is kept is hard.
 */
export interface Word {
  /** Bits 0 to 31. */
  readonly low: number;
  /** Bits 32 to 63; 0 for sound, which has 32 bits. */
  readonly high: number;
  /** 0 to 1 for each bit: how far it was from being read otherwise. */
  readonly sureness: Float32Array;
}

/** The bits of a hash that its key in the index is made of: the first 16. */
export const KEY_BITS = 16;
export const KEYS = 1 << KEY_BITS;

/** Share of a word's bits, by how sure they are, that a kept one has otherwise: 0 for the same, about 1/2 for any other. */
export function disagreement(word: Word, low: number, high: number): number {
  let [wrong, all] = [0, 0];
  const [lows, highs] = [word.low ^ low, word.high ^ high];
  for (let bit = 0; bit < word.sureness.length; bit++) {
    const sure = word.sureness[bit] ?? 0;
    all += sure;
    if (((bit < 32 ? lows >>> bit : highs >>> (bit - 32)) & 1) === 1) wrong += sure;
  }
  return all === 0 ? 0.5 : wrong / all;
}

/** Keys to look for: the word's own, and with each of its least sure bits, and with two of them, turned. */
export function probesOf({ low, sureness }: Word, turned: number): number[] {
  const key = low & (KEYS - 1);
  const weakest = Array.from({ length: KEY_BITS }, (_, bit) => bit)
    .sort((a, b) => (sureness[a] ?? 0) - (sureness[b] ?? 0))
    .slice(0, turned);
  const probes = [key];
  weakest.forEach((bit, i) => {
    probes.push(key ^ (1 << bit));
    for (const other of weakest.slice(0, i)) probes.push(key ^ (1 << bit) ^ (1 << other));
  });
  return probes;
}
