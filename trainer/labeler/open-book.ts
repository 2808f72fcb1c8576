import { join } from 'node:path';
import type { LabelsChanged } from '@adbreak/shared/contract/labelling.js';
import { makeWritable } from '../dataset/writable.js';
import { LabelBook } from './book.js';
import { EventLog } from './event-log.js';
import { Labels } from './fold.js';
import type { Library } from './library.js';
import { lockOutput } from './lock.js';

interface BookFolder {
  readonly outputDir: string;
  readonly library: Library;
  readonly say: (line: string) => void;
  readonly onChange: (changed: LabelsChanged) => void;
}
interface OpenBook extends AsyncDisposable {
  readonly book: LabelBook;
}

/**
 * The labels in an output folder, for the one process that writes them. Throws `conflict` where another does,
 * `state_unwritable`, and `state_corrupt` with the line of a log that was changed.
 */
export async function openBook({ outputDir, library, say, onChange }: BookFolder): Promise<OpenBook> {
  await makeWritable(outputDir);
  const lock = await lockOutput(outputDir);
  try {
    const labels = new Labels();
    const path = join(outputDir, 'labels.events.jsonl');
    const log = await EventLog.open(path, (event) => void labels.apply(event), say);
    const nameOf = (id: string) => library.recordings.find((recording) => recording.id === id)?.name ?? id;
    const book = new LabelBook({
      ...{ log, labels, onChange, nameOf },
      durations: () => library.durations(),
      now: () => new Date(),
    });
    return {
      book,
      [Symbol.asyncDispose]: async () => {
        await book[Symbol.asyncDispose]();
        await log[Symbol.asyncDispose]();
        await lock[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}
