import { seeded } from '@adbreak/shared/random.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { convertToFloat } from '../convert/convert.js';
import { ARCHITECTURES, type ArchitectureName } from '../nn/architectures.js';
import type { Graph } from '../nn/graph.js';
import type { LabelledPicture } from '../ports.js';
import { randomSource } from '../weights/sources.js';
import { backendName, formatBackend } from './backend.js';
import { backboneExtractor } from './extractors.js';
import { fitNetwork } from './network/fit-network.js';
import { type Keeper, kept } from './network/keep.js';
import { plainLessons, taughtLessons } from './network/lessons.js';
import type { Lesson } from './network/network.js';
import {
  type Backbone,
  type BackboneRequest,
  graphOf,
  NAMES,
  type StoredNetwork,
  storedGraph,
} from './networks.js';
import { reservoir } from './pictures.js';
import { networkTeller } from './tell.js';

/**
 * A network without weights of its own, trained whole on a sample of the user's pictures: after a teacher, or
 * from nothing. It takes minutes, and is kept between runs.
 */
export async function taught(
  architecture: ArchitectureName,
  teacher: StoredNetwork | null,
  request: BackboneRequest,
): Promise<Backbone> {
  const { config, samples, preprocess, say } = request;
  const { seed, network, augmentation } = config.training;
  const way = teacher === null ? 'trained from scratch' : 'taught by EfficientNet-Lite0';
  const backend = backendName();
  say(
    `backbone: ${NAMES[architecture]}, ${way} on your pictures, ${formatBackend(backend)}; ` +
      'no weights of its own are taken',
  );
  const initial = graphOf(architecture, randomSource(seeded(`${architecture}/${seed}`)), preprocess);
  const master = teacher && storedGraph('efficientnet_lite0', teacher, preprocess);
  const taughtBy = master && sha256(convertToFloat(master));
  const about = [
    architecture,
    taughtBy,
    backend,
    samples.fingerprint,
    preprocess,
    seed,
    network,
    augmentation,
  ];
  const graph = await kept(about, initial, config.output.cache, (keeper) =>
    learn(initial, architecture, master, keeper, request),
  );
  const { normalization } = ARCHITECTURES[architecture];
  return { graph, architecture, weights: teacher === null ? 'scratch' : 'distilled', normalization };
}

async function learn(
  initial: Graph,
  architecture: ArchitectureName,
  teacher: Graph | null,
  keeper: Keeper,
  request: BackboneRequest,
): Promise<Graph> {
  const { config, signal } = request;
  const { seed, network, augmentation } = config.training;
  const { normalization } = ARCHITECTURES[architecture];
  const asked = { ...request, normalization, augmentation };
  const pictures = await reservoir('train', network.pictures, `network/${seed}`, request);
  const held = await reservoir('val', Math.ceil(network.pictures / 3), `network/${seed}`, request);
  const lessons = await (teacher === null
    ? plainLessons(pictures, asked)
    : lessonsAfter(teacher, pictures, asked));
  const validation = await plainLessons(held, { ...asked, augmentation: { ...augmentation, views: 0 } });
  const settings = {
    stage: 'all',
    seed,
    batchSize: network.batch_size,
    epochs: network.epochs,
    learningRate: network.learning_rate,
    warmupEpochs: 1,
    schedule: 'cosine',
    patience: null,
  } as const;
  const from = await keeper.load();
  const teller = networkTeller(request);
  return fitNetwork(initial, lessons, validation, settings, {
    ...(from !== null && { from }),
    ...(signal && { signal }),
    onBatch: teller.batch,
    onEpoch: async (record, state) => {
      await teller.epoch(record);
      await keeper.save(state);
    },
  });
}

async function lessonsAfter(
  teacher: Graph,
  pictures: readonly LabelledPicture[],
  request: BackboneRequest & Parameters<typeof taughtLessons>[2],
): Promise<Lesson[]> {
  const { runtime, config } = request;
  const { normalization } = ARCHITECTURES.efficientnet_lite0;
  const float = convertToFloat(teacher);
  using extractor = await backboneExtractor(runtime, float, normalization, config.training.threads);
  return await taughtLessons(pictures, extractor, request);
}
