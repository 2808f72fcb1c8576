import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Loaded into the hub's process before the hub (`node --import`): tells its parent, when asked, how long the
 * event loop was held up since it was asked last, and what share of the time it was busy. The hub itself
 * knows nothing of it.
 */
const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
let since = performance.eventLoopUtilization();

const ms = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);

process.on('message', (asked) => {
  if (asked !== 'probe') return;
  const busy = performance.eventLoopUtilization(since).utilization;
  process.send?.({ probe: { p99: ms(delay.percentile(99)), longest: ms(delay.max), busy } });
  delay.reset();
  since = performance.eventLoopUtilization();
});
// Listening keeps no process alive that has come to its end.
process.channel?.unref();
