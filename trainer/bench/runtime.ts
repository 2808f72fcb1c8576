import { addonRuntime } from '@adbreak/shared/tflite/addon.js';
import { pixelEncoder } from '@adbreak/shared/tflite/classifier.js';
import { nativeRuntime } from '@adbreak/shared/tflite/native.js';
import type { Interpreter } from '@adbreak/shared/tflite/runtime.js';
import { LITE0_NORMALIZATION } from '../nn/efficientnet-lite0.js';
import { bothFiles, lite0 } from './models.js';

/** `make bench-runtime`: one thread, the same files, A B A B in one process; medians. */
const ROUNDS = 6;
const RUNS = { native: 30, addon: 6 };

async function measure(interpreter: Interpreter, input: Uint8Array, runs: number): Promise<number[]> {
  await interpreter.invoke([input]);
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    await interpreter.invoke([input]);
    times.push(performance.now() - started);
  }
  return times;
}
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const native = nativeRuntime();
const { graph, weights } = await lite0();
const files = await bothFiles(graph, native);
console.log(`EfficientNet-Lite0, ${weights} weights, 224×224, one thread, TFLite ${native.version}; ${ROUNDS} rounds A B A B, medians`);
const models = [];
for (const type of ['int8', 'float'] as const) {
  using ours = await native.open(files[type], { threads: 1 });
  using theirs = await addonRuntime().open(files[type], { threads: 1 });
  const [spec] = ours.inputs;
  const [pixels] = files.pixels;
  if (spec === undefined || pixels === undefined) throw new Error('the model has no input');
  const input = pixelEncoder(spec, LITE0_NORMALIZATION)(pixels);
  const times = { native: [] as number[], addon: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    times.native.push(...(await measure(ours, input, RUNS.native)));
    times.addon.push(...(await measure(theirs, input, RUNS.addon)));
  }
  const row = {
    model: `efficientnet_lite0_${type}`,
    native_ms: median(times.native),
    addon_ms: median(times.addon),
    ratio: median(times.addon) / median(times.native),
  };
  console.log(`${row.model.padEnd(26)} ours ${row.native_ms.toFixed(1)} ms   addon ${row.addon_ms.toFixed(1)} ms   ${row.ratio.toFixed(1)} times faster`);
  models.push(row);
}
console.log(JSON.stringify({ bench: 'runtime', ratio: models[0]?.ratio, models }));
