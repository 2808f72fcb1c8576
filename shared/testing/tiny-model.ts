import type { Manifest } from '../contract/manifest.js';
import { sha256 } from '../storage/atomic.js';
import { BUILTIN, type TfliteModel } from '../tflite/schema.js';
import { writeModel } from '../tflite/write.js';

/** A two-class int8 model of a few hundred bytes: bright frames are ads (`sign` 1) or programme (`sign` -1). */
export const TINY_SIZE = 32;
const SCALE = 1 / 128;

/** MEAN over the picture, FULLY_CONNECTED, SOFTMAX: p(ad) = sigmoid(2 * gain * sign * brightness), brightness in -1..1. */
export function tinyModel(sign: 1 | -1 = 1): TfliteModel {
  const weights = Int8Array.of(-100 * sign, -100 * sign, -100 * sign, 100 * sign, 100 * sign, 100 * sign);
  const weightScale = 0.02;
  const quantization = (scale: number, zeroPoint: number) => ({
    scale: [Math.fround(scale)],
    zeroPoint: [zeroPoint],
    dimension: 0,
  });
  const bytes = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return {
    description: 'brightness',
    operatorCodes: [
      { builtin: BUILTIN.MEAN, version: 2 },
      { builtin: BUILTIN.FULLY_CONNECTED, version: 4 },
      { builtin: BUILTIN.SOFTMAX, version: 2 },
    ],
    buffers: [new Uint8Array(0), bytes(Int32Array.of(1, 2)), bytes(weights), bytes(Int32Array.of(0, 0))],
    metadata: [],
    subgraphs: [
      {
        name: 'main',
        inputs: [0],
        outputs: [6],
        tensors: [
          {
            name: 'image',
            shape: [1, TINY_SIZE, TINY_SIZE, 3],
            type: 'int8',
            buffer: 0,
            quantization: quantization(SCALE, -1),
          },
          { name: 'axes', shape: [2], type: 'int32', buffer: 1, quantization: null },
          { name: 'mean', shape: [1, 3], type: 'int8', buffer: 0, quantization: quantization(SCALE, -1) },
          {
            name: 'kernel',
            shape: [2, 3],
            type: 'int8',
            buffer: 2,
            quantization: quantization(weightScale, 0),
          },
          {
            name: 'bias',
            shape: [2],
            type: 'int32',
            buffer: 3,
            quantization: quantization(SCALE * weightScale, 0),
          },
          { name: 'logits', shape: [1, 2], type: 'int8', buffer: 0, quantization: quantization(0.05, 0) },
          {
            name: 'probabilities',
            shape: [1, 2],
            type: 'int8',
            buffer: 0,
            quantization: quantization(1 / 256, -128),
          },
        ],
        operators: [
          { code: 0, inputs: [0, 1], outputs: [2], options: { name: 'Reducer', fields: { keepDims: 0 } } },
          { code: 1, inputs: [2, 3, 4], outputs: [5], options: { name: 'FullyConnected', fields: {} } },
          { code: 2, inputs: [5], outputs: [6], options: { name: 'Softmax', fields: { beta: 1 } } },
        ],
      },
    ],
  };
}

/** The tiny model as a file with a manifest that fits it. Test patterns are near mid-grey: no golden values. */
export function tinyRelease(version: string, sign: 1 | -1 = 1): { file: Uint8Array; manifest: Manifest } {
  const file = Uint8Array.from(writeModel({ ...tinyModel(sign), description: `brightness ${version}` }));
  const none = {
    frames: 0,
    accuracy: 0,
    precision: 0,
    recall: 0,
    f1: 0,
    rocAuc: 0.5,
    ece: 0,
    confusion: [
      [0, 0],
      [0, 0],
    ],
  } satisfies Manifest['metrics'];
  return {
    file,
    manifest: {
      schema: 1,
      name: 'base-ad-detector',
      version,
      digest: sha256(file),
      bytes: file.byteLength,
      architecture: 'small_net',
      weights: 'scratch',
      labels: ['content', 'ad'],
      preprocess: { width: TINY_SIZE, height: TINY_SIZE, scaler: 'area', mean: 127, std: 128 },
      input: { type: 'int8', shape: [1, TINY_SIZE, TINY_SIZE, 3] },
      golden: [],
      metrics: none,
      createdAt: '2026-01-01T00:00:00.000Z',
    },
  };
}
