import { z } from 'zod';
import { lastLine, type Told, timed } from './command.js';
import { median, type TrainResult } from './result.js';

const BATCH = 32;
const times = z.object({ seconds: z.array(z.number().positive()).min(1) });
const oursTimes = times.extend({ backend: z.string() });

export interface StepRequest extends Told {
  readonly rounds: number;
  /** Of each turn, behind one that is not counted. */
  readonly steps: number;
  readonly python: string;
}

/** A step of fine-tuning with every layer learning, batch normalizations as they are: ours, Keras's, in turns. */
export async function measureStep(request: StepRequest): Promise<NonNullable<TrainResult['step']>> {
  const { rounds, steps, python } = request;
  const [own, keras]: [number[], number[]] = [[], []];
  let backend = '';
  for (let round = 1; round <= rounds; round++) {
    request.say(`steps at batch ${BATCH}, round ${round} of ${rounds}`);
    const numbers = [BATCH, steps].map(String);
    const ended = await timed(
      [process.execPath, 'tools/dist/bench/train/step-worker.js', ...numbers],
      request,
    );
    const said = oursTimes.parse(lastLine(ended));
    own.push(...said.seconds);
    backend = said.backend;
    const other = await timed([python, 'scripts/bench-train/step.py', ...numbers], {
      ...request,
      env: { PYTHONPATH: 'scripts/reference' },
    });
    keras.push(...times.parse(lastLine(other)).seconds);
  }
  const [ours_s, keras_s] = [median(own), median(keras)];
  return { ours_s, keras_s, ratio: ours_s / keras_s, batch: BATCH, steps: rounds * steps, backend };
}
