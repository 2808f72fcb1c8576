import { availableParallelism } from 'node:os';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { startMosquitto } from './mosquitto.js';
import { tableOf } from './result.js';
import { ingest } from './run.js';
import type { Settings } from './turns.js';

/**
 * `make bench-ingest`: how many window reports a second a real hub acknowledges, beside Mosquitto with the
 * same clients, certificates and messages, in turns. SECONDS_EACH= (8), ROUNDS= (2), DEVICES=
 * (200,1000,5000; fewer or longer, and each may meet its quota of messages); STATE= (10000) devices for the
 * start, its memory and the gate's look (0 leaves them out), THREADS= of the load generator; HUB_FLAGS= goes
 * to the hub's Node, to profile it.
 */
function settingsOf(env: NodeJS.ProcessEnv): Settings {
  const given = (name: string) => (env[name] === undefined || env[name] === '' ? null : env[name]);
  const number = (name: string, text: string, low: number, high: number) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw new RangeError(
      `Cannot run the benchmark: ${name} must be a whole number from ${low} to ${high}: current value is ${text}`,
    );
  };
  return {
    devices: (given('DEVICES') ?? '200,1000,5000')
      .split(',')
      .map((text) => number('DEVICES', text.trim(), 1, 10_000)),
    warm: 1,
    // Idle sessions of the other side live for 300 s.
    seconds: number('SECONDS_EACH', given('SECONDS_EACH') ?? '8', 1, 120),
    rounds: number('ROUNDS', given('ROUNDS') ?? '2', 1, 20),
    threads: number('THREADS', given('THREADS') ?? String(availableParallelism()), 1, 16),
    stateDevices: number('STATE', given('STATE') ?? '10000', 0, 10_000),
    settleMs: 2000,
  };
}

const interruption = onInterruption();
await runProgram(async () => {
  const began = performance.now();
  const say = (line: string) =>
    console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  const result = await ingest(settingsOf(process.env), {
    peer: startMosquitto,
    signal: interruption.signal,
    say,
  });
  console.log(tableOf(result));
  console.log(JSON.stringify(result));
}, interruption);
