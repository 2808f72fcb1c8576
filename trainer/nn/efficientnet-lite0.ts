import type { Graph } from './graph.js';
import { type InputSize, Layers, type Port, type WeightSource } from './layers.js';

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
const FEATURES = 1280;
export const LITE0_INPUT = 224;
/** The network sees (x - 127) / 128. */
export const LITE0_NORMALIZATION = { mean: 127, std: 128 } as const;
/** Blocks a stage, for names that count stage by stage. */
export const LITE0_REPEATS: readonly number[] = STAGES.map(([, , , , repeats]) => repeats);

export interface LiteOptions {
  readonly inputSize?: InputSize;
  /** Classes of the classifier; null ends at the mean of the last features, [1, 1280]. */
  readonly classes: number | null;
  readonly port?: Port;
}

/** EfficientNet-Lite0: 4,694,024 parameters with 1,000 classes. */
export function efficientNetLite0(
  weights: WeightSource,
  { inputSize = LITE0_INPUT, classes, port = 'tensorflow' }: LiteOptions,
): Graph {
  const layers = new Layers(weights, port, inputSize);
  const normal = { norm: true, activation: 'relu6' } as const;
  let last = layers.conv('stem', 'image', [3, STEM], { ...normal, kernel: 3, stride: 2 });
  let channels: number = STEM;
  let index = 0;
  for (const [ratio, kernel, firstStride, out, repeats] of STAGES) {
    for (let repeat = 0; repeat < repeats; repeat++, index++) {
      const block = `blocks.${index}.`;
      const stride = repeat === 0 ? firstStride : 1;
      const expanded = channels * ratio;
      const start = last;
      if (ratio !== 1)
        last = layers.conv(`${block}expand`, last, [channels, expanded], { ...normal, kernel: 1, stride: 1 });
      last = layers.depthwise(`${block}depthwise`, last, expanded, { ...normal, kernel, stride });
      last = layers.conv(`${block}project`, last, [expanded, out], {
        kernel: 1,
        stride: 1,
        norm: true,
        activation: 'none',
      });
      if (stride === 1 && channels === out) last = layers.add(`${block}add`, [last, start]);
      channels = out;
    }
  }
  last = layers.conv('head', last, [channels, FEATURES], { ...normal, kernel: 1, stride: 1 });
  last = layers.mean('features', last, false);
  if (classes !== null) layers.classifier(last, FEATURES, classes);
  return { name: 'efficientnet_lite0', nodes: layers.nodes };
}
