import { Worker } from 'node:worker_threads';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Answer } from './keras-h5-worker.js';
import type { WeightTensor } from './tensors.js';

const PATIENCE_MS = 10_000;
const BYTES_PER_MS = 20_000;

/**
 * Weights of a Keras model, in the order of its layers, as `layer/role`: HDF5 as Keras 1 to 3 save whole models (`.h5`)
 * or weights (`.weights.h5`). Read by the HDF5 library compiled to WebAssembly, from memory: a link in the file that
 * points elsewhere finds nothing. It runs in a thread of its own, because damaged files can send that library round in
 * circles; the thread ends with its memory.
 */
export async function readKerasH5(bytes: Uint8Array): Promise<Map<string, WeightTensor>> {
  const broken = (why: string) =>
    new AdbreakError('input_invalid', `Cannot read the weights as Keras HDF5: ${why}`);
  const worker = new Worker(new URL('./keras-h5-worker.js', import.meta.url), {
    workerData: Uint8Array.from(bytes),
    stderr: true,
    stdout: true,
  });
  const patience = Math.ceil(PATIENCE_MS + bytes.byteLength / BYTES_PER_MS);
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (cause) => reject(broken(explain(cause))));
      worker.once('exit', () => reject(broken('the HDF5 library gave up')));
      timer = setTimeout(
        () => reject(broken(`it takes longer than ${Math.round(patience / 1000)} s, so it must be damaged`)),
        patience,
      );
    });
    if ('broken' in answer) throw broken(answer.broken);
    return answer.tensors;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
