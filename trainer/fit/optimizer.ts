/** Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), with the moments' usual decays. */
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-7];

/** What is learnt, with its moments: everything that the next step depends on but its number. */
export interface Learnt {
  readonly values: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export interface Schedule {
  readonly learningRate: number;
  readonly schedule: 'cosine' | 'constant';
  readonly epochs: number;
  readonly warmupEpochs: number;
}

export function fresh(values: Float32Array): Learnt {
  return { values, first: new Float32Array(values.length), second: new Float32Array(values.length) };
}

export function copyOf({ values, first, second }: Learnt): Learnt {
  return { values: values.slice(), first: first.slice(), second: second.slice() };
}

/**
 * One step, in place. `step` counts from 1; `decay` is decoupled and leaves the values from `free` on alone:
 * biases.
 */
export function adamStep(
  { values, first, second }: Learnt,
  gradient: Float64Array,
  { step, rate, decay, free }: { step: number; rate: number; decay: number; free: number },
): void {
  const [c1, c2] = [1 - BETA1 ** step, 1 - BETA2 ** step];
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i] ?? 0;
    const m = BETA1 * (first[i] ?? 0) + (1 - BETA1) * g;
    const v = BETA2 * (second[i] ?? 0) + (1 - BETA2) * g * g;
    first[i] = m;
    second[i] = v;
    const shrunk = (values[i] ?? 0) * (1 - (i < free ? rate * decay : 0));
    values[i] = shrunk - (rate * (m / c1)) / (Math.sqrt(v / c2) + EPSILON);
  }
}

/**
 * The learning rate of a step, from 0, where an epoch has `steps` of them: up in a line, then down along half
 * a cosine; never above its peak, also where the warm-up ends within a step.
 */
export function rateAt(step: number, steps: number, settings: Schedule): number {
  const { learningRate, schedule, epochs, warmupEpochs } = settings;
  const warmup = Math.min(warmupEpochs, epochs) * steps;
  if (step < warmup) return learningRate * Math.min(1, (step + 1) / warmup);
  if (schedule === 'constant') return learningRate;
  const along = (step - warmup) / Math.max(1, epochs * steps - warmup);
  return (learningRate * (1 + Math.cos(Math.PI * Math.min(1, along)))) / 2;
}
