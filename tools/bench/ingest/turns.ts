import { availableParallelism } from 'node:os';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { checkKept, makeFleet } from './fleet.js';
import { type Hub, type Probe, startHub } from './hub.js';
import { Load, median, quantile, type Segment } from './load.js';
import type { Side } from './messages.js';
import type { Peer } from './mosquitto.js';
import { withOpened } from './opened.js';
import { cpuSeconds, type Hold, residentMb } from './processes.js';
import type { SizeResult } from './result.js';

/** What one fleet does to the hub and to the peer, in turns. */
export interface Settings {
  readonly devices: readonly number[];
  /** Each turn of each side: seconds that do not count, while code is compiled and windows open, and those that do. */
  readonly warm: number;
  readonly seconds: number;
  readonly rounds: number;
  /** Threads of the load generator. */
  readonly threads: number;
  /** Of the fleet with which a start is measured. */
  readonly stateDevices: number;
  /** After a start, before its memory is read. */
  readonly settleMs: number;
}
export interface Surroundings {
  readonly peer: (hub: Hub, hold: Hold) => Promise<Peer>;
  readonly signal: AbortSignal;
  /** Progress, for people. */
  readonly say: (line: string) => void;
}

/** Share of the time of a thread, or of all cores, from which on it has no more to give. */
const BUSY = 0.9;

/** One turn: what was acknowledged, and what it cost the side whose turn it was. */
interface Turn extends Segment {
  /** Cores that the side used, and the load generator. */
  readonly cores: number;
  readonly generatorCores: number;
}

/** A hub with its fleet connected. */
interface Stage {
  readonly hub: Hub;
  readonly load: Load;
  readonly rollout: string;
}

export async function prepare(
  devices: number,
  threads: number,
  { signal, say }: Surroundings,
  hold: Hold,
): Promise<Stage> {
  const hub = await startHub(await temporaryFolder(), hold);
  const fleet = await makeFleet(
    hub.address,
    devices,
    signal,
    every(devices, (n) => say(`${n} of ${devices} devices are enrolled`)),
  );
  const load = new Load(fleet, threads, signal);
  hold(load);
  await load.connect(
    'hub',
    hub.mqttPort,
    every(devices, (n) => say(`${n} of ${devices} devices are connected to the hub`)),
  );
  return { hub, load, rollout: fleet.pairing.rollout };
}

/** Progress at each fifth of what is long. */
function every(all: number, heard: (n: number) => void): (n: number) => void {
  const step = Math.max(200, Math.ceil(all / 5));
  return (n) => {
    if (n % step === 0 || n === all) heard(n);
  };
}

export async function turnOf(
  load: Load,
  side: Side,
  pid: number,
  { warm, seconds }: Pick<Settings, 'warm' | 'seconds'>,
): Promise<Turn> {
  const marks: { readonly side: Promise<number>; readonly generator: number }[] = [];
  const mark = () => {
    const { user, system } = process.cpuUsage();
    marks.push({ side: cpuSeconds(pid), generator: (user + system) / 1e6 });
  };
  const segment = await load.run(side, { warm, seconds }, { counting: mark, counted: mark });
  const [before, after] = marks;
  const used = ((await after?.side) ?? Number.NaN) - ((await before?.side) ?? Number.NaN);
  const generator = (after?.generator ?? Number.NaN) - (before?.generator ?? Number.NaN);
  return { ...segment, cores: used / seconds, generatorCores: generator / seconds };
}

/** The hub, the peer, the hub, the peer: with the same clients, which stay connected to both. */
export function compare(devices: number, settings: Settings, around: Surroundings): Promise<SizeResult> {
  const { rounds, threads } = settings;
  const { signal, say, peer } = around;
  return withOpened(signal, async (hold) => {
    const { hub, load, rollout } = await prepare(devices, threads, around, hold);
    const other = await peer(hub, hold);
    await load.connect(
      'peer',
      other.port,
      every(devices, (n) => say(`${n} of ${devices} devices are connected to ${other.name}`)),
    );
    const turns: Record<Side, Turn[]> = { hub: [], peer: [] };
    const probes: Probe[] = [];
    for (let round = 1; round <= rounds; round++)
      for (const [side, name, pid] of [
        ['hub', 'hub', hub.server.pid],
        ['peer', other.name, other.pid],
      ] as const) {
        if (side === 'hub') await hub.probe();
        const turn = await turnOf(load, side, pid, settings);
        if (side === 'hub') probes.push(await hub.probe());
        turns[side].push(turn);
        say(
          `${devices} devices, round ${round}: ${name} ${Math.round(turn.acksPerSecond)} a second, p99 ${quantile(turn.latencies, 0.99).toFixed(1)} ms`,
        );
      }
    await checkKept(hub.address, rollout, turns.hub.at(-1)?.acknowledged ?? new Map());
    const rss = await residentMb(hub.server.pid);
    await Promise.all([load.close('hub'), load.close('peer')]);
    await hub.server.stop();
    return resultOf(turns, probes, rss);
  });
}

function resultOf(
  { hub, peer }: Record<Side, readonly Turn[]>,
  probes: readonly Probe[],
  rss: number,
): SizeResult {
  const middle = (turns: readonly Turn[], of: (turn: Turn) => number) => round(median(turns.map(of)));
  const [ours, theirs] = [hub, peer].map((turns) => median(turns.map((turn) => turn.acksPerSecond)));
  const p99 = ({ latencies }: Turn) => quantile(latencies, 0.99);
  const limits = (turns: readonly Turn[]) => turns.filter(isGenerators).length > turns.length / 2;
  return {
    acks_per_s: round(ours ?? 0),
    mosquitto: round(theirs ?? 0),
    ratio: round((ours ?? 0) / Math.max(1, theirs ?? 0)),
    p99_ms: middle(hub, p99),
    mosquitto_p99_ms: middle(peer, p99),
    cpu_us: middle(hub, costOf),
    mosquitto_cpu_us: middle(peer, costOf),
    generator_cpu_us: middle(
      peer,
      ({ generatorCores, acksPerSecond }) => (1e6 * generatorCores) / Math.max(1, acksPerSecond),
    ),
    generator_busy: { hub: middle(hub, ({ busy }) => busy), mosquitto: middle(peer, ({ busy }) => busy) },
    generator_was_the_limit_of: [
      ...(limits(hub) ? (['hub'] as const) : []),
      ...(limits(peer) ? (['mosquitto'] as const) : []),
    ],
    event_loop_p99_ms: round(median(probes.map((probe) => probe.p99))),
    event_loop_longest_ms: round(Math.max(...probes.map(({ longest }) => longest))),
    rss_mb: round(rss),
  };
}

/** Processor time for a report, microseconds. */
function costOf({ cores, acksPerSecond }: Turn): number {
  return (1e6 * cores) / Math.max(1, acksPerSecond);
}

/**
 * Whether the rate is the generator's: the side had time left, and the generator, or the machine that both
 * share, had none.
 */
function isGenerators({ cores, generatorCores, busy }: Turn): boolean {
  return cores < BUSY && (busy > BUSY || cores + generatorCores > BUSY * availableParallelism());
}

/** Three decimals below ten, whole numbers from a thousand: nobody measures more. */
export function round(value: number): number {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return Number(value.toFixed(digits));
}
