import type { Activation, BatchNorm, Constant, Graph, Node } from './graph.js';

/** [expand ratio, kernel, stride of the first, output channels, repeats]; tensorflow/tpu efficientnet/lite. */
const STAGES = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;
const STEM = 32;
const LITE0_FEATURES = 1280;
export const LITE0_INPUT = 224;
/** The network sees (x - 127) / 128. */
export const LITE0_NORMALIZATION = { mean: 127, std: 128 } as const;

/** Where the layers get their values: pretrained weights or a seeded initialiser. Names as in FACTS.md. */
export interface WeightSource {
  /** kernel as OHWI */
  conv(name: string, shape: readonly [number, number, number, number]): Constant;
  /** kernel as [1, kh, kw, C] */
  depthwise(name: string, shape: readonly [number, number, number, number]): Constant;
  batchNorm(name: string, channels: number): BatchNorm;
}

/** EfficientNet-Lite0 from its input [1, 224, 224, 3] to the mean of its last features, [1, 1280]. */
export function efficientNetLite0(weights: WeightSource): Graph {
  const nodes: Node[] = [{ op: 'input', name: 'image', shape: [1, LITE0_INPUT, LITE0_INPUT, 3] }];
  const conv = (name: string, norm: string, input: string, cin: number, cout: number, kernel: number, stride: number, activation: Activation) => {
    nodes.push({
      op: 'conv2d',
      name,
      input,
      stride,
      padding: 'same',
      activation,
      bias: null,
      kernel: weights.conv(name, [cout, kernel, kernel, cin]),
      batchNorm: weights.batchNorm(norm, cout),
    });
    return name;
  };
  const depthwise = (name: string, norm: string, input: string, channels: number, kernel: number, stride: number) => {
    nodes.push({
      op: 'depthwise',
      name,
      input,
      stride,
      padding: 'same',
      activation: 'relu6',
      bias: null,
      kernel: weights.depthwise(name, [1, kernel, kernel, channels]),
      batchNorm: weights.batchNorm(norm, channels),
    });
    return name;
  };

  let last = conv('_conv_stem', '_bn0', 'image', 3, STEM, 3, 2, 'relu6');
  let channels: number = STEM;
  let index = 0;
  for (const [ratio, kernel, firstStride, out, repeats] of STAGES) {
    for (let repeat = 0; repeat < repeats; repeat++, index++) {
      const block = `_blocks.${index}.`;
      const stride = repeat === 0 ? firstStride : 1;
      const expanded = channels * ratio;
      const start = last;
      if (ratio !== 1) last = conv(`${block}_expand_conv`, `${block}_bn0`, last, channels, expanded, 1, 1, 'relu6');
      last = depthwise(`${block}_depthwise_conv`, `${block}_bn1`, last, expanded, kernel, stride);
      last = conv(`${block}_project_conv`, `${block}_bn2`, last, expanded, out, 1, 1, 'none');
      if (stride === 1 && channels === out) {
        nodes.push({ op: 'add', name: `${block}add`, inputs: [last, start] });
        last = `${block}add`;
      }
      channels = out;
    }
  }
  last = conv('_conv_head', '_bn1', last, channels, LITE0_FEATURES, 1, 1, 'relu6');
  nodes.push({ op: 'mean', name: 'features', input: last });
  return { name: 'efficientnet_lite0', nodes };
}
