import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { convertToFloat } from '../convert/convert.js';
import { foldBatchNorm } from '../convert/optimise/fold.js';
import { cutGraph, joinGraphs } from '../nn/cut.js';
import type { Graph } from '../nn/graph.js';
import { backendName, formatBackend } from './backend.js';
import { describe, seenDeep } from './data.js';
import { backboneExtractor, pixelExtractor } from './extractors.js';
import { type Shelf, shelfOf } from './features.js';
import { headSettings } from './fitting.js';
import { fitHead } from './head.js';
import { fitNetwork } from './network/fit-network.js';
import { type Keeper, kept } from './network/keep.js';
import { fillNormalized } from './network/lessons.js';
import type { Lesson, ReadOut } from './network/network.js';
import type { Backbone, BackboneRequest } from './networks.js';
import { deciding } from './results.js';
import { networkTeller } from './tell.js';

/** A network in what stays and what is tuned; null: all of it is tuned. */
interface Parts {
  readonly front: Graph | null;
  readonly tail: Graph;
}

/**
 * The backbone tuned on the user's pictures in the stages of `training.fine_tuning.from`: from one of its
 * layers on, or all of it, each with a read-out that begins as the fitted head. What lies before a cut is
 * computed once and cached; batch normalizations stay as they are, folded into their layers: moved by a few
 * pictures they cost more than they bring. Without a place it is `base` itself, the very object.
 */
export async function fineTuned(base: Backbone, request: BackboneRequest): Promise<Backbone> {
  let tuned = base;
  for (const place of placesOf(base, request)) tuned = await tunedFrom(place, tuned, request);
  return tuned;
}

/** `auto` is all of what ImageNet taught, where TensorFlow's kernels make that a matter of minutes. */
export function placesOf(
  { weights }: Pick<Backbone, 'weights'>,
  { config, say }: Pick<BackboneRequest, 'config' | 'say'>,
): readonly string[] {
  const { from } = config.training.fine_tuning;
  if (from !== 'auto') return from === null ? [] : [from].flat();
  if (weights !== 'pretrained') return [];
  const backend = backendName();
  if (backend === 'tfjs-node') return ['all'];
  say(
    `fine-tuning: none, for ${formatBackend(backend)} it takes hours; the network as it is knows channels ` +
      'that it has not seen worse. training.fine_tuning.from: all tunes it all the same',
  );
  return [];
}

async function tunedFrom(place: string, base: Backbone, request: BackboneRequest): Promise<Backbone> {
  const { config, say } = request;
  const { front, tail } = splitAt(place, base.graph);
  const backend = backendName();
  const which = place === 'all' ? 'all of the network' : `from ${place} on`;
  say(`fine-tuning ${which}, ${config.training.fine_tuning.epochs} epochs, ${formatBackend(backend)}`);
  const tuned = await kept([backend, ...tunedBy(place, base, request)], tail, config.output.cache, (keeper) =>
    tune(base, { front, tail }, keeper, request),
  );
  return { ...base, graph: front === null ? tuned : joinGraphs({ front, tail: tuned }) };
}

/**
 * What a network that is tuned from a place on follows from, and nothing else: hours of work hold for other
 * stages behind this one, for more folds, for another conversion.
 */
export function tunedBy(
  place: string,
  { graph }: Pick<Backbone, 'graph'>,
  { config, samples, preprocess }: Pick<BackboneRequest, 'config' | 'samples' | 'preprocess'>,
): unknown[] {
  const { folds: _folds, network: _network, fine_tuning, ...fitting } = deciding(config).training;
  const { from: _from, ...tuning } = fine_tuning;
  // Of the network its form as well as its numbers: these alone may be those of another padding.
  const network = sha256(convertToFloat(graph));
  return ['tuned', place, network, samples.fingerprint, preprocess, fitting, tuning];
}

function splitAt(place: string, graph: Graph): Parts {
  const folded = foldBatchNorm(graph);
  return place === 'all' ? { front: null, tail: folded } : cutGraph(folded, place);
}

async function tune(
  base: Backbone,
  { front, tail }: Parts,
  keeper: Keeper,
  request: BackboneRequest,
): Promise<Graph> {
  const { config, signal } = request;
  const { fine_tuning: tuning, seed, augmentation } = config.training;
  const readOut = await readOutOf(base, request);
  const train = await lessonsOf('train', augmentation.views, front, base, request);
  const val = await lessonsOf('val', 0, front, base, request);
  const started = await keeper.load();
  const teller = networkTeller(request);
  let best = started?.bestEpoch ?? 0;
  const settings = {
    stage: front === null ? 'all' : 'cut',
    seed,
    batchSize: tuning.batch_size,
    epochs: tuning.epochs,
    learningRate: tuning.learning_rate,
    warmupEpochs: Math.min(1, tuning.epochs / 4),
    schedule: 'cosine',
    patience: null,
  } as const;
  const tuned = await fitNetwork(tail, train, val, settings, {
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

/**
 * Every picture of a split and every view of it, as the front left it, or as it is. They are read from the
 * cache batch by batch: memory does not grow with the data set.
 */
async function lessonsOf(
  split: 'train' | 'val',
  views: number,
  front: Graph | null,
  { normalization }: Backbone,
  request: BackboneRequest,
): Promise<Lesson[]> {
  const { config, runtime, preprocess } = request;
  const { threads, augmentation } = config.training;
  using extractor =
    front === null
      ? pixelExtractor(preprocess)
      : await backboneExtractor(runtime, convertToFloat(front), normalization, threads);
  const shelf = await shelfOf(
    split,
    { extractor, views, augmentation },
    { ...request, cache: config.output.cache },
  );
  const fill = (row: Uint8Array, batch: Float32Array, at: number) =>
    front === null ? fillNormalized(row, normalization, batch, at) : batch.set(numbersIn(row), at);
  return Array.from({ length: 1 + views }, (_, view) => lessonsIn(shelf, view, fill)).flat();
}

function lessonsIn(
  { samples, row }: Shelf,
  view: number,
  fill: (row: Uint8Array, batch: Float32Array, at: number) => void,
): Lesson[] {
  return samples.map(({ isAd }, picture) => ({
    fill: (batch, at) => fill(row(picture, view), batch, at),
    target: Number(isAd),
    features: null,
  }));
}

function numbersIn(row: Uint8Array): Float32Array {
  return new Float32Array(row.buffer, row.byteOffset, row.byteLength / 4);
}
