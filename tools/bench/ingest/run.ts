import { once } from 'node:events';
import { availableParallelism, loadavg } from 'node:os';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { withOpened } from './opened.js';
import { requireFiles } from './processes.js';
import type { IngestResult, SizeResult } from './result.js';
import { idleHub, type Large, largeHub } from './state.js';
import { compare, round, type Settings, type Surroundings } from './turns.js';

const tickTimes = z.object({ ms: z.number(), windowMs: z.number(), closingMs: z.number() });
type Ticks = Pick<IngestResult, 'tick_10k_ms' | 'tick_10k_hour_ms' | 'tick_10k_week_ms'>;

const NO_TICKS: Ticks = { tick_10k_ms: null, tick_10k_hour_ms: null, tick_10k_week_ms: null };
const NO_LARGE: Large = {
  rss_mb: null,
  rss_after_start_mb: null,
  start_10k_s: null,
  state_devices: 0,
  state_acks_per_s: null,
  event_loop_p99_ms: null,
  event_loop_longest_ms: null,
};

/**
 * Everything that the last line tells, one after the other: nothing else of ours runs while something is
 * measured.
 */
export async function ingest(
  settings: Settings,
  around: Surroundings,
  ticks = tickOf,
): Promise<IngestResult> {
  const [before, began] = [loadavg()[0] ?? 0, performance.now()];
  const { devices: sizes, stateDevices, seconds, rounds, threads } = settings;
  // A connection to each side, and what the processes have open besides.
  await requireFiles(Math.max(2 * Math.max(...sizes), stateDevices) + 500);
  const idle = await idleHub(settings, around);
  const devices: Record<string, SizeResult> = {};
  for (const size of sizes) devices[size] = await compare(size, settings, around);
  const large = stateDevices === 0 ? NO_LARGE : await largeHub(settings, around);
  if (stateDevices > 0) around.say('the gate’s look at 10,000 devices');
  const tick = stateDevices === 0 ? NO_TICKS : await ticks(around.signal);
  const rateOf = (size: number) => devices[size]?.acks_per_s ?? 0;
  return {
    bench: 'ingest',
    devices,
    largest_to_smallest: round(rateOf(Math.max(...sizes)) / Math.max(1, rateOf(Math.min(...sizes)))),
    ...large,
    ...idle,
    ...tick,
    seconds_each: seconds,
    rounds,
    generator_threads: threads,
    load_before: round(before),
    cores: availableParallelism(),
    node: process.version,
    seconds: round((performance.now() - began) / 1000),
  };
}

function tickOf(signal: AbortSignal): Promise<Ticks> {
  return withOpened(signal, async (hold) => {
    const worker = new Worker(new URL('./tick-worker.js', import.meta.url));
    hold({ [Symbol.asyncDispose]: async () => void (await worker.terminate()) });
    const [said] = await once(worker, 'message', { signal });
    const { ms, windowMs, closingMs } = tickTimes.parse(said);
    return { tick_10k_ms: round(ms), tick_10k_hour_ms: round(windowMs), tick_10k_week_ms: round(closingMs) };
  });
}
