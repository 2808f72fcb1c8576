import type { DeviceReply } from '@adbreak/shared/contract/device-commands.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import { InferenceChild, type ModelFile } from '../inference/child.js';
import { memoryMb } from '../inference/memory.js';
import { countLatency } from '../shadow/episode-log.js';

export type Benchmark = Omit<Extract<DeviceReply, { command: 'benchmark' }>, 'outcome' | 'at' | 'command'>;

interface Options {
  readonly model: ModelFile;
  readonly threads: number;
  readonly runtime: RuntimeChoice;
  readonly seconds: number;
  /** The processes whose memory counts with that of the measured one. */
  readonly pids: readonly (number | undefined)[];
  readonly signal: AbortSignal;
}

/** Patterns in turns, so that nothing is measured twice in a row on the same bytes. */
const PATTERNS = 4;

/**
 * How fast a model is beside the live picture: a child of its own, on test patterns, as no picture leaves the device.
 * Rejects with `inference_failed`, or as the signal does.
 */
export async function benchmark({ model, seconds, pids, signal, ...how }: Options): Promise<Benchmark> {
  const { version, digest, preprocess } = model.manifest;
  const { width, height } = preprocess;
  const frames = Array.from({ length: PATTERNS }, (_, index) => testPattern(index, width, height));
  await using child = await InferenceChild.start(model, how);
  let latency: [number, number][] = [];
  let inferences = 0;
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    signal.throwIfAborted();
    const frame = frames[inferences % PATTERNS];
    if (frame === undefined) break;
    const { milliseconds } = await child.infer(frame);
    latency = countLatency(latency, milliseconds);
    inferences += 1;
  }
  return {
    model: { version, digest },
    runtime: child.runtime,
    inferences,
    latency,
    memoryMb: await memoryMb([...pids, child.pid]),
  };
}
