import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { normalize } from '../convert/convert.js';

/** A fixed function of a picture (RGB24), whose values are kept on disk under its identity. */
export interface RowExtractor extends Disposable {
  /** Changes whenever the values would. */
  readonly identity: string;
  readonly rowBytes: number;
  /** How many pictures it works on at once. */
  readonly lanes: number;
  extract(pixels: Uint8Array): Promise<Float32Array | Uint8Array>;
}
/** One whose values are numbers. */
export interface Extractor extends RowExtractor {
  readonly width: number;
  extract(pixels: Uint8Array): Promise<Float32Array>;
}

/** The picture itself, of height × width × 3 bytes. */
export function pixelExtractor({ width, height }: { width: number; height: number }): RowExtractor {
  return {
    identity: 'pixels',
    rowBytes: width * height * 3,
    lanes: 1,
    extract: async (pixels) => pixels,
    [Symbol.dispose]: () => undefined,
  };
}

/**
 * What a frozen network gives, row-major: the float model on the Pi's runtime. `threads` pictures at a time,
 * each on one: a network on many threads waits for the slowest of them at each layer, and where others are at
 * work on the machine it mostly waits.
 */
export async function backboneExtractor(
  runtime: TfliteRuntime,
  model: Uint8Array,
  normalization: { mean: number; std: number },
  threads: number,
): Promise<Extractor> {
  const first = await runtime.open(model, { threads: 1 });
  const lanes = [first];
  while (lanes.length < threads) lanes.push(await runtime.open(model, { threads: 1 }));
  const width = first.outputs[0]?.shape.reduce((product, size) => product * size, 1) ?? 0;
  let next = 0;
  return {
    identity: `${sha256(model)} on ${runtime.name} ${runtime.version}`,
    width,
    rowBytes: 4 * width,
    lanes: lanes.length,
    extract: async (pixels) => {
      const lane = lanes[next++ % lanes.length] ?? first;
      const [bytes] = await lane.invoke([new Uint8Array(normalize(pixels, normalization).buffer)]);
      return new Float32Array((bytes ?? new Uint8Array(0)).buffer);
    },
    [Symbol.dispose]: () => {
      for (const lane of lanes) lane[Symbol.dispose]();
    },
  };
}

const LEVELS = 8;
/** The baseline: a colour histogram of 8 x 8 x 8 cells. Whoever cannot beat it has learnt nothing. */
export function histogramExtractor(): Extractor {
  return {
    identity: `rgb-histogram-${LEVELS}`,
    width: LEVELS ** 3,
    rowBytes: 4 * LEVELS ** 3,
    lanes: 1,
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
