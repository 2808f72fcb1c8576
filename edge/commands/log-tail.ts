import { harmless } from '@adbreak/shared/log.js';

/** As many as a command may ask for. */
const MOST_LINES = 1000;
/** Characters of a line, as the contract has them. */
const MOST_CHARACTERS = 2000;

/** The last lines of the log since the program began, for who asks for them. In memory: a card is not written for it. */
export class LogTail {
  readonly #lines: string[] = [];

  add(line: string, now: Date): void {
    this.#lines.push(`${now.toISOString()} ${withoutQueries(harmless(line))}`.slice(0, MOST_CHARACTERS));
    if (this.#lines.length > MOST_LINES) this.#lines.shift();
  }

  /** The last `most` lines that have room, oldest first. `cut`: older ones were asked for, and had none. */
  last(most: number, bytes: number): { lines: string[]; cut: boolean } {
    const asked = this.#lines.slice(-most);
    let room = bytes;
    const lines: string[] = [];
    for (const line of asked.toReversed()) {
      // A comma behind each.
      room -= Buffer.byteLength(JSON.stringify(line)) + 1;
      if (room < 0) break;
      lines.unshift(line);
    }
    return { lines, cut: lines.length < asked.length };
  }
}

/** Cameras take keys behind a question mark; passwords before an @ are gone already. */
function withoutQueries(line: string): string {
  return line.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s?]*)\?\S+/gi, '$1?[secret]');
}
