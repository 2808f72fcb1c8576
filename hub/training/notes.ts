import type { Epoch } from '@adbreak/shared/contract/training.js';
import { LINE_LIMIT } from './job.js';

/** Lines of a job's log that are kept: the newest. */
export const LINES_KEPT = 1000;

/** What a run has said, as far as it is remembered: in memory while it runs, now and then on the disk. */
export class Notes {
  epochs: Epoch[];
  readonly #lines: string[];
  #progress: string | null;
  #fresh = false;

  constructor(lines: readonly string[], epochs: readonly Epoch[], progress: string | null) {
    this.#lines = [...lines];
    this.epochs = [...epochs];
    this.#progress = progress;
  }

  say(line: string): void {
    this.#lines.push(line.slice(0, LINE_LIMIT));
    this.#lines.splice(0, this.#lines.length - LINES_KEPT);
    this.#progress = line.trim().slice(0, LINE_LIMIT);
    this.#fresh = true;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
  /** The last line. */
  get progress(): string | null {
    return this.#progress;
  }

  /** Whether anything was said since this was asked before. */
  takeFresh(): boolean {
    const was = this.#fresh;
    this.#fresh = false;
    return was;
  }
}
