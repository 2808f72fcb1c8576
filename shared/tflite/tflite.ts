import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { AdbreakError } from '../errors.js';
import { checkRunnable } from './check.js';
import { checkInputs, SerialRunner, specsOf } from './interpreter.js';
import { withNativeLog } from './native-log.js';
import { readModel } from './read.js';
import type { Interpreter, InterpreterOptions, TensorSpec, TfliteRuntime } from './runtime.js';

/** TfLiteXNNPackDelegateOptions.flags in TFLite 2.9: signed and unsigned 8-bit kernels are off by default. */
const XNNPACK_QS8_AND_QU8 = 1 | 2;
const OK = 0;

/**
 * TFLite's C API through FFI, with XNNPACK. The library is the one that `tfjs-tflite-node` carries; that package's
 * own addon leaves XNNPACK out and is five times slower (docs/decisions/001-ffi-runtime.md).
 */
export function tfliteRuntime(): TfliteRuntime {
  const api = loadLibrary();
  return {
    name: 'tflite',
    version: api.version(),
    open: async (file, options) => withNativeLog(() => new CInterpreter(api, file, options ?? {})),
  };
}

/** Folder names inside tfjs-tflite-node for the processors it was built for. */
const PLATFORMS: Record<string, string> = {
  'linux-x64': 'linux_amd64',
  'linux-arm64': 'linux_arm64',
  'darwin-arm64': 'darwin_arm64',
};

function libraryPath(): string {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`];
  const root = dirname(createRequire(import.meta.url).resolve('tfjs-tflite-node/package.json'));
  const path = join(
    root,
    'cc_deps',
    platform ?? 'none',
    process.platform === 'darwin' ? 'libtensorflowlite_c.dylib' : 'libtensorflowlite_c.so',
  );
  if (platform === undefined || !existsSync(path)) {
    throw new AdbreakError(
      'runtime_unavailable',
      `Cannot load TFLite: there is no library for ${process.platform}-${process.arch} at ${path}`,
    );
  }
  return path;
}

type Pointer = bigint | null;
type Api = ReturnType<typeof loadLibrary>;
let loaded: ReturnType<typeof bind> | undefined;
function loadLibrary() {
  loaded ??= bind();
  return loaded;
}

function bind() {
  const library = koffi.load(libraryPath());
  const xnnpackOptions = koffi.struct({ num_threads: 'int32', flags: 'uint32', weights_cache: 'void *' });
  const quantization = koffi.struct({ scale: 'float', zero_point: 'int32' });
  return {
    version: library.func('TfLiteVersion', 'str', []),
    modelCreate: library.func('TfLiteModelCreate', 'void *', ['void *', 'size_t']),
    modelDelete: library.func('TfLiteModelDelete', 'void', ['void *']),
    optionsCreate: library.func('TfLiteInterpreterOptionsCreate', 'void *', []),
    optionsDelete: library.func('TfLiteInterpreterOptionsDelete', 'void', ['void *']),
    setThreads: library.func('TfLiteInterpreterOptionsSetNumThreads', 'void', ['void *', 'int32']),
    addDelegate: library.func('TfLiteInterpreterOptionsAddDelegate', 'void', ['void *', 'void *']),
    xnnpackDefaults: library.func('TfLiteXNNPackDelegateOptionsDefault', xnnpackOptions, []),
    xnnpackCreate: library.func('TfLiteXNNPackDelegateCreate', 'void *', [koffi.pointer(xnnpackOptions)]),
    xnnpackDelete: library.func('TfLiteXNNPackDelegateDelete', 'void', ['void *']),
    create: library.func('TfLiteInterpreterCreate', 'void *', ['void *', 'void *']),
    destroy: library.func('TfLiteInterpreterDelete', 'void', ['void *']),
    allocate: library.func('TfLiteInterpreterAllocateTensors', 'int', ['void *']),
    invoke: library.func('TfLiteInterpreterInvoke', 'int', ['void *']),
    input: library.func('TfLiteInterpreterGetInputTensor', 'void *', ['void *', 'int32']),
    output: library.func('TfLiteInterpreterGetOutputTensor', 'void *', ['void *', 'int32']),
    byteSize: library.func('TfLiteTensorByteSize', 'size_t', ['void *']),
    dims: library.func('TfLiteTensorNumDims', 'int32', ['void *']),
    dim: library.func('TfLiteTensorDim', 'int32', ['void *', 'int32']),
    quantization: library.func('TfLiteTensorQuantizationParams', quantization, ['void *']),
    copyIn: library.func('TfLiteTensorCopyFromBuffer', 'int', ['void *', 'void *', 'size_t']),
    copyOut: library.func('TfLiteTensorCopyToBuffer', 'int', ['void *', 'void *', 'size_t']),
  };
}

/** XNNPACK's thread pools must not outlive their delegates: a process that exits with one open ends in a segmentation fault. */
const open = new Set<CInterpreter>();
process.once('exit', () => {
  for (const interpreter of open) interpreter.freeNow();
});

class CInterpreter implements Interpreter {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #api: Api;
  /** TfLiteModelCreate keeps the pointer and not a copy: the bytes must live as long as the model. */
  readonly #file: Uint8Array;
  #model: Pointer = null;
  #delegate: Pointer = null;
  #interpreter: Pointer = null;
  readonly #runner = new SerialRunner();
  readonly #outputBytes: number[];

  constructor(api: Api, file: Uint8Array, options: InterpreterOptions) {
    // The native parser trusts its input; ours does not, and goes first.
    const parsed = readModel(file);
    checkRunnable(parsed);
    this.#api = api;
    this.#file = Uint8Array.from(file);
    try {
      this.#create(options.threads ?? 1);
      const specs = specsOf(parsed);
      this.inputs = specs.inputs.map((spec, i) => this.#describe(spec, api.input(this.#interpreter, i)));
      this.outputs = specs.outputs.map((spec, i) => this.#describe(spec, api.output(this.#interpreter, i)));
      this.#outputBytes = this.outputs.map((_, i) => Number(api.byteSize(api.output(this.#interpreter, i))));
      open.add(this);
    } catch (error) {
      this.freeNow();
      throw error;
    }
  }

  #create(threads: number): void {
    const api = this.#api;
    this.#model = api.modelCreate(this.#file, this.#file.byteLength);
    if (this.#model === null)
      throw new AdbreakError('model_corrupt', 'Cannot load the model: TFLite refuses the file');
    const options = api.optionsCreate();
    try {
      api.setThreads(options, threads);
      this.#delegate = api.xnnpackCreate({
        ...api.xnnpackDefaults(),
        num_threads: threads,
        flags: XNNPACK_QS8_AND_QU8,
      });
      api.addDelegate(options, this.#delegate);
      this.#interpreter = api.create(this.#model, options);
    } finally {
      api.optionsDelete(options);
    }
    if (this.#interpreter === null || api.allocate(this.#interpreter) !== OK) {
      throw new AdbreakError(
        'model_unsupported',
        `Cannot load the model: TFLite ${api.version()} cannot prepare its operators`,
        {
          remedy:
            'If Google’s converter wrote it, convert with a batch size of 1: shapes computed at run time are not taken. Or run it with LiteRT.',
        },
      );
    }
  }

  #describe(spec: TensorSpec, tensor: Pointer): TensorSpec {
    const { scale, zero_point: zeroPoint } = this.#api.quantization(tensor);
    const shape = Array.from({ length: this.#api.dims(tensor) }, (_, i) => Number(this.#api.dim(tensor, i)));
    return { ...spec, shape, quantization: scale === 0 ? null : { scale, zeroPoint } };
  }

  invoke(inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
    return this.#runner.run(async () => {
      checkInputs(this.inputs, inputs);
      inputs.forEach((bytes, i) =>
        this.#must(
          this.#api.copyIn(this.#api.input(this.#interpreter, i), bytes, bytes.byteLength),
          'copy the input',
        ),
      );
      const status = await new Promise<number>((resolve, reject) => {
        this.#api.invoke.async(this.#interpreter, (error: unknown, result: number) =>
          error ? reject(error) : resolve(result),
        );
      });
      this.#must(status, 'run the model');
      return this.#outputBytes.map((length, i) => {
        const bytes = new Uint8Array(length);
        this.#must(
          this.#api.copyOut(this.#api.output(this.#interpreter, i), bytes, length),
          'copy the output',
        );
        return bytes;
      });
    });
  }

  #must(status: number, what: string): void {
    if (status !== OK)
      throw new AdbreakError('inference_failed', `Cannot ${what}: TFLite answered status ${status}`);
  }

  [Symbol.dispose](): void {
    this.#runner.close(() => this.freeNow());
  }

  /** Frees the native memory; nothing may be running. */
  freeNow(): void {
    open.delete(this);
    this.#freeInterpreter();
    if (this.#model !== null) this.#api.modelDelete(this.#model);
    this.#model = null;
  }

  #freeInterpreter(): void {
    if (this.#interpreter !== null) this.#api.destroy(this.#interpreter);
    // The delegate must outlive the interpreter that uses it (xnnpack_delegate.h).
    if (this.#delegate !== null) this.#api.xnnpackDelete(this.#delegate);
    this.#interpreter = this.#delegate = null;
  }
}
