/**
 * The power of each frequency of a real signal whose length is a power of two, from 0 to below the half: radix 2 in place
 * (Cooley and Tukey 1965) on half as many complex values, even samples and odd ones, which are told apart afterwards
 * (Sorensen et al. 1987). Tables are made once for a size.
 */
export class PowerSpectrum {
  readonly #half: number;
  readonly #cosine: Float64Array;
  readonly #sine: Float64Array;
  readonly #order: Uint32Array;
  readonly #real: Float64Array;
  readonly #imaginary: Float64Array;

  constructor(size: number) {
    const bits = Math.log2(size) - 1;
    if (!Number.isInteger(bits) || bits < 1)
      throw new RangeError(`Cannot transform ${size} values: the number must be a power of two from 4`);
    const half = size / 2;
    this.#half = half;
    this.#cosine = Float64Array.from({ length: half }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.#sine = Float64Array.from({ length: half }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
    this.#order = Uint32Array.from({ length: half }, (_, i) => reversed(i, bits));
    this.#real = new Float64Array(half);
    this.#imaginary = new Float64Array(half);
  }

  /** `signal` has size values, `power` takes size / 2. */
  of(signal: Float64Array, power: Float64Array): void {
    for (let i = 0; i < this.#half; i++) {
      const at = this.#order[i] ?? 0;
      this.#real[at] = signal[2 * i] ?? 0;
      this.#imaginary[at] = signal[2 * i + 1] ?? 0;
    }
    for (let span = 1; span < this.#half; span *= 2) this.#butterflies(span);
    this.#untangle(power);
  }

  #butterflies(span: number): void {
    const [real, imaginary, cosine, sine] = [this.#real, this.#imaginary, this.#cosine, this.#sine];
    const half = this.#half;
    // The tables are of the whole size: a turn of the half is two of their steps.
    const stride = half / span;
    for (let k = 0; k < span; k++) {
      const [c, s] = [cosine[k * stride] ?? 0, sine[k * stride] ?? 0];
      for (let low = k; low < half; low += 2 * span) {
        const high = low + span;
        const x = (real[high] ?? 0) * c - (imaginary[high] ?? 0) * s;
        const y = (real[high] ?? 0) * s + (imaginary[high] ?? 0) * c;
        real[high] = (real[low] ?? 0) - x;
        imaginary[high] = (imaginary[low] ?? 0) - y;
        real[low] = (real[low] ?? 0) + x;
        imaginary[low] = (imaginary[low] ?? 0) + y;
      }
    }
  }

  #untangle(power: Float64Array): void {
    const [real, imaginary, half] = [this.#real, this.#imaginary, this.#half];
    for (let k = 0; k < half; k++) {
      const mirror = (half - k) % half;
      const [a, b, c, d] = [real[k] ?? 0, imaginary[k] ?? 0, real[mirror] ?? 0, imaginary[mirror] ?? 0];
      const [evenX, evenY, oddX, oddY] = [(a + c) / 2, (b - d) / 2, (b + d) / 2, (c - a) / 2];
      const [cos, sin] = [this.#cosine[k] ?? 0, this.#sine[k] ?? 0];
      power[k] = (evenX + oddX * cos - oddY * sin) ** 2 + (evenY + oddX * sin + oddY * cos) ** 2;
    }
  }
}

function reversed(index: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit++) if (index & (1 << bit)) result |= 1 << (bits - 1 - bit);
  return result;
}
