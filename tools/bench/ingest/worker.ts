import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureContext } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { explain } from '@adbreak/shared/errors.js';
import { contextOf, IngestClient } from './client.js';
import { order, type Side, share, type Word } from './messages.js';
import { Reports } from './reports.js';

/**
 * A thread of the load generator: its share of the fleet, connected to both sides, driving one of them at a
 * time.
 */
const HANDSHAKES_AT_ONCE = 16;
/** The slowest that a hub may be with what is under way when the time is over. */
const DRAIN_SECONDS = 120;

const { authority, spans, pairing, devices } = share.parse(workerData);
const fleet = devices.map((credentials) => {
  const reports = new Reports(credentials.device, credentials.index, pairing, spans);
  // Made at its first handshake, and used for both sides: thousands of them at once would hold this thread up.
  let known: SecureContext | undefined;
  const secureContext = () => {
    known ??= contextOf(credentials, authority);
    return known;
  };
  return { credentials, reports, secureContext };
});
fleet[0]?.reports.check();
const clients: Record<Side, IngestClient[]> = { hub: [], peer: [] };

const say = (word: Word) => parentPort?.postMessage(word);
/** Why this thread can no longer do what it is told: a session may end while nobody listens, between two orders. */
let broken: Word | null = null;
function fail(error: unknown): void {
  broken ??= { kind: 'failed', reason: explain(error) };
  say(broken);
}

async function connect(side: Side, port: number): Promise<void> {
  const waiting = [...fleet];
  const open = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      clients[side].push(
        await IngestClient.open(next.credentials, next.secureContext(), next.reports, port, fail),
      );
      say({ kind: 'connecting', connected: clients[side].length });
    }
  };
  await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, open));
  say({ kind: 'connected' });
}

async function run(side: Side, warm: number, seconds: number): Promise<void> {
  const latencies: number[] = [];
  let counts = false;
  let goesOn = true;
  let underWay = clients[side].length;
  let drained = () => undefined as void;
  const empty = new Promise<void>((resolve) => {
    drained = resolve;
  });
  const answered = (ms: number) => {
    if (counts) latencies.push(ms);
    if (goesOn) return true;
    underWay -= 1;
    if (underWay === 0) drained();
    return false;
  };
  for (const client of clients[side]) client.run(answered);
  await sleep(warm * 1000);
  say({ kind: 'counting' });
  counts = true;
  const [before, idle] = [performance.now(), performance.eventLoopUtilization()];
  await sleep(seconds * 1000);
  counts = false;
  const [after, busy] = [performance.now(), performance.eventLoopUtilization(idle).utilization];
  say({ kind: 'counted' });
  goesOn = false;
  const late = sleep(DRAIN_SECONDS * 1000, 'late' as const, { ref: false });
  if (underWay > 0 && (await Promise.race([empty, late])) === 'late')
    throw new Error(`${underWay} reports were not acknowledged within ${DRAIN_SECONDS} s`);
  const acknowledged = clients[side].map(({ device, acknowledged }): [string, number] => [
    device,
    acknowledged,
  ]);
  say({
    kind: 'done',
    latencies: Float32Array.from(latencies),
    seconds: (after - before) / 1000,
    busy,
    acknowledged,
  });
}

parentPort?.on('message', (value: unknown) => {
  if (broken !== null) return say(broken);
  const asked = order.parse(value);
  switch (asked.kind) {
    case 'connect':
      return void connect(asked.side, asked.port).catch(fail);
    case 'run':
      return void run(asked.side, asked.warm, asked.seconds).catch(fail);
    case 'close':
      for (const client of clients[asked.side].splice(0)) client.close();
      return say({ kind: 'closed' });
  }
});
