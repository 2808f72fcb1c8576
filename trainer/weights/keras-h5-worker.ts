import { parentPort, workerData } from 'node:worker_threads';
import { explain } from '@adbreak/shared/errors.js';
import type { Dataset, File, Group } from 'h5wasm';
import type { WeightTensor } from './tensors.js';

export type Answer = { readonly tensors: Map<string, WeightTensor> } | { readonly broken: string };

const MOST_LAYERS = 10_000;
const MOST_DEPTH = 8;
/** gzip makes at most about a thousandth of zeros; more is a file that wants our memory. */
const MOST_EXPANSION = 1100;
/** Keras's order of a layer's variables, by the class in its path (keras 3 names variables by number). */
const ROLES: Record<string, readonly string[]> = {
  conv2d: ['kernel', 'bias'],
  depthwise_conv2d: ['kernel', 'bias'],
  dense: ['kernel', 'bias'],
  batch_normalization: ['gamma', 'beta', 'moving_mean', 'moving_variance'],
};

/** The thread of keras-h5.ts: takes the bytes of one file, answers with its tensors or with what is wrong. */
async function read(bytes: Uint8Array): Promise<Answer> {
  const h5 = await import('h5wasm');
  const { FS } = await h5.ready;
  const path = '/weights.h5';
  try {
    FS.writeFile(path, bytes);
    return { tensors: new KerasFile(h5, new h5.File(path, 'r'), bytes.byteLength).tensors() };
  } catch (error) {
    return { broken: explain(error) };
  }
}

function broken(why: string): Error {
  return new Error(why);
}

class KerasFile {
  readonly #h5: { Dataset: typeof Dataset; Group: typeof Group };
  readonly #file: File;
  readonly #bytes: number;
  readonly #tensors = new Map<string, WeightTensor>();
  #budget: number;
  #layers = 0;

  constructor(h5: { Dataset: typeof Dataset; Group: typeof Group }, file: File, bytes: number) {
    this.#h5 = h5;
    this.#file = file;
    this.#bytes = bytes;
    this.#budget = Math.min(bytes * MOST_EXPANSION, 512 * 1024 * 1024);
  }

  tensors(): Map<string, WeightTensor> {
    const model = this.#file.get('model_weights');
    const legacy = model instanceof this.#h5.Group ? model : this.#file;
    const names = strings(legacy, 'layer_names');
    if (names !== null) for (const name of names) this.#legacyLayer(legacy, name);
    else this.#container(this.#file, '', 0);
    if (this.#tensors.size === 0) throw broken('it holds no layers');
    return this.#tensors;
  }

  /** Keras 1 and 2, and 3 with the ending .h5: attributes name the layers and their weights in order. */
  #legacyLayer(root: Group, layer: string): void {
    const group = root.get(layer);
    if (!(group instanceof this.#h5.Group)) return;
    for (const weight of strings(group, 'weight_names') ?? []) {
      const dataset = group.get(weight);
      const role = (weight.split('/').at(-1) ?? weight).replace(/:\d+$/, '');
      // A model inside a model lists the weights of all its layers under its own name.
      const owner = weight.split('/').slice(0, -1).join('/') || layer;
      this.#take(
        owner.startsWith(`${layer}/`) ? owner.slice(layer.length + 1) || layer : owner,
        role,
        dataset,
      );
    }
  }

  /** Keras 3: layers/CLASS_N/vars/I; the number in the name is the order among layers of a class. */
  #container(group: Group, name: string, depth: number): void {
    if (depth > MOST_DEPTH) throw broken(`groups nested deeper than ${MOST_DEPTH}`);
    const keys = group.keys().sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
    if (keys.length > MOST_LAYERS) throw broken(`a group of ${keys.length} entries`);
    for (const key of keys) {
      const child = group.get(key);
      if (!(child instanceof this.#h5.Group)) continue;
      if (key === 'vars') this.#vars(child, name);
      else this.#container(child, key, depth + 1);
    }
  }

  #vars(group: Group, className: string): void {
    const roles = ROLES[className.replace(/_\d+$/, '')];
    if (roles === undefined) return;
    const named = group.attrs['name']?.value;
    const layer = typeof named === 'string' && named !== '' ? named : className;
    roles.forEach((role, i) => {
      const dataset = group.get(String(i));
      if (dataset !== null) this.#take(layer, role, dataset);
    });
  }

  #take(layer: string, role: string, dataset: unknown): void {
    const name = `${layer}/${role}`;
    if (!(dataset instanceof this.#h5.Dataset)) throw broken(`${name} is no data set`);
    if (++this.#layers > MOST_LAYERS) throw broken(`more than ${MOST_LAYERS} tensors`);
    const { metadata } = dataset;
    const shape = metadata.shape ?? [];
    const size = shape.reduce((product, length) => product * length, metadata.size);
    const stored = metadata.chunks === null || metadata.chunks === undefined;
    if (!(size <= (stored ? this.#bytes : this.#budget)))
      throw broken(`${name} of shape [${shape.join()}] is larger than the file can hold`);
    this.#budget -= size;
    const { value } = dataset;
    if (!(value instanceof Float32Array) && !(value instanceof Float64Array))
      throw broken(`${name} must be float32: current type is ${String(dataset.dtype)}`);
    this.#tensors.set(name, { shape, data: Float32Array.from(value) });
  }
}

function strings(group: Group, attribute: string): string[] | null {
  const value = group.attrs[attribute]?.value;
  return Array.isArray(value) && value.length <= MOST_LAYERS ? value.map(String) : null;
}
function order(name: string): number {
  return Number(/_(\d+)$/.exec(name)?.[1] ?? 0);
}

if (workerData instanceof Uint8Array) parentPort?.postMessage(await read(workerData));
