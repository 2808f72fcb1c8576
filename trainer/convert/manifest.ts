import type { Lineage, Manifest } from '@adbreak/shared/contract/manifest.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import { type Graph, inferShapes } from '../nn/graph.js';

export interface ConvertedFacts extends Pick<Manifest, 'name' | 'version' | 'architecture' | 'weights'> {
  /** The TFLite file. */
  readonly model: Uint8Array;
  readonly inputSize: number;
  /** The network sees (pixel - mean) / std. */
  readonly normalization: { readonly mean: number; readonly std: number };
  readonly lineage: Lineage;
  readonly now: Date;
}

const GOLDEN_PATTERNS = 3;
/** What no test picture was looked at for: `adbreak evaluate` measures. */
const NOT_MEASURED: Manifest['metrics'] = {
  ...{ frames: 0, accuracy: 0, precision: 0, recall: 0, f1: 0, rocAuc: 0, ece: 0 },
  confusion: [
    [0, 0],
    [0, 0],
  ],
};

/** Whether a network gives probabilities of two classes; no device takes another. */
export function tellsTwoClasses(graph: Graph): boolean {
  const last = graph.nodes.at(-1);
  return last?.op === 'softmax' && inferShapes(graph).get(last.name)?.join() === '1,2';
}

/**
 * What a device must know of a converted model that gives content and ad, in this order. Its metrics are those
 * of no picture.
 */
export async function convertedManifest(facts: ConvertedFacts, runtime: TfliteRuntime): Promise<Manifest> {
  const { model, inputSize, normalization, now, ...about } = facts;
  using classifier = new AdClassifier(await runtime.open(model), normalization);
  const { input } = classifier;
  const golden = await goldenOf(classifier, { width: inputSize, height: inputSize });
  return {
    schema: 1,
    ...about,
    digest: sha256(model),
    bytes: model.byteLength,
    labels: ['content', 'ad'],
    preprocess: { width: inputSize, height: inputSize, scaler: 'area', ...normalization },
    input: { type: inputType(input?.type), shape: [...(input?.shape ?? [])] },
    golden,
    metrics: NOT_MEASURED,
    createdAt: now.toISOString(),
  };
}

/** What a model says of test patterns, by which a device knows that it runs it as it was meant. */
export async function goldenOf(
  classifier: AdClassifier,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Manifest['golden']> {
  const golden: Manifest['golden'] = [];
  for (let pattern = 0; pattern < GOLDEN_PATTERNS; pattern++)
    golden.push({ pattern, ad: await classifier.adProbability(testPattern(pattern, width, height)) });
  return golden;
}

/** The converter gives no other. */
function inputType(type: string | undefined): Manifest['input']['type'] {
  return type === 'int8' || type === 'uint8' ? type : 'float32';
}
