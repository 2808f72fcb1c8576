import { fromHalf } from '@adbreak/shared/tflite/half.js';

/** A tensor of a checkpoint, contiguous and row-major, in the layout of its framework. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Element types by safetensors' names; all are read as float32. */
export const ELEMENT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4 } as const;
export type ElementType = keyof typeof ELEMENT_BYTES;

/** Little-endian elements -> float32. The bytes are copied: they need not be aligned. */
export function decodeElements(type: ElementType, bytes: Uint8Array): Float32Array {
  // Not slice(): a Buffer's shares memory where a Uint8Array's copies.
  const own = new Uint8Array(bytes.subarray(0, bytes.byteLength - (bytes.byteLength % ELEMENT_BYTES[type])));
  switch (type) {
    case 'F32':
      return new Float32Array(own.buffer, own.byteOffset, own.byteLength / 4);
    case 'F64':
      return Float32Array.from(new Float64Array(own.buffer, own.byteOffset, own.byteLength / 8));
    case 'F16':
      return Float32Array.from(new Uint16Array(own.buffer, own.byteOffset, own.byteLength / 2), fromHalf);
    case 'BF16':
      return new Float32Array(
        Uint32Array.from(
          new Uint16Array(own.buffer, own.byteOffset, own.byteLength / 2),
          (high) => high << 16,
        ).buffer,
      );
    case 'I64':
      return Float32Array.from(new BigInt64Array(own.buffer, own.byteOffset, own.byteLength / 8), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(own.buffer, own.byteOffset, own.byteLength / 4));
  }
}
