import type { TestMetrics } from '@adbreak/shared/contract/manifest.js';
import type { TrainingConfig } from '../config/schema.js';

export type Requirements = TrainingConfig['deployment']['requirements'];

/** One requirement beside what was measured. */
export interface Verdict {
  readonly name: keyof Requirements;
  readonly wanted: number;
  readonly got: number;
  readonly met: boolean;
}

/** What of the requirements a model meets. `p95Ms`: 95 of 100 pictures took no longer. */
export function verdictsOf(
  { min_accuracy, min_f1_score, max_inference_time_ms }: Requirements,
  metrics: Pick<TestMetrics, 'accuracy' | 'f1'>,
  p95Ms: number,
): Verdict[] {
  const least = (name: keyof Requirements, wanted: number, got: number) => ({
    name,
    wanted,
    got,
    met: got >= wanted,
  });
  return [
    least('min_accuracy', min_accuracy, metrics.accuracy),
    least('min_f1_score', min_f1_score, metrics.f1),
    {
      name: 'max_inference_time_ms',
      wanted: max_inference_time_ms,
      got: p95Ms,
      met: p95Ms <= max_inference_time_ms,
    },
  ];
}

/** `✓ min_accuracy: 0.934, wanted 0.900` or `⚠ …, missed by 0.012`. */
export function formatVerdict({ name, wanted, got, met }: Verdict): string {
  const digits = name === 'max_inference_time_ms' ? 1 : 3;
  const measured = `${name}: ${got.toFixed(digits)}, wanted ${wanted.toFixed(digits)}`;
  return met ? `✓ ${measured}` : `⚠ ${measured}, missed by ${Math.abs(got - wanted).toPrecision(2)}`;
}
