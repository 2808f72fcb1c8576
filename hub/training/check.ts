import { randomUUID } from 'node:crypto';
import type { TrainerWord } from '@adbreak/shared/contract/training.js';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { settingsOf } from './configuration.js';
import type { TrainingFolder } from './job-folder.js';
import { Trainer } from './trainer.js';

/** A trainer that only looks takes a second or two; on a Pi that is at work, more. */
const CHECK_MS = 60_000;

interface Parts {
  readonly folder: TrainingFolder;
  readonly trainer: string;
}
interface Asked {
  readonly configuration: string;
  readonly settings: readonly string[];
}

/**
 * What the trainer says of a configuration and a data set, by its own schema: the version that they make. Throws
 * what it refuses them with, `timed_out` where it says nothing for a minute.
 */
export async function checkedBy({ folder, trainer: path }: Parts, asked: Asked, dataset: string) {
  const id = `check-${randomUUID()}`;
  const heard: TrainerWord[] = [];
  let last = 'it said nothing';
  try {
    const configuration = await folder.prepare(id, asked.configuration);
    const places = { dataset, output: folder.output(id), cache: folder.cache };
    const args = ['--check', '--config', configuration, ...settingsOf(asked.settings, places)];
    const trainer = await Trainer.start(path, args, {
      line: (line) => {
        last = line;
      },
      word: (word) => void heard.push(word),
    });
    const late = setTimeout(() => void trainer.stop(0), CHECK_MS);
    const { code } = await trainer.ended.finally(() => clearTimeout(late));
    return checkedIn(heard, code, last);
  } finally {
    await folder.forget(id);
  }
}

function checkedIn(heard: readonly TrainerWord[], code: number | null, last: string) {
  for (const word of heard) {
    if (word.kind === 'failed') {
      const { failure } = word;
      const known = isErrorCode(failure.code) ? failure.code : 'input_invalid';
      throw new AdbreakError(known, failure.message, { remedy: failure.remedy });
    }
    if (word.kind === 'checked' && code === 0) return word;
  }
  throw new AdbreakError(
    code === null ? 'timed_out' : 'training_failed',
    `Cannot train: the trainer ended before it had looked at the configuration: ${last}`,
    { remedy: 'Try again when the hub has less to do; `adbreak train --check` there says more.' },
  );
}
