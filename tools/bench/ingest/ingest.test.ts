import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Broker } from '@adbreak/hub/broker/broker.js';
import { Authority } from '@adbreak/hub/identity/authority.js';
import type { Hub } from './hub.js';
import type { Hold } from './processes.js';
import { ingestResult, tableOf } from './result.js';
import { ingest } from './run.js';
import { compare } from './turns.js';

/**
 * In Mosquitto's place, which is not everywhere: our broker alone, with the same authority, that keeps
 * nothing.
 */
async function brokerAlone(hub: Hub, hold: Hold) {
  const authority = await Authority.open(join(hub.state, 'identity'), new Date(), { begin: false });
  const broker = await Broker.start({
    server: await authority.issueServer([], new Date()),
    authority: authority.certificate,
    host: '127.0.0.1',
    port: 0,
    log: () => undefined,
    policy: {
      admit: () => null,
      spend: () => null,
      barred: () => null,
      take: async () => undefined,
      connection: () => undefined,
    },
  });
  hold({ [Symbol.asyncDispose]: () => broker.close() });
  return { name: 'the broker alone', port: broker.port, pid: process.pid };
}
const settings = {
  devices: [5],
  warm: 0.1,
  seconds: 0.5,
  rounds: 1,
  threads: 2,
  stateDevices: 4,
  settleMs: 100,
};
const noTicks = async () => ({ tick_10k_ms: 0, tick_10k_hour_ms: 0, tick_10k_week_ms: 0 });

test('the benchmark as it is, with a handful of devices: everything acknowledged is kept, and the last line has its shape', {
  timeout: 200_000,
}, async () => {
  const said: string[] = [];
  const around = {
    peer: brokerAlone,
    signal: new AbortController().signal,
    say: (line: string) => void said.push(line),
  };
  const result = ingestResult.parse(JSON.parse(JSON.stringify(await ingest(settings, around, noTicks))));
  const five = result.devices['5'];
  assert.ok(five !== undefined && five.acks_per_s > 0 && five.mosquitto > 0 && five.p99_ms > 0);
  assert.ok((result.start_10k_s ?? 0) > 0 && (result.rss_mb ?? 0) > 20 && result.idle_rss_mb > 20);
  assert.match(tableOf(result), /^\s+5\s/m);
  assert.ok(said.some((line) => line.startsWith('5 devices, round 1: hub ')));
});

test('Ctrl-C in the middle ends it, and the hub with it', { timeout: 200_000 }, async () => {
  const stop = new AbortController();
  const pids: number[] = [];
  const peer = async (hub: Hub) => {
    pids.push(hub.server.pid);
    stop.abort(new Error('stopped by a person'));
    return { name: 'nobody', port: 1, pid: process.pid };
  };
  await assert.rejects(
    compare(5, settings, { peer, signal: stop.signal, say: () => undefined }),
    /stopped by a person|ended/,
  );
  assert.ok(pids.length === 1 && pids.every(isGone));
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
