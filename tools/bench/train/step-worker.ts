import { seeded } from '@adbreak/shared/random.js';
import { foldBatchNorm } from '@adbreak/trainer/convert/optimise/fold.js';
import { openBackend } from '@adbreak/trainer/fit/backend.js';
import { fitNetwork, type NetworkSettings } from '@adbreak/trainer/fit/network/fit-network.js';
import type { Lesson } from '@adbreak/trainer/fit/network/network.js';
import { storedGraph } from '@adbreak/trainer/fit/networks.js';
import { storedNetwork } from '@adbreak/trainer/weights/store.js';

/**
 * step-worker.js BATCH STEPS: steps of `fitNetwork` over the whole of EfficientNet-Lite0 on the backend that
 * `adbreak train` would take; one line of JSON with the seconds of each, the first left out.
 */
const SIDE = 224;
const [batch = 32, steps = 2] = process.argv.slice(2).map(Number);
const stored = await storedNetwork('efficientnet_lite0');
if (stored === null) throw new Error('no weights are stored: `adbreak weights pull` fetches them');
const size = { width: SIDE, height: SIDE, scaler: 'area' } as const;
const graph = foldBatchNorm(storedGraph('efficientnet_lite0', stored, size));

const random = seeded('bench-train/step');
const picture = Float32Array.from({ length: SIDE * SIDE * 3 }, () => random.between(-1, 1));
const lessons = Array.from(
  { length: batch * (steps + 1) },
  (_, i): Lesson => ({ fill: (into, at) => into.set(picture, at), target: i % 2, features: null }),
);
const { name: backend } = await openBackend();
const seconds: number[] = [];
let last = performance.now();
const settings: NetworkSettings = {
  stage: 'all',
  seed: 1,
  batchSize: batch,
  epochs: 1,
  learningRate: 1e-4,
  warmupEpochs: 0,
  schedule: 'constant',
  patience: null,
};
await fitNetwork(graph, lessons, [], settings, {
  onBatch: () => {
    const now = performance.now();
    seconds.push((now - last) / 1000);
    last = now;
    console.error(`  ours: step ${seconds.length - 1} ${seconds.at(-1)?.toFixed(2)} s on ${backend}`);
  },
});
console.log(JSON.stringify({ backend, seconds: seconds.slice(1) }));
