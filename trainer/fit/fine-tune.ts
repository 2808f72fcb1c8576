import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { convertToFloat } from '../convert/convert.js';
import { foldBatchNorm } from '../convert/optimise/fold.js';
import { cutGraph, joinGraphs } from '../nn/cut.js';
import { numbersOf } from '../nn/numbers.js';
import { describe, seenDeep } from './data.js';
import type { TrainingExamples } from './examples.js';
import { backboneExtractor } from './extractors.js';
import { headSettings } from './fitting.js';
import { fitHead } from './head.js';
import { fitNetwork } from './network/fit-network.js';
import { type Keeper, kept } from './network/keep.js';
import type { Lesson, ReadOut } from './network/network.js';
import type { Backbone, BackboneRequest } from './networks.js';
import { configurationDigest } from './results.js';
import { bytesOf } from './sealed.js';
import { networkTeller } from './tell.js';

/**
 * The backbone with its layers from `training.fine_tuning.from` on tuned on the user's pictures, together
 * with a read-out that begins as the fitted head. What lies before the cut is computed once and cached; batch
 * normalizations stay as they are, folded into their layers: moved by a few pictures they cost more than they
 * bring. Without a place to cut, the backbone itself.
 */
export async function fineTuned(base: Backbone, request: BackboneRequest): Promise<Backbone> {
  const { config, samples, preprocess, say } = request;
  const { from, epochs } = config.training.fine_tuning;
  if (from === null) return base;
  const cut = cutGraph(foldBatchNorm(base.graph), from);
  say(`fine-tuning from ${from} on, ${epochs} epochs`);
  const about = [
    'tuned',
    sha256(bytesOf(numbersOf(base.graph))),
    samples.fingerprint,
    preprocess,
    configurationDigest(config),
  ];
  const tail = await kept(about, cut.tail, config.output.cache, (keeper) =>
    tune(base, from, keeper, request),
  );
  return { ...base, graph: joinGraphs({ front: cut.front, tail }) };
}

async function tune(base: Backbone, from: string, keeper: Keeper, request: BackboneRequest) {
  const { config, runtime, signal } = request;
  const { fine_tuning: tuning, seed, threads, augmentation } = config.training;
  const { front, tail } = cutGraph(foldBatchNorm(base.graph), from);
  const readOut = await readOutOf(base, request);
  const float = convertToFloat(front);
  using extractor = await backboneExtractor(runtime, float, base.normalization, threads);
  const val = await seenDeep('val', extractor, 0, request);
  const train = await seenDeep('train', extractor, augmentation.views, request);
  const started = await keeper.load();
  const teller = networkTeller(request);
  let best = started?.bestEpoch ?? 0;
  const settings = {
    stage: 'cut',
    seed,
    batchSize: tuning.batch_size,
    epochs: tuning.epochs,
    learningRate: tuning.learning_rate,
    warmupEpochs: Math.min(1, tuning.epochs / 4),
    schedule: 'cosine',
    patience: null,
  } as const;
  const tuned = await fitNetwork(tail, lessonsOf(train.features), lessonsOf(val.features), settings, {
    readOut,
    ...(started !== null && { from: started }),
    ...(signal && { signal }),
    onBatch: teller.batch,
    onEpoch: async (record, state) => {
      best = state.bestEpoch;
      await teller.epoch(record);
      await keeper.save(state);
    },
  });
  request.say(
    best === 0
      ? 'fine-tuning made nothing better on validation: the network stays as it was'
      : `fine-tuning: epoch ${best} is the best`,
  );
  return tuned;
}

/**
 * The head of the backbone as it is, without its temperature: to begin with another would pull the features
 * out of shape.
 */
async function readOutOf(base: Backbone, request: BackboneRequest): Promise<ReadOut> {
  const { config, runtime, say, signal } = request;
  const { threads, augmentation } = config.training;
  const float = convertToFloat(base.graph);
  using extractor = await backboneExtractor(runtime, float, base.normalization, threads);
  const val = await seenDeep('val', extractor, 0, request);
  const train = await seenDeep('train', extractor, augmentation.views, request);
  say(`before: ${describe('train', train)}; ${describe('val', val)}`);
  const settings = headSettings(config, train.features);
  const head = await fitHead(train.features, val.features, settings, signal ? { signal } : {});
  say(`before: validation loss ${head.validationLoss.toFixed(3)} of the head alone`);
  const hot = (values: Float32Array) => values.map((value) => value * head.temperature);
  return { kernel: hot(head.kernel), bias: hot(head.bias) };
}

/** Every picture and every view of it, as the front left it. */
function lessonsOf({ width, features, views, isAd }: TrainingExamples): Lesson[] {
  return [features, ...views].flatMap((rows) =>
    isAd.map(
      (ad, i): Lesson => ({
        fill: (batch, at) => batch.set(rows.subarray(i * width, (i + 1) * width), at),
        target: Number(ad),
        features: null,
      }),
    ),
  );
}
