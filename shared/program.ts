import { explainForPeople } from './errors.js';

/**
 * Runs a command line to its end: errors become one sentence with what to do and exit code 1, an interruption 130. What
 * commander throws (help, a wrong option) was printed by it already and carries its own code.
 */
export async function runProgram(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
      process.exitCode = error.exitCode;
      return;
    }
    const interrupted = error instanceof Error && error.name === 'AbortError';
    console.error(interrupted ? 'interrupted; nothing half-written was left' : explainForPeople(error));
    process.exitCode = interrupted ? 130 : 1;
  }
}
