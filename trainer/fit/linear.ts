import type { Random } from '@adbreak/shared/random.js';
import type { Examples, HeadSettings, TrainingExamples } from './examples.js';
import type { Scaling } from './scaling.js';

/** Parameters are one vector: kernel [2, width], then the two biases. */
export function logitsOf(parameters: Float32Array, examples: Examples, scaling: Scaling): Float64Array {
  const { width, features, isAd } = examples;
  const logits = new Float64Array(2 * isAd.length);
  const row = new Float64Array(width);
  for (let r = 0; r < isAd.length; r++) {
    standardise(features, r * width, scaling, row);
    logits[2 * r] = score(parameters, row, 0);
    logits[2 * r + 1] = score(parameters, row, 1);
  }
  return logits;
}

/** The loss of a batch and its gradient, which is left in `sums`. */
export class Linear {
  readonly sums: Float64Array;
  readonly #train: TrainingExamples;
  readonly #scaling: Scaling;
  readonly #settings: HeadSettings;
  readonly #row: Float64Array;
  readonly #other: Float64Array;

  constructor(train: TrainingExamples, scaling: Scaling, settings: HeadSettings) {
    this.#train = train;
    this.#scaling = scaling;
    this.#settings = settings;
    this.#row = new Float64Array(train.width);
    this.#other = new Float64Array(train.width);
    this.sums = new Float64Array(2 * train.width + 2);
  }

  /**
   * Mean weighted cross-entropy in nats, the L2 penalty, and how many rows were called by their (heavier)
   * label.
   */
  gradient(
    parameters: Float32Array,
    members: readonly number[],
    random: Random,
  ): { readonly loss: number; readonly penalty: number; readonly right: number } {
    const { width } = this.#train;
    this.sums.fill(0);
    let [loss, right] = [0, 0];
    for (const member of members) {
      const { target, weight } = this.#mix(member, members, random);
      this.#dropOut(random);
      const [content, ad] = [score(parameters, this.#row, 0), score(parameters, this.#row, 1)];
      const margin = ad - content;
      // log(1 + e^m), without overflow on either side.
      const soft = Math.max(0, margin) + Math.log1p(Math.exp(-Math.abs(margin)));
      loss += (weight * (soft - target * margin)) / members.length;
      right += margin > 0 === target > 0.5 ? 1 : 0;
      const push = (weight * (1 / (1 + Math.exp(-margin)) - target)) / members.length;
      for (let i = 0; i < width; i++) {
        const part = push * (this.#row[i] ?? 0);
        this.sums[i] = (this.sums[i] ?? 0) - part;
        this.sums[width + i] = (this.sums[width + i] ?? 0) + part;
      }
      this.sums[2 * width] = (this.sums[2 * width] ?? 0) - push;
      this.sums[2 * width + 1] = (this.sums[2 * width + 1] ?? 0) + push;
    }
    return { loss, penalty: this.#penalty(parameters), right };
  }

  /**
   * Fills the row: a view of the member, mixed with a view of another one where that is asked for (Zhang et
   * al. 2018).
   */
  #mix(
    member: number,
    members: readonly number[],
    random: Random,
  ): { readonly target: number; readonly weight: number } {
    const { mixup } = this.#settings;
    this.#view(member, random, this.#row);
    if (mixup === 0) return { target: this.#target(member), weight: this.#weight(member) };
    const partner = random.pick(members);
    const share = beta(mixup, random);
    this.#view(partner, random, this.#other);
    for (let i = 0; i < this.#row.length; i++)
      this.#row[i] = share * (this.#row[i] ?? 0) + (1 - share) * (this.#other[i] ?? 0);
    const between = (one: number, other: number) => share * one + (1 - share) * other;
    return {
      target: between(this.#target(member), this.#target(partner)),
      weight: between(this.#weight(member), this.#weight(partner)),
    };
  }

  #view(member: number, random: Random, into: Float64Array): void {
    const { features, views, width } = this.#train;
    const which = views.length === 0 ? 0 : random.integer(1 + views.length);
    standardise(which === 0 ? features : (views[which - 1] ?? features), member * width, this.#scaling, into);
  }

  #target(member: number): number {
    const { labelSmoothing } = this.#settings;
    return this.#train.isAd[member] ? 1 - labelSmoothing / 2 : labelSmoothing / 2;
  }

  #weight(member: number): number {
    return this.#settings.classWeights[this.#train.isAd[member] ? 1 : 0];
  }

  /** What stays is made larger, so that nothing has to change when all of it is there. */
  #dropOut(random: Random): void {
    const { dropout } = this.#settings;
    if (dropout === 0) return;
    const kept = 1 / (1 - dropout);
    for (let i = 0; i < this.#row.length; i++)
      this.#row[i] = random.uniform() < dropout ? 0 : (this.#row[i] ?? 0) * kept;
  }

  /** L2 on the kernel, not on the biases; its gradient is added to the sums. */
  #penalty(parameters: Float32Array): number {
    const { l2 } = this.#settings;
    if (l2 === 0) return 0;
    let squares = 0;
    for (let i = 0; i < 2 * this.#train.width; i++) {
      const value = parameters[i] ?? 0;
      squares += value * value;
      this.sums[i] = (this.sums[i] ?? 0) + 2 * l2 * value;
    }
    return l2 * squares;
  }
}

function standardise(features: Float32Array, from: number, scaling: Scaling, into: Float64Array): void {
  const { mean, factor } = scaling;
  for (let i = 0; i < into.length; i++)
    into[i] = ((features[from + i] ?? 0) - (mean[i] ?? 0)) * (factor[i] ?? 0);
}

function score(parameters: Float32Array, row: Float64Array, output: 0 | 1): number {
  const width = row.length;
  let sum = parameters[2 * width + output] ?? 0;
  for (let i = 0; i < width; i++) sum += (parameters[output * width + i] ?? 0) * (row[i] ?? 0);
  return sum;
}

/** Beta(a, a), as the share of two Gamma(a) draws. */
function beta(a: number, random: Random): number {
  const [one, other] = [gamma(a, random), gamma(a, random)];
  return one + other === 0 ? 0.5 : one / (one + other);
}

/** Marsaglia and Tsang 2000; below 1 their boost by a power of a uniform. */
function gamma(a: number, random: Random): number {
  if (a < 1) return gamma(a + 1, random) * random.uniform() ** (1 / a);
  const d = a - 1 / 3;
  for (;;) {
    const normal = random.normal();
    const v = (1 + normal / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random.uniform()) < normal ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
