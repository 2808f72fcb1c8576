import { z } from 'zod';

/**
 * The last line of `make bench-train`, and the table before it. Seconds are medians of the rounds, from the
 * start of a process to its end where nothing else is said.
 */
const amount = z.number().nonnegative();
const quality = z.strictObject({ accuracy: amount, f1: amount, roc_auc: amount });
/** What each side's INT8 file is worth on the test split. */
const worth = z.strictObject({ ours: quality, keras: quality });

const frozen = z.strictObject({
  ours_s: amount,
  keras_s: amount,
  ratio: amount,
  /** Processor time of each, all threads together: with others at work on the machine it says more. */
  ours_cpu_s: amount,
  keras_cpu_s: amount,
  pictures: z.int(),
  epochs: z.int(),
  calibration_pictures: z.int(),
  worth,
  /** Where Keras spends its seconds. */
  keras_parts: z.record(z.string(), amount),
});
const step = z.strictObject({
  /** One step alone: the gradient of a batch and the update of all weights. */
  ours_s: amount,
  keras_s: amount,
  ratio: amount,
  batch: z.int(),
  /** Pictures that go through our backend at once: its memory may not hold a batch. */
  ours_batch: z.int(),
  steps: z.int(),
  /** Of tfjs. */
  backend: z.string(),
});

export const trainResult = z.strictObject({
  bench: z.literal('train'),
  /** Null where ONLY= left them out. */
  frozen: frozen.nullable(),
  step: step.nullable(),
  /** Another head on the same pictures, as a share of the first run. */
  second_run: amount.nullable(),
  second_run_s: amount.nullable(),
  rounds: z.int(),
  /** Of our runtime and of Google's; Keras takes what it wants. */
  threads: z.int(),
  cores: z.int(),
  /** Of the machine: with others at work the ratios say more than the seconds. */
  load_before: amount,
  load_after: amount,
  node: z.string(),
  seconds: amount,
});
export type TrainResult = z.infer<typeof trainResult>;

/** Of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** The same for people. */
export function tableOf({ frozen: all, step: one, second_run, second_run_s }: TrainResult): string {
  const rows = [['', 'ours s', 'Keras s', 'ratio']];
  if (all !== null)
    rows.push(
      [`${all.pictures} pictures to INT8 metrics`, ...cells(all)],
      ['another head after it', ...second()],
    );
  if (one !== null) rows.push([`a step at batch ${one.batch} (${one.backend})`, ...cells(one)]);
  return rows
    .map(([name = '', ...values]) => name.padEnd(34) + values.map((value) => value.padStart(10)).join(''))
    .join('\n');

  function second(): string[] {
    return [(second_run_s ?? 0).toFixed(2), '–', `${(second_run ?? 0).toFixed(3)} of ours`];
  }
}

function cells({ ours_s, keras_s, ratio }: { ours_s: number; keras_s: number; ratio: number }): string[] {
  return [ours_s.toFixed(2), keras_s.toFixed(2), ratio.toFixed(3)];
}
