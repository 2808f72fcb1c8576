import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { explainForPeople } from './errors.js';

/** How long what runs may take to end its children and take back what is unfinished, once a person or a service manager says stop. */
const GRACE_MS = 2500;
/** How long what a failed program left open may hold it: a port, a timer, a child that does not end. */
const LINGER_MS = 1000;

/** SIGINT and SIGTERM of this process as one signal, and the exit code of a shell for the one that came. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** 130 or 143 once it has come. */
  readonly exitCode: () => number;
}

/** Takes SIGINT and SIGTERM from now on. They may come twice (a terminal's to the whole group, and a parent's): the first counts. */
export function onInterruption(): Interruption {
  const stop = new AbortController();
  let exitCode = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (stop.signal.aborted) return;
      exitCode = exitCodeOf(name);
      stop.abort();
    });
  return { signal: stop.signal, exitCode: () => exitCode };
}

/** What a shell says of a process that a signal ended. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/**
 * Runs a command line to its end: errors become one sentence with what to do and exit code 1. What commander throws (help,
 * a wrong option) was printed by it already and carries its own code. With an interruption the program ends soon after
 * it, with 130 or 143, whatever was running: it is given a moment to end its children and remove what is unfinished. What
 * comes to its good end in that moment has done its work.
 */
export async function runProgram(run: () => Promise<unknown>, interruption?: Interruption): Promise<void> {
  const work = run();
  try {
    await Promise.race(interruption === undefined ? [work] : [work, aborted(interruption.signal)]);
  } catch (error) {
    if (interruption?.signal.aborted) return endInterrupted(work, interruption.exitCode());
    process.exitCode = report(error);
    // Only what is still open keeps the process until then; an agent that has lost its way must not look alive.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

async function endInterrupted(work: Promise<unknown>, code: number): Promise<never> {
  const settled = work.then(
    () => 'done' as const,
    () => 'stopped' as const,
  );
  const end = await Promise.race([settled, sleep(GRACE_MS, 'late' as const)]);
  if (end === 'done') process.exit();
  console.error(end === 'stopped' ? 'interrupted; nothing half-written was left' : 'interrupted');
  process.exit(code);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** Says what ended the program, and gives its exit code. */
function report(error: unknown): number {
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number')
    return error.exitCode;
  console.error(explainForPeople(error));
  return 1;
}
