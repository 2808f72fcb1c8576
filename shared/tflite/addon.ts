import { createRequire } from 'node:module';
import { AdbreakError, explain } from '../errors.js';
import { checkRunnable } from './check.js';
import { checkInputs, SerialRunner, specsOf } from './interpreter.js';
import { readModel } from './read.js';
import type { Interpreter, InterpreterOptions, TensorSpec, TfliteRuntime } from './runtime.js';

/** What we use of tfjs-tflite-node's addon (binding/node_tflite_binding.cc). */
interface AddonTensor {
  data(): ArrayBufferView;
}
interface AddonInterpreter {
  getInputs(): AddonTensor[];
  getOutputs(): AddonTensor[];
  infer(): void;
}
interface Addon {
  Interpreter: new (file: ArrayBuffer, options: { threads: number }) => AddonInterpreter;
}

/**
 * The addon that `tfjs-tflite-node` compiles for itself: the fallback where FFI cannot load the library.
 * It blocks the event loop while it infers, shows no quantization parameters (ours come from the file) and runs
 * without XNNPACK.
 */
export function addonRuntime(): TfliteRuntime {
  const addon = loadAddon();
  return {
    name: 'addon',
    version: null,
    open: async (file, options) => new AddonAdapter(addon, file, options ?? {}),
  };
}

function loadAddon(): Addon {
  const path = 'tfjs-tflite-node/build/Release/node_tflite_binding.node';
  try {
    return createRequire(import.meta.url)(path);
  } catch (cause) {
    throw new AdbreakError('runtime_unavailable', `Cannot load the addon ${path}: it was not compiled`, {
      cause,
      remedy: 'Run `make addon`; it needs a C++ compiler, make and python3.',
    });
  }
}

class AddonAdapter implements Interpreter {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  #interpreter: AddonInterpreter | null;
  readonly #runner = new SerialRunner();

  constructor(addon: Addon, file: Uint8Array, options: InterpreterOptions) {
    if ((options.threads ?? 1) > 1)
      throw new AdbreakError(
        'input_invalid',
        `Cannot open the model: the addon has one thread: current value is ${options.threads}`,
      );
    const parsed = readModel(file);
    checkRunnable(parsed);
    const specs = specsOf(parsed);
    try {
      this.#interpreter = new addon.Interpreter(Uint8Array.from(file).buffer, { threads: 1 });
    } catch (cause) {
      throw new AdbreakError('model_unsupported', `Cannot load the model: ${explain(cause)}`, { cause });
    }
    this.inputs = specs.inputs;
    this.outputs = specs.outputs;
  }

  invoke(inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
    return this.#runner.run(async () => {
      checkInputs(this.inputs, inputs);
      const interpreter = this.#interpreter;
      if (interpreter === null)
        throw new AdbreakError('inference_failed', 'Cannot run the model: it was disposed of');
      interpreter.getInputs().forEach((tensor, i) => bytesOf(tensor).set(inputs[i] ?? new Uint8Array(0)));
      interpreter.infer();
      return interpreter.getOutputs().map((tensor) => bytesOf(tensor).slice());
    });
  }

  /** The addon frees its memory when its object is collected: all we can do is to let go of it. */
  [Symbol.dispose](): void {
    this.#runner.close(() => {
      this.#interpreter = null;
    });
  }
}

function bytesOf(tensor: AddonTensor): Uint8Array {
  const view = tensor.data();
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
