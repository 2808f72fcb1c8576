import { printable } from '@adbreak/shared/errors.js';
import { formatClock } from '../decide/formats.js';

export interface Progress {
  /** Seconds of the recording that were looked at. */
  readonly done: number;
  /** Seconds that there are; null where the container does not say. */
  readonly total: number | null;
  /** Seconds that it took so far. */
  readonly elapsed: number;
}

/** `43 %, 00:12:30.0 of 00:29:00.0, 31 times as fast as it plays, 32 s left` */
export function formatProgress({ done, total, elapsed }: Progress): string {
  const speed = elapsed > 0 ? done / elapsed : 0;
  const pace = speed >= 10 ? speed.toFixed(0) : speed.toFixed(1);
  const fast = speed > 0 ? `, ${pace} times as fast as it plays` : '';
  if (total === null || total <= 0) return `${formatClock(done)}${fast}`;
  const share = Math.min(100, Math.floor((100 * done) / total));
  const left = speed > 0 ? `, ${formatLeft(Math.max(0, total - done) / speed)} left` : '';
  return `${share} %, ${formatClock(done)} of ${formatClock(total)}${fast}${left}`;
}

function formatLeft(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 100 * 60 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** How often a terminal and a log hear of it, milliseconds. */
const TERMINAL_MS = 500;
const LOG_MS = 30_000;

/**
 * Says how far it is on standard error: one line that changes at a terminal, a line each half minute
 * elsewhere.
 */
export class ProgressLine {
  readonly #name: string;
  readonly #total: number | null;
  readonly #started = performance.now();
  #said = performance.now();
  #isOpen = false;

  constructor(name: string, total: number | null) {
    this.#name = printable(name);
    this.#total = total;
  }

  at(done: number): void {
    const now = performance.now();
    const terminal = process.stderr.isTTY;
    if (now - this.#said < (terminal ? TERMINAL_MS : LOG_MS)) return;
    this.#said = now;
    const elapsed = (now - this.#started) / 1000;
    const line = `${this.#name}: ${formatProgress({ done, total: this.#total, elapsed })}`;
    process.stderr.write(terminal ? `\r${fitted(line, process.stderr.columns)}\x1b[K` : `${line}\n`);
    this.#isOpen = terminal;
  }

  /** Takes the line away: what comes next stands alone. */
  end(): void {
    if (this.#isOpen) process.stderr.write('\r\x1b[K');
    this.#isOpen = false;
  }
}

/**
 * A line that a terminal of so many columns does not break: one that is broken stays, and each second adds another. Its
 * beginning goes, a long path, and how far it is stays.
 */
export function fitted(line: string, columns: number): string {
  return line.length < columns || columns < 2 ? line : `…${line.slice(line.length - columns + 2)}`;
}
