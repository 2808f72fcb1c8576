import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import util from 'node:util';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import * as tf from '@tensorflow/tfjs-core';

/** The package whose JavaScript is taken, and whose binding `make tfjs-node` builds. */
const VERSION = '4.22.0';

/** What a kernel is asked for beside its inputs. */
export interface Attributes {
  /** Those that are the type of inputs, which are floats all. */
  readonly types: readonly string[];
  readonly floats?: Readonly<Record<string, number>>;
  readonly flags?: Readonly<Record<string, boolean>>;
}
/** Runs one of TensorFlow's kernels by its name, at once. Throws what TensorFlow says of inputs it does not take. */
export type Execute = (
  kernel: string,
  attributes: Attributes,
  inputs: readonly tf.Tensor[],
  outputs: number,
) => readonly tf.Tensor[];

/** Where `make tfjs-node` puts the binding: ADBREAK_TFJS_NODE, else ~/.cache/adbreak. */
function bindingPath(): string {
  const folder =
    process.env['ADBREAK_TFJS_NODE'] ?? join(homedir(), '.cache', 'adbreak', `tfjs-node-${VERSION}`);
  return join(folder, 'lib', 'napi-v8', 'tfjs_binding.node');
}

/** Whether tfjs-node was built on this machine. */
export function hasTensorFlow(): boolean {
  return existsSync(bindingPath());
}

/**
 * Makes tfjs-node the backend of tfjs. Its own entry looks for the binding in its package alone, which
 * `npm install` clears: so its parts are put together here. Throws `runtime_unavailable` where the binding was
 * not built or does not load.
 */
export async function openTensorFlow(): Promise<Execute> {
  const path = bindingPath();
  try {
    // TensorFlow tells on stderr how it was built, unless it is told not to before it is loaded.
    process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
    mendNode();
    const { NodeJSKernelBackend } = await import('@tensorflow/tfjs-node/dist/nodejs_kernel_backend.js');
    const binding: Binding = createRequire(import.meta.url)(path);
    const backend = new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node');
    // The kernels ask for this name.
    tf.registerBackend('tensorflow', () => backend);
    await import('@tensorflow/tfjs-node/dist/register_all_kernels.js');
    await tf.setBackend('tensorflow');
    await tf.ready();
    return (kernel, attributes, inputs, outputs) =>
      backend.executeMultipleOutputs(kernel, attributesOf(attributes, binding), [...inputs], outputs);
  } catch (cause) {
    throw new AdbreakError('runtime_unavailable', `Cannot load tfjs-node from ${path}: ${explain(cause)}`, {
      cause,
      remedy: 'Build it with `make tfjs-node`; ADBREAK_BACKEND=wasm trains without it.',
    });
  }
}

type NodeBackend = typeof import('@tensorflow/tfjs-node/dist/nodejs_kernel_backend.js').NodeJSKernelBackend;
type Binding = ConstructorParameters<NodeBackend>[0];

/** tfjs-node 4.22 asks Node's `util` for two functions that Node 23 took away. */
function mendNode(): void {
  const old = util as { isNullOrUndefined?: unknown; isArray?: unknown };
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
}

function attributesOf({ types, floats = {}, flags = {} }: Attributes, binding: Binding) {
  return [
    ...types.map((name) => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT })),
    ...Object.entries(floats).map(([name, value]) => ({ name, type: binding.TF_ATTR_FLOAT, value })),
    ...Object.entries(flags).map(([name, value]) => ({ name, type: binding.TF_ATTR_BOOL, value })),
  ];
}
