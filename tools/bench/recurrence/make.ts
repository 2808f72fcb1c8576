import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { distortionOf } from './distort.js';
import { handOut, makeMaterial } from './material.js';

/**
 * `node tools/dist/bench/recurrence/make.js --out DIR --seed S`: recordings in which spots air again, and truth.json.
 * `--minutes` (40) of each of `--channels` (1) in `--recordings` (2); `--distort NAME`.
 */
const CACHE = fileURLToPath(new URL('../../../../.work/bench-recurrence', import.meta.url));
const interruption = onInterruption();

function count(text: string, name: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new AdbreakError('input_invalid', `Cannot take --${name}: must be above 0: current value is ${text}`);
}

await runProgram(async () => {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      seed: { type: 'string', default: 't1' },
      minutes: { type: 'string', default: '40' },
      channels: { type: 'string', default: '1' },
      recordings: { type: 'string', default: '2' },
      distort: { type: 'string' },
    },
  });
  if (values.out === undefined)
    throw new AdbreakError('input_invalid', 'Cannot write recordings without --out');
  const material = await makeMaterial(
    {
      world: {
        seed: values.seed,
        channels: count(values.channels, 'channels'),
        recordings: count(values.recordings, 'recordings'),
        minutes: count(values.minutes, 'minutes'),
      },
      distortion: values.distort === undefined ? null : distortionOf(values.distort),
      cache: CACHE,
      say: (line) => console.error(line),
    },
    interruption.signal,
  );
  await handOut(material, values.out);
  console.error(`${material.files.length} recordings and truth.json are in ${values.out}`);
}, interruption);
