import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { TrainingConfig } from '../config/schema.js';
import { convertToInt8 } from '../convert/convert.js';
import type { Graph } from '../nn/graph.js';
import type { SampleSource } from '../ports.js';
import type { Head } from './head.js';
import type { Backbone } from './networks.js';
import { keptObserved } from './observed.js';
import { calibrationPictures } from './pictures.js';

export interface Int8Request {
  readonly config: TrainingConfig;
  readonly samples: SampleSource;
  readonly runtime: TfliteRuntime;
  readonly preprocess: Preprocess;
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * The bytes of the INT8 file of a backbone with a head. What calibration sees of the backbone is kept in the
 * cache: another head on it does not look at the pictures again.
 */
export async function int8Of(backbone: Backbone, head: Head, request: Int8Request): Promise<Uint8Array> {
  const { config, runtime, cache, say, signal } = request;
  const { calibration_pictures: wanted, equalize } = config.conversion;
  const pictures = await calibrationPictures(wanted, cache, request);
  say(`converting to INT8, calibrated on ${pictures.length} pictures`);
  return convertToInt8(withHead(backbone.graph, head), runtime, pictures, {
    normalization: backbone.normalization,
    threads: config.training.threads,
    equalize,
    keep: (key, make) => keptObserved(cache, key, make),
    ...(signal && { signal }),
  });
}

function withHead(backbone: Graph, { kernel, bias }: Head): Graph {
  const width = kernel.length / 2;
  return {
    name: backbone.name,
    nodes: [
      ...backbone.nodes,
      {
        op: 'dense',
        name: 'logits',
        input: 'features',
        kernel: { shape: [2, width], data: kernel },
        bias,
        batchNorm: null,
        activation: 'none',
      },
      { op: 'softmax', name: 'probabilities', input: 'logits' },
    ],
  };
}
