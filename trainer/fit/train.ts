import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { flatText, withoutSecrets } from '../config/read.js';
import type { TrainingConfig } from '../config/schema.js';
import { convertToFloat } from '../convert/convert.js';
import type { EpochRecord, SampleSource, Tracker } from '../ports.js';
import { backboneOf } from './backbone.js';
import { checkpointPath, removeCheckpoint } from './checkpoint.js';
import { describe, seen, seenDeep } from './data.js';
import { backboneExtractor, type Extractor } from './extractors.js';
import { fineTuned } from './fine-tune.js';
import { crossValidated, fitted } from './fitting.js';
import { follow } from './follow.js';
import type { Head } from './head.js';
import { int8Of } from './int8.js';
import { type Data, type Made, type Measured, measure } from './measure.js';
import { outcomeOf, without } from './outcome.js';
import type { Registry } from './registry.js';
import { formatVerdict } from './requirements.js';
import { deciding, json, writeResults } from './results.js';

export interface TrainRequest {
  readonly config: TrainingConfig;
  readonly samples: SampleSource;
  readonly trackers: readonly Tracker[];
  readonly resume: boolean;
  /** With `resume`: no more epochs. */
  readonly finish: boolean;
  /** Null: nothing is uploaded. */
  readonly registry: Registry | null;
  /** Version of the trainer. */
  readonly code: string;
  readonly now: Date;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
/** A request with what follows from it. */
interface Run extends TrainRequest {
  readonly runtime: TfliteRuntime;
  readonly preprocess: Preprocess;
  readonly tracker: Tracker;
  /** What the tracker was told, in its order. */
  readonly epochs: readonly EpochRecord[];
}
/**
 * Backbone -> cached features -> head -> INT8 TFLite -> assessment of that INT8 file through the Pi's runtime
 * -> requirements -> registry. Writes into `output.path`: training_results.json and report.html first, so
 * that a weak model is never written without saying so, then model.tflite, manifest.json and
 * configuration.yaml. Once the signal is aborted it ends with an AbortError at the next picture or epoch; what
 * the cache and the checkpoint then hold is whole. Throws `requirements_missed` where the registry gets
 * nothing because of them.
 */
export async function train(request: TrainRequest, runtime: TfliteRuntime): Promise<void> {
  const { config, registry, say, now } = request;
  const { name, version, input_shape: shape } = config.model;
  refuseUnlabelled(request.samples);
  await registry?.checkFree(name, version);
  const epochs: EpochRecord[] = [];
  const tracker = follow(request.trackers, say, (record) => epochs.push(record));
  const preprocess: Preprocess = { width: shape[1], height: shape[0], scaler: 'area' };
  await tracker.begin({ name, version, startedAt: now, parameters: flatText(withoutSecrets(config)) });
  const run = { ...request, runtime, preprocess, tracker, epochs };
  const measured = await trained(run).catch(async (error: unknown) => {
    await tracker.end(without(request.signal?.aborted ? 'interrupted' : 'failed'));
    throw error;
  });
  await tracker.end(await outcomeOf(measured, config.output.path));
  const { bytes, architecture, weights } = measured.manifest;
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  say(`wrote ${join(config.output.path, 'model.tflite')} (${size}, ${architecture}, ${weights})`);
  await deploy(request, measured);
}

/** Before hours of work: what no label promises will not be there. */
function refuseUnlabelled(samples: SampleSource): void {
  for (const split of ['train', 'val', 'test'] as const)
    for (const kind of ['ad', 'content'] as const)
      if (!samples.promises(split, kind))
        throw new AdbreakError(
          'training_failed',
          `Cannot train: the split ${split} needs pictures of both ad and content; it has none of ${kind}`,
        );
}

async function trained(run: Run): Promise<Measured> {
  const { config } = run;
  const made = await make(run);
  const { data, hasSeen, head } = made;
  const crossValidation = await crossValidated(data.train, data.val, { epochs: head.epochs, hasSeen }, run);
  const measured = await measure(made, { ...run, crossValidation });
  await writeResults(config.output.path, { config, manifest: measured.manifest, model: made.model });
  await removeCheckpoint(checkpointPath(config.output.path));
  return measured;
}

async function make(run: Run): Promise<Made> {
  const { config, runtime, say } = run;
  // What cannot be measured in the end is refused in the beginning: the test pictures are looked at first.
  const test = await seen('test', run);
  const base = await backboneOf(run);
  const backbone = await fineTuned(base, run);
  const hasSeen = base.weights !== 'pretrained' || backbone !== base;
  const { threads, folds, augmentation } = config.training;
  const float = convertToFloat(backbone.graph);
  using extractor = await backboneExtractor(runtime, float, backbone.normalization, threads);
  const val = await seenDeep('val', extractor, folds > 0 ? augmentation.views : 0, run);
  const train = await seenDeep('train', extractor, augmentation.views, run);
  say([describe('train', train), describe('val', val), describe('test', test)].join('; '));
  const data = { train, val, test };
  const head = await headOf(run, data, extractor);
  const model = await int8Of(backbone, head, { ...run, cache: config.output.cache });
  return { backbone, hasSeen, digest: sha256(float), head, model, data };
}

async function headOf(
  run: Run,
  { train, val }: Pick<Data, 'train' | 'val'>,
  { identity }: Extractor,
): Promise<Head> {
  const { model, dataset, training } = deciding(run.config);
  const binding = {
    ...flatText({ model, dataset, training }),
    'the data set': run.samples.fingerprint,
    'the network': identity,
  };
  const head = await fitted(train.features, val.features, { ...run, binding });
  run.say(formatHead(head));
  return head;
}

function formatHead({ epochs, history, validationLoss, temperature }: Head): string {
  return (
    `head: epoch ${epochs} of ${history.length} is the best, ` +
    `validation loss ${validationLoss.toFixed(3)}, temperature ${temperature.toFixed(2)}`
  );
}

/** Uploads what meets the requirements; they were told with the other findings. */
async function deploy({ config, registry, say }: TrainRequest, measured: Measured): Promise<void> {
  if (registry === null) return;
  const { manifest, model, verdicts } = measured;
  const { name, version } = config.model;
  const missed = verdicts.filter(({ met }) => !met);
  if (missed.length > 0)
    throw new AdbreakError(
      'requirements_missed',
      `Cannot upload ${name} ${version}: ${missed.map(formatVerdict).join('; ')}`,
    );
  await registry.upload(name, version, { manifest: json(manifest), model });
  say(`${registry.sent} ${name} ${version}`);
}
