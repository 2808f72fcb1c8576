import { printable } from '@adbreak/shared/errors.js';

/** Hears how far a step is; `of` is null where nobody knows. */
export type OnProgress = (step: string, done: number, of: number | null) => void;

/** On a terminal one line that changes, elsewhere a line now and then. */
const PAUSE_MS = { terminal: 500, log: 10_000 } as const;

/** Progress on standard error: what is done, and the time left at the speed so far. */
export class ProgressLine implements Disposable {
  #step = '';
  #began = 0;
  #shown = 0;
  #isOpen = false;

  readonly show: OnProgress = (step, done, of) => {
    const now = performance.now();
    if (step !== this.#step) {
      this[Symbol.dispose]();
      [this.#step, this.#began, this.#shown] = [step, now, now];
    }
    const { isTTY } = process.stderr;
    if (now - this.#shown < (isTTY ? PAUSE_MS.terminal : PAUSE_MS.log)) return;
    this.#shown = now;
    const line = printable(progressText(step, done, of, (now - this.#began) / 1000));
    process.stderr.write(isTTY ? `\r  ${line}\x1b[K` : `  ${line}\n`);
    this.#isOpen = isTTY;
  };

  /** The line makes room for what is said next. */
  [Symbol.dispose](): void {
    if (this.#isOpen) process.stderr.write('\r\x1b[K');
    this.#isOpen = false;
  }
}

/** `looking at pictures: 120 of 1,000, 3 min left` */
export function progressText(step: string, done: number, of: number | null, seconds: number): string {
  const count = (value: number) => Math.round(value).toLocaleString('en');
  if (of === null) return `${step}: ${count(done)}`;
  const left = done > 0 ? ((of - done) * seconds) / done : null;
  return `${step}: ${count(done)} of ${count(of)}${left === null ? '' : `, ${timeLeft(left)} left`}`;
}

function timeLeft(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
