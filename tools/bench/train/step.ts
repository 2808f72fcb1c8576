import { z } from 'zod';
import { lastLine, type Told, timed } from './command.js';
import { median, type TrainResult } from './result.js';

const BATCH = 32;
const SMALLEST = 4;
const times = z.object({ seconds: z.array(z.number().positive()).min(1) });
const oursTimes = times.extend({ backend: z.string() });

export interface StepRequest extends Told {
  readonly rounds: number;
  /** Of each turn, behind one that is not counted. */
  readonly steps: number;
  readonly python: string;
}

/**
 * A step of fine-tuning with every layer learning, batch normalizations as they are: ours, Keras's, in turns.
 * What does not fit into a backend's memory at once goes through it in smaller batches, as many as make one.
 */
export async function measureStep(request: StepRequest): Promise<NonNullable<TrainResult['step']>> {
  const { rounds, steps, python } = request;
  const [own, keras]: [number[], number[]] = [[], []];
  let fits: Fitting = { batch: BATCH, backend: '' };
  for (let round = 1; round <= rounds; round++) {
    request.say(`steps at batch ${BATCH}, round ${round} of ${rounds}`);
    const { seconds, ...found } = await ours(fits.batch, request);
    own.push(...seconds);
    fits = found;
    const command = [python, 'scripts/bench-train/step.py', String(BATCH), String(steps)];
    const other = await timed(command, { ...request, env: { PYTHONPATH: 'scripts/reference' } });
    keras.push(...times.parse(lastLine(other)).seconds);
  }
  const [ours_s, keras_s] = [median(own), median(keras)];
  const { batch: ours_batch, backend } = fits;
  return {
    ours_s,
    keras_s,
    ratio: ours_s / keras_s,
    batch: BATCH,
    ours_batch,
    steps: rounds * steps,
    backend,
  };
}

interface Fitting {
  /** Pictures that go through the backend at once. */
  readonly batch: number;
  readonly backend: string;
}

/** Seconds of each step of 32 pictures, in batches of `batch` or, where that fails, of half as many. */
async function ours(
  batch: number,
  request: StepRequest,
): Promise<Fitting & { readonly seconds: readonly number[] }> {
  const each = BATCH / batch;
  const command = [process.execPath, 'tools/dist/bench/train/step-worker.js'];
  try {
    const ended = await timed([...command, String(batch), String(request.steps * each)], request);
    const { seconds, backend } = oursTimes.parse(lastLine(ended));
    const whole = Array.from({ length: request.steps }, (_, i) => seconds.slice(i * each, (i + 1) * each));
    return { batch, backend, seconds: whole.map((parts) => parts.reduce((sum, one) => sum + one, 0)) };
  } catch (error) {
    request.signal.throwIfAborted();
    if (batch === SMALLEST) throw error;
    request.say(`${batch} pictures at once do not go through: half of them`);
    return ours(batch / 2, request);
  }
}
