import { MODEL_LIMIT } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { readLimited, sha256 } from '@adbreak/shared/storage/atomic.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { withFeatures } from '@adbreak/shared/tflite/features.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import { type DistanceMeter, distanceMeter } from '@adbreak/shared/unsure.js';
import { type FromWorker, shortened, type ToWorker, toWorker } from './protocol.js';

/**
 * The child that owns the TFLite runtime. Whatever a model does to it, a crash, a hang, memory, it does not do to the
 * agent. It is started by InferenceChild only.
 */
let classifier: AdClassifier | undefined;
let distanceOf: DistanceMeter | undefined;

/** A softmax in floats may leave its range by so much. */
const ROUNDING = 1e-3;

/** An agent that is gone is told of by `disconnect`, below: here nobody is left to hear of it. */
const send = (message: FromWorker) => void process.send?.(message, undefined, undefined, () => undefined);

async function receive(said: unknown): Promise<void> {
  try {
    const message = toWorker(said);
    if (message.kind === 'load') await load(message);
    else await infer(message);
  } catch (error) {
    send({
      kind: 'refused',
      code: error instanceof AdbreakError ? error.code : 'inference_failed',
      message: shortened(explain(error)),
    });
  }
}

async function load({
  path,
  manifest,
  runtime: choice,
  threads,
  distance,
}: Extract<ToWorker, { kind: 'load' }>): Promise<void> {
  const file = await readLimited(path, MODEL_LIMIT);
  if (file === undefined)
    throw new AdbreakError('inference_failed', `Cannot load ${path}: it is not there any more`);
  if (sha256(file) !== manifest.digest)
    throw new AdbreakError('model_corrupt', `Cannot load ${path}: its SHA-256 is not the manifest's`);
  const runtime = openRuntime(choice);
  const reference = distance ? manifest.unsure : undefined;
  const opened = reference === undefined ? file : withFeatures(file);
  classifier = new AdClassifier(await runtime.open(opened, { threads }), manifest.preprocess);
  distanceOf = reference && distanceMeter(reference);
  send({ kind: 'loaded', runtime: runtime.name });
}

async function infer({ id, pixels }: Extract<ToWorker, { kind: 'infer' }>): Promise<void> {
  const started = performance.now();
  try {
    if (classifier === undefined)
      throw new AdbreakError('inference_failed', 'Cannot infer: no model is loaded');
    const { probability, features } = await classifier.judge(pixels);
    send({
      kind: 'result',
      id,
      probability: withinRange(probability),
      milliseconds: performance.now() - started,
      ...(distanceOf && { distance: distanceOf(features) }),
    });
  } catch (error) {
    send({ kind: 'failed', id, message: shortened(explain(error)) });
  }
}

function withinRange(probability: number): number {
  if (probability < -ROUNDING || probability > 1 + ROUNDING)
    throw new AdbreakError(
      'inference_failed',
      `Cannot use the model's output: p(ad) must be from 0 to 1: current value is ${probability}`,
    );
  return Math.min(1, Math.max(0, probability));
}

process.on('message', (said: unknown) => void receive(said));
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group: the agent decides when its children end.
process.on('SIGINT', () => undefined);
