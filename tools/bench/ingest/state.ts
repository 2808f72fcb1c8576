import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { checkKept } from './fleet.js';
import { startHub } from './hub.js';
import { withOpened } from './opened.js';
import { residentMb } from './processes.js';
import type { IngestResult } from './result.js';
import { prepare, round, type Settings, type Surroundings, turnOf } from './turns.js';

/** What a hub weighs: empty, and with a large fleet of which every device has given evidence to a rollout. */
export function idleHub(
  { settleMs }: Settings,
  { signal, say }: Surroundings,
): Promise<Pick<IngestResult, 'idle_rss_mb' | 'start_empty_s'>> {
  return withOpened(signal, async (hold) => {
    const hub = await startHub(await temporaryFolder(), hold);
    await sleep(settleMs, undefined, { signal });
    const idle = await residentMb(hub.server.pid);
    say(`an empty hub started in ${hub.startSeconds.toFixed(1)} s and has ${Math.round(idle)} MiB`);
    await hub.server.stop();
    return { idle_rss_mb: round(idle), start_empty_s: round(hub.startSeconds) };
  });
}

export type Large = Pick<
  IngestResult,
  | 'rss_mb'
  | 'rss_after_start_mb'
  | 'start_10k_s'
  | 'state_devices'
  | 'state_acks_per_s'
  | 'event_loop_p99_ms'
  | 'event_loop_longest_ms'
>;
/** The whole fleet reports, the hub is stopped in good order, and started again on what it has kept. */
export function largeHub(settings: Settings, around: Surroundings): Promise<Large> {
  const { stateDevices, threads, settleMs } = settings;
  const { signal, say } = around;
  return withOpened(signal, async (hold) => {
    const { hub, load, rollout } = await prepare(stateDevices, threads, around, hold);
    await hub.probe();
    const turn = await turnOf(load, 'hub', hub.server.pid, settings);
    const probe = await hub.probe();
    await checkKept(hub.address, rollout, turn.acknowledged);
    const rss = await residentMb(hub.server.pid);
    say(
      `${stateDevices} devices: hub ${Math.round(turn.acksPerSecond)} a second; it is stopped and started again`,
    );
    await load.close('hub');
    await hub.server.stop();
    const again = await startHub(hub.state, hold, hub.address.token);
    await sleep(settleMs, undefined, { signal });
    const after = await residentMb(again.server.pid);
    await checkKept(again.address, rollout, turn.acknowledged);
    await again.server.stop();
    return {
      rss_mb: round(rss),
      rss_after_start_mb: round(after),
      start_10k_s: round(again.startSeconds),
      state_devices: stateDevices,
      state_acks_per_s: round(turn.acksPerSecond),
      event_loop_p99_ms: round(probe.p99),
      event_loop_longest_ms: round(probe.longest),
    };
  });
}
