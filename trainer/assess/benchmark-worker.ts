import { readFile } from 'node:fs/promises';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import type { BenchmarkOrder } from './benchmark.js';
import { type Benchmark, summariseLatency } from './latency.js';

/** What benchmark.ts starts: loads models, runs them on patterns in turns, answers once. */
const WARM_UP = 10;
const PATTERNS = 4;
/** Of fewer inferences nobody knows a P95. */
const FEWEST = 20;
const MIB = 1024 * 1024;

async function measure({
  models,
  threads,
  runtime: choice,
  inferences,
  mostMs,
}: BenchmarkOrder): Promise<Benchmark> {
  const pictures = models.map(({ preprocess: { width, height } }) =>
    Array.from({ length: PATTERNS }, (_, index) => testPattern(index, width, height)),
  );
  const before = process.memoryUsage.rss();
  const started = performance.now();
  const runtime = openRuntime(choice);
  const classifiers: AdClassifier[] = [];
  for (const { path, preprocess } of models)
    classifiers.push(new AdClassifier(await runtime.open(await readFile(path), { threads }), preprocess));
  const infer = async (turn: number) => {
    for (const [i, classifier] of classifiers.entries()) {
      const picture = pictures[i]?.[turn % PATTERNS];
      if (picture !== undefined) await classifier.adProbability(picture);
    }
  };
  await infer(0);
  const coldStartMs = performance.now() - started;
  for (let turn = 1; turn < WARM_UP; turn++) await infer(turn);
  const milliseconds: number[] = [];
  const deadline = performance.now() + mostMs;
  for (let turn = 0; turn < inferences; turn++) {
    const begun = performance.now();
    if (turn >= FEWEST && begun > deadline) break;
    await infer(turn);
    milliseconds.push(performance.now() - begun);
  }
  // Of resourceUsage in kilobytes, whatever the system.
  const largest = process.resourceUsage().maxRSS * 1024;
  return {
    runtime: runtime.name,
    threads,
    ...summariseLatency(milliseconds),
    coldStartMs,
    memoryMb: largest / MIB,
    modelMemoryMb: Math.max(0, largest - before) / MIB,
  };
}

process.once('message', (order: BenchmarkOrder) => {
  measure(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) =>
      process.send?.({
        code: error instanceof AdbreakError ? error.code : 'inference_failed',
        message: explain(error).slice(0, 2000),
      }),
  );
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group: whoever started this ends it.
process.on('SIGINT', () => undefined);
