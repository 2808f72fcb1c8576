import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

let chosen: Promise<string> | undefined;

/** tfjs-node where its native library is installed, else wasm: both train dense heads, wasm runs everywhere. */
export function openBackend(): Promise<string> {
  chosen ??= choose();
  return chosen;
}

async function choose(): Promise<string> {
  const native = await import('@tensorflow/tfjs-node').then(
    () => true,
    () => false,
  );
  if (!native) {
    const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
    setWasmPaths(`${folder}/`);
    await tf.setBackend('wasm');
  }
  await tf.ready();
  return tf.getBackend();
}
