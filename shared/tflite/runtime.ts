import type { TensorType } from './schema.js';

/** One input or output of a model as the runtime sees it. */
export interface TensorSpec {
  readonly name: string;
  readonly type: TensorType;
  /** As allocated; the batch dimension is 1. */
  readonly shape: readonly number[];
  /** real = scale * (q - zeroPoint); null for float tensors. */
  readonly quantization: { readonly scale: number; readonly zeroPoint: number } | null;
}

/** A loaded model. `Symbol.dispose` frees its native memory; any use after that throws `inference_failed`. */
export interface Interpreter extends Disposable {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * Runs the model once. Takes the raw bytes of every input in order and gives the raw bytes of every output.
   * One run at a time: a second call waits for the first. Throws `input_invalid` when a byte length is wrong.
   */
  invoke(inputs: readonly Uint8Array[]): Promise<Uint8Array[]>;
}

export interface InterpreterOptions {
  /** Threads of XNNPACK. The addon has one and refuses more. */
  readonly threads?: number;
}

/** A way to run TFLite files. Adapters: litert and tflite (C APIs through koffi, XNNPACK) and addon (tfjs-tflite-node's own). */
export interface TfliteRuntime {
  readonly name: 'litert' | 'tflite' | 'addon';
  /** The version the library states of itself, or null where it does not say. */
  readonly version: string | null;
  /** Loads a model from the bytes of its file. Throws `model_corrupt` or `model_unsupported`; never takes the process down for a file that `readModel` refuses. */
  open(file: Uint8Array, options?: InterpreterOptions): Promise<Interpreter>;
}
