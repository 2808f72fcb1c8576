import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { AdbreakError, explain } from '../errors.js';
import { checkRunnable } from './check.js';
import { byteLength, checkInputs, SerialRunner, specsOf } from './interpreter.js';
import { withNativeLog } from './native-log.js';
import { readModel } from './read.js';
import type { Interpreter, InterpreterOptions, TensorSpec, TfliteRuntime } from './runtime.js';

/** The library as it lies in the wheel `ai-edge-litert`, per processor. Another one is not loaded: it would run in our process. */
export const LITERT = {
  version: '2.3.0',
  package: 'ai-edge-litert==2.3.0',
  file: 'ai_edge_litert/libLiteRt.so',
  builds: {
    'linux-x64': {
      platform: 'manylinux_2_27_x86_64',
      sha256: 'eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb',
    },
    'linux-arm64': {
      platform: 'manylinux_2_27_aarch64',
      sha256: 'b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b',
    },
  },
} as const;

/** The digest that the library of this processor must have, or null where there is no build for it. */
export function litertBuild(
  target = `${process.platform}-${process.arch}`,
): { readonly platform: string; readonly sha256: string } | null {
  return Object.entries(LITERT.builds).find(([name]) => name === target)?.[1] ?? null;
}

/** Where `adbreak runtime install litert` puts the library: ADBREAK_LITERT, else ~/.cache/adbreak. */
export function litertPath(): string {
  return (
    process.env['ADBREAK_LITERT'] ??
    join(homedir(), '.cache', 'adbreak', `litert-${LITERT.version}`, 'libLiteRt.so')
  );
}

/**
 * LiteRT's C API through FFI: TFLite's successor, with a newer XNNPACK. Throws `runtime_unavailable` where the library is
 * not installed or is not the pinned one.
 */
export function litertRuntime(): TfliteRuntime {
  const api = loadLibrary();
  return {
    name: 'litert',
    version: LITERT.version,
    open: async (file, options) => withNativeLog(() => new LitertInterpreter(api, file, options ?? {})),
  };
}

type Pointer = bigint;
type Out = [Pointer | null];
type Api = ReturnType<typeof bind>;
let loaded: { api: Api; environment: Pointer } | undefined;

function loadLibrary(): { api: Api; environment: Pointer } {
  if (loaded !== undefined) return loaded;
  const path = litertPath();
  const build = litertBuild();
  const unavailable = (why: string, cause?: unknown) =>
    new AdbreakError('runtime_unavailable', `Cannot load LiteRT: ${why}`, {
      remedy: 'Run `adbreak runtime install litert`, or choose `runtime: tflite`.',
      ...(cause !== undefined && { cause }),
    });
  if (build === null) throw unavailable(`there is no library for ${process.platform}-${process.arch}`);
  let digest: string;
  try {
    digest = createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (cause) {
    throw unavailable(`${path} cannot be read`, cause);
  }
  if (digest !== build.sha256)
    throw unavailable(`the SHA-256 of ${path} must be ${build.sha256}: current value is ${digest}`);
  try {
    const api = bind(path);
    loaded = {
      api,
      environment: withNativeLog(() => need(api.createEnvironment, 'create its environment', 0, null)),
    };
  } catch (cause) {
    throw unavailable(explain(cause), cause);
  }
  return loaded;
}

function bind(path: string) {
  const library = koffi.load(path);
  const libc = koffi.load(null);
  return {
    createEnvironment: library.func(
      'int LiteRtCreateEnvironment(int options, void *values, _Out_ void **environment)',
    ),
    createModel: library.func(
      'int LiteRtCreateModelFromBuffer(void *environment, const void *bytes, size_t size, _Out_ void **model)',
    ),
    createOptions: library.func('int LiteRtCreateOptions(_Out_ void **options)'),
    setAccelerators: library.func(
      'int LiteRtSetOptionsHardwareAccelerators(void *options, int accelerators)',
    ),
    createOpaqueOptions: library.func(
      'int LiteRtCreateOpaqueOptions(const char *name, void *payload, void *free, _Out_ void **options)',
    ),
    addOpaqueOptions: library.func('int LiteRtAddOpaqueOptions(void *options, void *further)'),
    createCompiledModel: library.func(
      'int LiteRtCreateCompiledModel(void *environment, void *model, void *options, _Out_ void **compiled)',
    ),
    isFullyAccelerated: library.func(
      'int LiteRtCompiledModelIsFullyAccelerated(void *compiled, _Out_ bool *whole)',
    ),
    signature: library.func('int LiteRtGetModelSignature(void *model, size_t index, _Out_ void **signature)'),
    inputTensor: library.func(
      'int LiteRtGetSignatureInputTensorByIndex(void *signature, size_t index, _Out_ void **tensor)',
    ),
    outputTensor: library.func(
      'int LiteRtGetSignatureOutputTensorByIndex(void *signature, size_t index, _Out_ void **tensor)',
    ),
    tensorType: library.func('int LiteRtGetRankedTensorType(void *tensor, void *type)'),
    inputRequirements: library.func(
      'int LiteRtGetCompiledModelInputBufferRequirements(void *compiled, size_t signature, size_t index, _Out_ void **requirements)',
    ),
    outputRequirements: library.func(
      'int LiteRtGetCompiledModelOutputBufferRequirements(void *compiled, size_t signature, size_t index, _Out_ void **requirements)',
    ),
    createBuffer: library.func(
      'int LiteRtCreateManagedTensorBufferFromRequirements(void *environment, void *type, void *requirements, _Out_ void **buffer)',
    ),
    lock: library.func('int LiteRtLockTensorBuffer(void *buffer, _Out_ void **address, int mode)'),
    unlock: library.func('int LiteRtUnlockTensorBuffer(void *buffer)'),
    run: library.func(
      'int LiteRtRunCompiledModel(void *compiled, size_t signature, size_t inputs, void *input, size_t outputs, void *output)',
    ),
    destroyBuffer: library.func('void LiteRtDestroyTensorBuffer(void *buffer)'),
    destroyCompiledModel: library.func('void LiteRtDestroyCompiledModel(void *compiled)'),
    destroyOptions: library.func('void LiteRtDestroyOptions(void *options)'),
    destroyModel: library.func('void LiteRtDestroyModel(void *model)'),
    strdup: libc.func('void *strdup(const char *text)'),
    memcpy: libc.func('void *memcpy(void *to, const void *from, size_t size)'),
    /** libc's free: LiteRT releases the options' payload with it. */
    free: libc.symbol('free'),
  };
}

const CPU = 1;
const LOCK_READ = 0;
const LOCK_WRITE = 1;

/** Calls a function whose last parameter is where the result goes. */
function need(call: (...parameters: never[]) => number, what: string, ...parameters: unknown[]): Pointer {
  const result: Out = [null];
  const status = Reflect.apply(call, undefined, [...parameters, result]);
  const [value] = result;
  if (status !== 0 || value === null)
    throw new AdbreakError('model_unsupported', `LiteRT cannot ${what}: status ${String(status)}`);
  return value;
}

/** XNNPACK's thread pools must not outlive their models at the end of the process. */
const open = new Set<LitertInterpreter>();
process.once('exit', () => {
  for (const interpreter of open) interpreter.freeNow();
});

class LitertInterpreter implements Interpreter {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Whether XNNPACK took every operator. */
  readonly fullyDelegated: boolean;
  readonly #api: Api;
  /** The library keeps a pointer into it. */
  readonly #file: Uint8Array;
  #model: Pointer | null = null;
  #options: Pointer | null = null;
  #compiled: Pointer | null = null;
  #inputBuffers: Pointer[] = [];
  #outputBuffers: Pointer[] = [];
  /** The buffers as arrays of pointers, as a run takes them. */
  #inputs = new BigUint64Array(0);
  #outputs = new BigUint64Array(0);
  readonly #runner = new SerialRunner();

  constructor(
    { api, environment }: { api: Api; environment: Pointer },
    file: Uint8Array,
    { threads = 1 }: InterpreterOptions,
  ) {
    // The native parser trusts its input; ours does not, and goes first.
    const parsed = readModel(file);
    checkRunnable(parsed);
    const specs = specsOf(parsed);
    this.inputs = specs.inputs;
    this.outputs = specs.outputs;
    this.#api = api;
    this.#file = Uint8Array.from(file);
    try {
      this.#model = need(api.createModel, 'read the model', environment, this.#file, this.#file.byteLength);
      this.#options = need(api.createOptions, 'make options');
      this.#must(api.setAccelerators(this.#options, CPU), 'choose the CPU');
      const payload = api.strdup(`num_threads = ${threads}\n`);
      this.#must(
        api.addOpaqueOptions(
          this.#options,
          need(api.createOpaqueOptions, 'set threads', 'xnnpack', payload, api.free),
        ),
        'set threads',
      );
      this.#compiled = need(
        api.createCompiledModel,
        'prepare the operators of the model',
        environment,
        this.#model,
        this.#options,
      );
      const signature = need(api.signature, 'find the signature of the model', this.#model, 0);
      this.#inputBuffers = this.inputs.map((_, i) =>
        this.#buffer(environment, signature, i, api.inputTensor, api.inputRequirements),
      );
      this.#outputBuffers = this.outputs.map((_, i) =>
        this.#buffer(environment, signature, i, api.outputTensor, api.outputRequirements),
      );
      this.#inputs = BigUint64Array.from(this.#inputBuffers);
      this.#outputs = BigUint64Array.from(this.#outputBuffers);
      const whole: [boolean] = [false];
      this.#must(api.isFullyAccelerated(this.#compiled, whole), 'tell what XNNPACK took');
      [this.fullyDelegated] = whole;
      open.add(this);
    } catch (error) {
      this.freeNow();
      throw error;
    }
  }

  #buffer(
    environment: Pointer,
    signature: Pointer,
    index: number,
    tensorOf: Api['inputTensor'],
    requirementsOf: Api['inputRequirements'],
  ): Pointer {
    const tensor = need(tensorOf, 'find a tensor', signature, index);
    // int32 element type; 32 bits with the rank in the lowest seven; 8 x int32 dimensions; 8 x uint32 strides.
    const type = new Uint8Array(8 + 8 * 4 + 8 * 4);
    this.#must(this.#api.tensorType(tensor, type), 'describe a tensor');
    const view = new DataView(type.buffer);
    // An open batch dimension is -1 in the file; a buffer needs a number.
    for (let axis = 0; axis < (view.getUint32(4, true) & 127); axis++)
      if (view.getInt32(8 + axis * 4, true) < 0) view.setInt32(8 + axis * 4, 1, true);
    const requirements = need(requirementsOf, 'tell what a buffer needs', this.#compiled, 0, index);
    return need(this.#api.createBuffer, 'make a buffer', environment, type, requirements);
  }

  invoke(inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
    return this.#runner.run(async () => {
      checkInputs(this.inputs, inputs);
      inputs.forEach((bytes, i) =>
        this.#locked(this.#inputBuffers[i], LOCK_WRITE, (address) =>
          this.#api.memcpy(address, bytes, bytes.byteLength),
        ),
      );
      const [given, wanted] = [this.#inputs, this.#outputs];
      const status = await new Promise<number>((resolve, reject) => {
        this.#api.run.async(
          this.#compiled,
          0,
          given.length,
          given,
          wanted.length,
          wanted,
          (error: unknown, result: number) => (error ? reject(error) : resolve(result)),
        );
      });
      if (status !== 0)
        throw new AdbreakError('inference_failed', `Cannot run the model: LiteRT answered status ${status}`);
      return this.outputs.map((spec, i) => {
        const bytes = new Uint8Array(byteLength(spec));
        this.#locked(this.#outputBuffers[i], LOCK_READ, (address) =>
          this.#api.memcpy(bytes, address, bytes.byteLength),
        );
        return bytes;
      });
    });
  }

  #locked(buffer: Pointer | undefined, mode: number, use: (address: Pointer) => void): void {
    const address: Out = [null];
    if (this.#api.lock(buffer, address, mode) !== 0 || address[0] === null)
      throw new AdbreakError('inference_failed', 'Cannot reach the buffers of the model');
    use(address[0]);
    this.#api.unlock(buffer);
  }

  #must(status: number, what: string): void {
    if (status !== 0) throw new AdbreakError('model_unsupported', `LiteRT cannot ${what}: status ${status}`);
  }

  [Symbol.dispose](): void {
    this.#runner.close(() => this.freeNow());
  }

  /** Frees the native memory; nothing may be running. */
  freeNow(): void {
    open.delete(this);
    for (const buffer of [...this.#inputBuffers, ...this.#outputBuffers]) this.#api.destroyBuffer(buffer);
    if (this.#compiled !== null) this.#api.destroyCompiledModel(this.#compiled);
    if (this.#options !== null) this.#api.destroyOptions(this.#options);
    if (this.#model !== null) this.#api.destroyModel(this.#model);
    this.#inputBuffers = this.#outputBuffers = [];
    this.#compiled = this.#options = this.#model = null;
  }
}
