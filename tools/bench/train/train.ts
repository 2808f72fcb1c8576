import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { measureFrozen } from './frozen.js';
import { benchPictures } from './pictures.js';
import { type TrainResult, tableOf, trainResult } from './result.js';
import { measureStep } from './step.js';

/**
 * `make bench-train`: `adbreak train` from 2,000 pictures on disk to the metrics of an INT8 file, again with
 * another head, and one step of fine-tuning, each beside the same work in Keras, in turns. ROUNDS= (2) of
 * each, STEPS= (2) of a turn, SEED= (1) of the pictures, ONLY=frozen or step, THREADS= (all cores).
 */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PARTS = ['frozen', 'step'] as const;
const NOT_MEASURED = { frozen: null, second_run: null, second_run_s: null } as const;

interface Settings {
  readonly rounds: number;
  readonly steps: number;
  readonly seed: number;
  readonly threads: number;
  readonly only: string | null;
}

function settingsOf(env: NodeJS.ProcessEnv): Settings {
  const number = (name: string, usual: number, high: number) => {
    const value = Number(env[name] || usual);
    if (Number.isInteger(value) && value >= 1 && value <= high) return value;
    throw new RangeError(
      `Cannot run the benchmark: ${name} must be a whole number from 1 to ${high}: ` +
        `current value is ${env[name]}`,
    );
  };
  const only = env['ONLY'] || null;
  if (only !== null && !PARTS.some((part) => part === only))
    throw new RangeError(`Cannot run the benchmark: ONLY must be frozen or step: current value is ${only}`);
  return {
    rounds: number('ROUNDS', 2, 20),
    steps: number('STEPS', 2, 100),
    seed: number('SEED', 1, 2 ** 31),
    threads: number('THREADS', availableParallelism(), 64),
    only,
  };
}

const interruption = onInterruption();
await runProgram(async () => {
  const { signal } = interruption;
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const say = (line: string) => console.error(`${elapsed().toFixed(0).padStart(5)} s  ${line}`);
  process.chdir(ROOT);
  const python = process.env['PYTHON'];
  if (python === undefined)
    throw new Error('PYTHON must name an interpreter with TensorFlow; `make bench-train` sets it');
  const { only, rounds, steps, seed, threads } = settingsOf(process.env);
  const told = { say, signal, python, rounds };
  const folder = join(ROOT, '.work/bench-train');
  const [load_before = 0] = loadavg();
  const whole =
    only === 'step'
      ? NOT_MEASURED
      : await measureFrozen({
          ...{ ...told, threads, folder: join(folder, 'runs') },
          data: await benchPictures({ folder, seed, say, signal }),
        });
  const step = only === 'frozen' ? null : await measureStep({ ...told, steps });
  const result: TrainResult = {
    ...{ bench: 'train', frozen: whole.frozen, step, second_run: whole.second_run },
    ...{ second_run_s: whole.second_run_s, rounds, threads, cores: availableParallelism() },
    ...{ load_before, load_after: loadavg()[0] ?? 0, node: process.version, seconds: elapsed() },
  };
  console.log(tableOf(result));
  console.log(JSON.stringify(rounded(trainResult.parse(result))));
}, interruption);

/** Numbers to the third place. */
function rounded(result: TrainResult): unknown {
  return JSON.parse(JSON.stringify(result), (_, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value,
  );
}
