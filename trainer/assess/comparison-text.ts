import type { Comparison, MetricDifference } from './comparison.js';
import type { Benchmark } from './latency.js';
import type { Viewing } from './viewing.js';

/** A comparison as lines for people. */
export function formatComparison(
  { frames, groups, metrics, viewing }: Comparison,
  names: readonly [string, string],
  benchmarks: readonly Benchmark[],
): string[] {
  return [
    `A: ${names[0]}`,
    `B: ${names[1]}`,
    `${frames} pictures of ${groups} ${groups === 1 ? 'recording or scene' : 'recordings or scenes'}`,
    `${''.padEnd(10)} ${'A'.padStart(7)} ${'B'.padStart(7)}   ${'B - A, 95 %'.padEnd(RANGE_WIDTH)}  better`,
    ...metrics.map(formatDifference),
    ...viewing.flatMap((one, i) => (one === null ? [] : [`${nameOf(i)}: ${formatViewing(one)}`])),
    ...benchmarks.map(({ p50Ms, p95Ms, modelMemoryMb }, i) =>
      [
        `${nameOf(i)}: P50 ${p50Ms.toFixed(2)} ms, P95 ${p95Ms.toFixed(2)} ms,`,
        `${modelMemoryMb.toFixed(0)} MiB`,
      ].join(' '),
    ),
    verdictOf(metrics),
  ];
}

/** Of an interval, or of the words for none. */
const RANGE_WIDTH = 18;

function nameOf(place: number): string {
  return place === 0 ? 'A' : 'B';
}

function formatViewing({ falseMutesPerHour, missed, breaks }: Viewing): string {
  return `${falseMutesPerHour.toFixed(2)} false mutes an hour, ${missed} of ${breaks} breaks missed`;
}

function verdictOf(metrics: readonly MetricDifference[]): string {
  const better = metrics.flatMap(({ metric, better: which }) =>
    which === null ? [] : [`${which.toUpperCase()} in ${metric}`],
  );
  return better.length === 0
    ? 'The two cannot be told apart on these pictures.'
    : `Better: ${better.join(', ')}`;
}

function formatDifference({ metric, a, b, interval, better }: MetricDifference): string {
  const range =
    interval === null ? 'too few recordings' : `${signed(interval.low)} to ${signed(interval.high)}`;
  const mark = better === null ? '' : `  ${better.toUpperCase()}`;
  const figures = [a, b].map((value) => value.toFixed(3).padStart(7)).join(' ');
  return `${metric.padEnd(10)} ${figures}   ${range.padEnd(RANGE_WIDTH)}${mark}`.trimEnd();
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}
