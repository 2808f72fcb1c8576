import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { ARCHITECTURES } from '../nn/architectures.js';
import { LITE0_NORMALIZATION } from '../nn/efficientnet-lite0.js';
import { initialLayers, smallNet } from '../nn/small-net.js';
import { storedNetwork } from '../weights/store.js';
import { backendName, formatBackend } from './backend.js';
import { kept } from './network/keep.js';
import { type Backbone, type BackboneRequest, NAMES, storedGraph } from './networks.js';
import { reservoir } from './pictures.js';
import { fitSmallNet } from './small-net.js';
import { taught } from './taught.js';

/** The small network learns from so many frames at most, spread evenly: more take minutes and add little. */
const SMALL_NET_FRAMES = 450;
const SMALL_NET_EPOCHS = 9;

/**
 * The network that the configuration asks for, with the weights that can be had, and says which. Throws
 * `weights_unavailable` where the way that was asked for has none.
 */
export async function backboneOf(request: BackboneRequest): Promise<Backbone> {
  const { architecture, weights } = request.config.model;
  if (weights === 'auto' || weights === 'pretrained') {
    const own = await pretrained(request);
    if (own !== null) return own;
  }
  if (weights === 'pretrained')
    throw new AdbreakError(
      'weights_unavailable',
      `Cannot train with pretrained weights: none of ${NAMES[architecture]} are stored`,
    );
  if (architecture === 'efficientnet_lite0') return small(request);
  const teacher = weights === 'scratch' ? null : await storedNetwork('efficientnet_lite0');
  if (weights === 'distill' && teacher === null)
    throw new AdbreakError(
      'weights_unavailable',
      `Cannot teach ${NAMES[architecture]}: no weights of its teacher, EfficientNet-Lite0, are stored`,
    );
  return taught(architecture, teacher, request);
}

async function pretrained({ config, preprocess, say }: BackboneRequest): Promise<Backbone | null> {
  const { architecture } = config.model;
  const network = await storedNetwork(architecture);
  if (network === null) return null;
  say(`backbone: ${NAMES[architecture]} with pretrained weights, ${preprocess.width}×${preprocess.height}`);
  return {
    graph: storedGraph(architecture, network, preprocess),
    architecture,
    weights: 'pretrained',
    normalization: ARCHITECTURES[architecture].normalization,
  };
}

/**
 * Lite0 would take hours from nothing: where its weights are not stored a small network stands in, and is
 * kept between runs.
 */
async function small(request: BackboneRequest): Promise<Backbone> {
  const { config, samples, preprocess, say, signal } = request;
  const { seed } = config.training;
  const backend = backendName();
  say(
    'backbone: a small network trained from scratch, in place of EfficientNet-Lite0 without its weights, ' +
      formatBackend(backend),
  );
  const size = [preprocess.height, preprocess.width] as const;
  const about = ['small_net', backend, samples.fingerprint, preprocess, seed];
  const form = smallNet(initialLayers(seeded('form')), size);
  const graph = await kept(about, form, config.output.cache, async () => {
    const examples = await reservoir('train', SMALL_NET_FRAMES, `small-net/${seed}`, request);
    const layers = await fitSmallNet(examples, LITE0_NORMALIZATION, {
      size: preprocess,
      seed,
      epochs: SMALL_NET_EPOCHS,
      onEpoch: (epoch, loss) =>
        say(`  small network, epoch ${epoch} of ${SMALL_NET_EPOCHS}: loss ${loss.toFixed(3)}`),
      ...(signal && { signal }),
    });
    return smallNet(layers, size);
  });
  return { graph, architecture: 'small_net', weights: 'scratch', normalization: LITE0_NORMALIZATION };
}
