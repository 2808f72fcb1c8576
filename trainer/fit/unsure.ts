import type { UnsureReference } from '@adbreak/shared/contract/manifest.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { withFeatures } from '@adbreak/shared/tflite/features.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { fitUnsure } from '@adbreak/shared/unsure.js';

type Pictures = AsyncIterable<{ readonly pixels: Uint8Array }>;

/** What tells pictures unlike training, by the features of the model file that ships, on the Pi's runtime. */
export async function unsureReferenceOf(
  model: Uint8Array,
  runtime: TfliteRuntime,
  pictures: { readonly training: Pictures; readonly validation: Pictures },
  { normalization, threads }: { normalization: { mean: number; std: number }; threads: number },
): Promise<UnsureReference> {
  using classifier = new AdClassifier(await runtime.open(withFeatures(model), { threads }), normalization);
  const featuresOf = async (all: Pictures) => {
    const rows: Float32Array[] = [];
    for await (const { pixels } of all) rows.push((await classifier.judge(pixels)).features);
    return rows;
  };
  return fitUnsure(await featuresOf(pictures.training), await featuresOf(pictures.validation));
}
