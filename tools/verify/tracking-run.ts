import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { DEFAULT_TRACKING, trackers } from '@adbreak/trainer/track/settings.js';
import { epochRecord, HEADER, outcome } from '@adbreak/trainer/track/testing/run.js';

/**
 * `tracking-run.js FOLDER URL [CA]`: a training that fails after two epochs and goes on, as its trackers hear
 * of it: TensorBoard's in FOLDER/logs, MLflow's at URL with the secret of the environment. Prints what was
 * told, as JSON, for `make verify-tracking`.
 */
const [folder = '', url = '', ca] = process.argv.slice(2);
const said: string[] = [];
/** A busy machine is no finding. */
const PATIENCE_MS = 600_000;
const settings = {
  tensorboard: { enabled: true, path: join(folder, 'logs') },
  mlflow: {
    ...DEFAULT_TRACKING.mlflow,
    enabled: true,
    url,
    experiment: 'adbreak verification',
    ca: ca ?? null,
  },
};
const begin = () =>
  trackers(settings, { log: (line) => said.push(line), env: process.env, drainMs: PATIENCE_MS });

const many = Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`many.${i}`, 'x'.repeat(5000)]));
const header = { ...HEADER, parameters: { ...HEADER.parameters, ...many } };
const { file, manifest } = tinyRelease(HEADER.version);
const files = [join(folder, 'model.tflite'), join(folder, 'manifest.json')];
await writeFile(files[0] ?? '', file);
await writeFile(files[1] ?? '', JSON.stringify(manifest));
const end = outcome(files);
const metrics = {
  ...end.metrics,
  ...Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`slices/${i}`, i / 1024])),
  'test/undefined': Number.NaN,
  'test/beyond': Number.POSITIVE_INFINITY,
};
const epochs = [
  epochRecord(1),
  epochRecord(2),
  // The process ended before the checkpoint of the second was written.
  epochRecord(2),
  epochRecord(3),
  epochRecord(1, 'all'),
];

const failed = {
  ...outcome(),
  status: 'failed',
  metrics: {},
  scored: [],
  histograms: [],
  pictures: [],
} as const;
const first = begin();
for (const tracker of first) await tracker.begin(header);
for (const epoch of epochs.slice(0, 2)) for (const tracker of first) await tracker.epoch(epoch);
for (const tracker of first) await tracker.end(failed);
const second = begin();
for (const tracker of second) await tracker.begin(header);
for (const epoch of epochs.slice(2)) for (const tracker of second) await tracker.epoch(epoch);
for (const tracker of second) await tracker.end({ ...end, metrics });

const numbers = Object.entries(metrics).map(([key, value]) => [key, String(value)]);
console.log(
  JSON.stringify({
    header,
    epochs,
    said,
    outcome: {
      ...end,
      metrics: Object.fromEntries(numbers),
      histograms: end.histograms.map(({ tag, values }) => ({ tag, values: [...values].map(String) })),
      pictures: end.pictures.map(({ tag, png }) => ({ tag, png: Buffer.from(png).toString('base64') })),
    },
  }),
);
