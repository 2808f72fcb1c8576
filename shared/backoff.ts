/** Pauses between tries. They double from the first to the longest, and of each the share `jitter` is left to chance. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
  /** 0: always the whole pause, as for a source of one's own; .5: its upper half; 1: all of it, so that a fleet never comes in step. */
  readonly jitter: number;
}

/** The pause before the try after `failures` failures (1, 2, …), milliseconds; `uniform` from [0, 1) draws it. */
export function pauseAfter(
  { firstMs, longestMs, jitter }: Backoff,
  failures: number,
  uniform: number,
): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return whole * (1 - jitter + jitter * uniform);
}
