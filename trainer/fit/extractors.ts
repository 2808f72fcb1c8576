import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { normalize } from '../convert/convert.js';

/** A fixed function of a picture (RGB24), whose values are kept on disk under its identity. */
export interface Extractor extends Disposable {
  /** Changes whenever the numbers would. */
  readonly identity: string;
  readonly width: number;
  extract(pixels: Uint8Array): Promise<Float32Array>;
}

/** What a frozen network gives, row-major: the float model on the Pi's runtime. */
export async function backboneExtractor(
  runtime: TfliteRuntime,
  model: Uint8Array,
  normalization: { mean: number; std: number },
  threads: number,
): Promise<Extractor> {
  const interpreter = await runtime.open(model, { threads });
  return {
    identity: sha256(model),
    width: interpreter.outputs[0]?.shape.reduce((product, size) => product * size, 1) ?? 0,
    extract: async (pixels) => {
      const [bytes] = await interpreter.invoke([new Uint8Array(normalize(pixels, normalization).buffer)]);
      return new Float32Array((bytes ?? new Uint8Array(0)).buffer);
    },
    [Symbol.dispose]: () => interpreter[Symbol.dispose](),
  };
}

const LEVELS = 8;
/** The baseline: a colour histogram of 8 x 8 x 8 cells. Whoever cannot beat it has learnt nothing. */
export function histogramExtractor(): Extractor {
  return {
    identity: `rgb-histogram-${LEVELS}`,
    width: LEVELS ** 3,
    extract: async (pixels) => {
      const histogram = new Float32Array(LEVELS ** 3);
      const share = 3 / pixels.length;
      for (let i = 0; i < pixels.length; i += 3) {
        const cell =
          (((pixels[i] ?? 0) >> 5) * LEVELS + ((pixels[i + 1] ?? 0) >> 5)) * LEVELS +
          ((pixels[i + 2] ?? 0) >> 5);
        histogram[cell] = (histogram[cell] ?? 0) + share;
      }
      return histogram.map(Math.sqrt);
    },
    [Symbol.dispose]: () => undefined,
  };
}
