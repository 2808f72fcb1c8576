import { readFile } from 'node:fs/promises';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import type { FromWorker, ToWorker } from './protocol.js';

/**
 * The child that owns the TFLite runtime. Whatever a model does to it, a crash, a hang, memory, it does not do to the
 * agent. It is started by InferenceChild only.
 */
let classifier: AdClassifier | undefined;

/** An agent that is gone is told of by `disconnect`, below: here nobody is left to hear of it. */
const send = (message: FromWorker) => void process.send?.(message, undefined, undefined, () => undefined);

async function load(message: Extract<ToWorker, { kind: 'load' }>): Promise<void> {
  try {
    const file = await readFile(message.path);
    if (sha256(file) !== message.manifest.digest) throw new AdbreakError('model_corrupt', `Cannot load ${message.path}: its SHA-256 is not the manifest's`);
    const runtime = openRuntime(message.runtime);
    classifier = new AdClassifier(await runtime.open(file, { threads: message.threads }), message.manifest.preprocess);
    send({ kind: 'loaded', runtime: runtime.name });
  } catch (error) {
    send({ kind: 'refused', code: error instanceof AdbreakError ? error.code : 'inference_failed', message: explain(error) });
  }
}

async function infer({ id, pixels }: Extract<ToWorker, { kind: 'infer' }>): Promise<void> {
  const started = performance.now();
  try {
    if (classifier === undefined) throw new AdbreakError('inference_failed', 'Cannot infer: no model is loaded');
    const probability = await classifier.adProbability(pixels);
    send({ kind: 'result', id, probability, milliseconds: performance.now() - started });
  } catch (error) {
    send({ kind: 'failed', id, message: explain(error) });
  }
}

process.on('message', (message: ToWorker) => void (message.kind === 'load' ? load(message) : infer(message)));
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group: the agent decides when its children end.
process.on('SIGINT', () => undefined);
