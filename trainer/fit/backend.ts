import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
// For what it does when it is loaded: tfjs-core registers no gradient of its own.
import '@tensorflow/tfjs-layers';
import type { Layers } from './network/layers.js';
import { hasTensorFlow, openTensorFlow } from './network/tensorflow.js';
import { tensorflowLayers } from './network/tensorflow-layers.js';
import { WASM_LAYERS } from './network/wasm-layers.js';

export type BackendName = 'tfjs-node' | 'wasm';
/** What networks are trained on: tfjs with a backend chosen, and the layers that are fast on it. */
export interface Backend {
  readonly name: BackendName;
  readonly layers: Layers;
}

let opened: Promise<Backend> | undefined;

/**
 * Opens the backend of this process, once. Throws `input_invalid` and `runtime_unavailable` as
 * `backendName` does and where tfjs-node does not load.
 */
export function openBackend(): Promise<Backend> {
  opened ??= open(backendName());
  return opened;
}

/**
 * Which backend this machine has: tfjs-node where `make tfjs-node` has built it, else wasm; or the one that
 * ADBREAK_BACKEND names. Nothing is loaded for it. Throws `input_invalid` for another name.
 */
export function backendName(wanted = process.env['ADBREAK_BACKEND'] ?? 'auto'): BackendName {
  switch (wanted) {
    case 'tfjs-node':
    case 'wasm':
      return wanted;
    case 'auto':
      return hasTensorFlow() ? 'tfjs-node' : 'wasm';
    default:
      throw new AdbreakError(
        'input_invalid',
        `Cannot train on ${wanted}: ADBREAK_BACKEND must be tfjs-node, wasm or auto`,
      );
  }
}

/** For people: what networks are trained on, and what would be faster, where this machine can have it. */
export function formatBackend(name: BackendName): string {
  if (name === 'tfjs-node') return 'on tfjs-node, with TensorFlow’s kernels';
  return CAN_BUILD ? 'on wasm (`make tfjs-node` builds what is many times faster)' : 'on wasm';
}
/** What the wheel is for that `make tfjs-node` builds against. */
const CAN_BUILD = process.platform === 'linux' && process.arch === 'x64';

async function open(name: BackendName): Promise<Backend> {
  if (name === 'tfjs-node') return { name, layers: tensorflowLayers(await openTensorFlow()) };
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  setWasmPaths(`${folder}/`);
  await tf.setBackend('wasm');
  await tf.ready();
  return { name, layers: WASM_LAYERS };
}
