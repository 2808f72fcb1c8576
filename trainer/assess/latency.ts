import { quantile } from './bootstrap.js';

/** Milliseconds and MiB on the machine that trained, through the runtime that the Pi has. */
export interface Benchmark {
  readonly runtime: string;
  readonly threads: number;
  readonly inferences: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** From the file on disk to the first answer. */
  readonly coldStartMs: number;
  /** Largest memory of the process, and what the model added to it. */
  readonly memoryMb: number;
  readonly modelMemoryMb: number;
}

/** @param milliseconds of each inference, at least one */
export function summariseLatency(
  milliseconds: readonly number[],
): Pick<Benchmark, 'inferences' | 'meanMs' | 'p50Ms' | 'p95Ms' | 'p99Ms'> {
  return {
    inferences: milliseconds.length,
    meanMs: milliseconds.reduce((sum, value) => sum + value, 0) / milliseconds.length,
    p50Ms: quantile(milliseconds, 0.5),
    p95Ms: quantile(milliseconds, 0.95),
    p99Ms: quantile(milliseconds, 0.99),
  };
}
