import { randomBytes } from 'node:crypto';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';

/** The last number that was given to a report, and the stream that it counts in. */
export interface Numbers {
  readonly stream: string;
  /** 0 before the first. */
  readonly sequence: number;
}

/** Far from the end of what a file's name holds. */
const HIGHEST_SEQUENCE = 5e9;
/** An agent of before 0.3 wrote the number alone. */
const STORED = /^(\d{1,10})(?: ([0-9a-f]{16}))?$/;

/**
 * What was written last. Where there is nothing, or nothing that can be read, a stream of another name begins: with
 * the old name a number that the hub has seen would make it take a new report for an old one, and acknowledge it
 * unread.
 * @param known the highest number of a report on the disk; no other may be given to two reports that wait
 */
export async function readNumbers(
  path: string,
  known: number,
  log: (line: string) => void,
): Promise<Numbers> {
  const anew: Numbers = { stream: randomBytes(8).toString('hex'), sequence: known };
  try {
    const stored = await readLimited(path, 64);
    if (stored === undefined) return anew;
    const text = Buffer.from(stored).toString();
    const [, number, stream = anew.stream] = STORED.exec(text) ?? [];
    if (number === undefined || Number(number) > HIGHEST_SEQUENCE)
      throw new AdbreakError(
        'state_corrupt',
        `Cannot read ${path}: it must be the number of the last report and its stream: current value is ${JSON.stringify(text)}`,
      );
    return { stream, sequence: Math.max(known, Number(number)) };
  } catch (error) {
    log(`spool: ${explain(error)}; stream ${anew.stream} begins`);
    return anew;
  }
}

/** Number and name in one file: no power cut leaves an old one beside a new one. */
export function writeNumbers(path: string, { stream, sequence }: Numbers): Promise<void> {
  return writeAtomic(path, `${sequence} ${stream}`);
}
