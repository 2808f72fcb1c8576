/** How long one picture may take on a Raspberry Pi, milliseconds: an estimate, never a measurement. */
export interface PiEstimate {
  readonly device: 'Raspberry Pi 4' | 'Raspberry Pi 5';
  readonly threads: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Nanoseconds for each INT8 multiply-add on four cores of a Pi 4: XNNPACK's own table (README, 8 February
 * 2022, 64 bit) has MobileNet v1 in 24 ms and v2 in 17 ms, which have 569 and 300 million.
 */
const PI_4_NANOSECONDS = { low: 24 / 569, high: 17 / 300 } as const;
/**
 * One core takes so much longer than four: SSDLite MobileNet v2 INT8, 168 and 57 ms
 * (NobuoTsukamoto/benchmarks, its page on the Raspberry Pi).
 */
const FOUR_CORES = 2.9;
/**
 * A Pi 5 beside a Pi 4: 2.4 GHz for 1.5, and instructions for dot products of bytes, which multiply four
 * times as much at once. No table of XNNPACK has it, so the range is wide.
 */
const PI_5_TIMES = { low: 2.5, high: 5 } as const;

/**
 * From a model's multiply-adds (`adbreak model inspect`). Between one core and four the gain is taken as
 * even.
 */
export function estimateOnPi(multiplyAdds: number, threads: number): PiEstimate[] {
  const cores = Math.min(4, Math.max(1, threads));
  const slower = FOUR_CORES / (1 + ((cores - 1) * (FOUR_CORES - 1)) / 3);
  const million = (multiplyAdds / 1e6) * slower;
  const [low, high] = [million * PI_4_NANOSECONDS.low, million * PI_4_NANOSECONDS.high];
  return [
    { device: 'Raspberry Pi 4', threads: cores, low, high },
    { device: 'Raspberry Pi 5', threads: cores, low: low / PI_5_TIMES.high, high: high / PI_5_TIMES.low },
  ];
}
