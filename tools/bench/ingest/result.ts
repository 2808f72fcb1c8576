import { z } from 'zod';

/**
 * The last line of `make bench-ingest`, and the table before it. Rates are reports acknowledged a second;
 * medians of the rounds.
 */
const amount = z.number().nonnegative();
/** Null where STATE=0 left the large fleet out. */
const ofLarge = amount.nullable();
const size = z.strictObject({
  acks_per_s: amount,
  mosquitto: amount,
  ratio: amount,
  p99_ms: amount,
  mosquitto_p99_ms: amount,
  /** Processor time that each side spent on a report, all its threads together, microseconds. */
  cpu_us: amount,
  mosquitto_cpu_us: amount,
  /** And the load generator, on the same cores. */
  generator_cpu_us: amount,
  /** Share of the time in which the busiest thread of the load generator was busy, by whose turn it was. */
  generator_busy: z.strictObject({ hub: amount, mosquitto: amount }),
  /**
   * Whose rate is the generator's, not its own: that side had time left, and the generator or the machine had
   * none.
   */
  generator_was_the_limit_of: z.array(z.enum(['hub', 'mosquitto'])),
  event_loop_p99_ms: amount,
  event_loop_longest_ms: amount,
  rss_mb: amount,
});
export type SizeResult = z.infer<typeof size>;

export const ingestResult = z.strictObject({
  bench: z.literal('ingest'),
  devices: z.record(z.string().regex(/^\d+$/), size),
  /** The rate at the largest fleet as a share of the rate at the smallest. */
  largest_to_smallest: amount,
  /**
   * A hub that was just started on an empty folder; a start lasts from the process's beginning until it
   * answers.
   */
  idle_rss_mb: amount,
  start_empty_s: amount,
  /** A hub with the large fleet, connected and reporting. */
  rss_mb: ofLarge,
  /** The same after a start with that state, nobody connected. */
  rss_after_start_mb: ofLarge,
  start_10k_s: ofLarge,
  /** Devices of the large fleet: 10,000, but where STATE= says otherwise. */
  state_devices: z.int(),
  state_acks_per_s: ofLarge,
  /**
   * While the large fleet reports: 99 of 100 timers of a millisecond came no later than this, and the latest.
   */
  event_loop_p99_ms: ofLarge,
  event_loop_longest_ms: ofLarge,
  /**
   * tools/bench/ingest/tick.ts: a look that finds nothing new, one that closes an hour of all devices, one that closes
   * a week.
   */
  tick_10k_ms: ofLarge,
  tick_10k_hour_ms: ofLarge,
  tick_10k_week_ms: ofLarge,
  seconds_each: amount,
  rounds: z.int(),
  generator_threads: z.int(),
  /** Of the machine when the benchmark began: with others at work the ratios say more than the rates. */
  load_before: amount,
  cores: z.int(),
  node: z.string(),
  seconds: amount,
});
export type IngestResult = z.infer<typeof ingestResult>;

const whole = (n: number) => Math.round(n).toLocaleString('en-US');

/** The same for people. */
export function tableOf(result: IngestResult): string {
  const head = [
    'devices',
    'hub a second',
    'Mosquitto',
    'ratio',
    'p99 ms',
    'its p99',
    'µs a report',
    'its µs',
    'hub MiB',
  ];
  const rows = Object.entries(result.devices).map(([devices, one]) => [
    whole(Number(devices)),
    whole(one.acks_per_s),
    `${one.generator_was_the_limit_of.includes('mosquitto') ? '≥ ' : ''}${whole(one.mosquitto)}`,
    `${one.generator_was_the_limit_of.includes('mosquitto') ? '≤ ' : ''}${one.ratio.toFixed(3)}`,
    whole(one.p99_ms),
    whole(one.mosquitto_p99_ms),
    whole(one.cpu_us),
    whole(one.mosquitto_cpu_us),
    whole(one.rss_mb),
  ]);
  const table = [head, ...rows].map((row) => row.map((cell) => cell.padStart(13)).join('')).join('\n');
  const limited = Object.values(result.devices).some((one) => one.generator_was_the_limit_of.length > 0);
  const note = limited
    ? '\n≥: the load generator, on the same cores, was the limit there; what each side spends on a report says how far it would go'
    : '';
  return `${table}${note}\n${stateOf(result)}`;
}

function stateOf(result: IngestResult): string {
  const {
    state_devices,
    start_10k_s,
    rss_after_start_mb,
    rss_mb,
    event_loop_p99_ms,
    event_loop_longest_ms,
    tick_10k_ms,
  } = result;
  if (start_10k_s === null) return 'the start with a large fleet was left out';
  return [
    `${whole(state_devices)} devices: started in ${start_10k_s.toFixed(1)} s with ${whole(rss_after_start_mb ?? 0)} MiB; ${whole(rss_mb ?? 0)} MiB while they report`,
    `event loop held up for ${whole(event_loop_p99_ms ?? 0)} ms (p99), ${whole(event_loop_longest_ms ?? 0)} ms at most; a look of the gate ${whole(tick_10k_ms ?? 0)} ms`,
  ].join('; ');
}
