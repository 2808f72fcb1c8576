import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
let known: Promise<readonly string[]> | undefined;

/**
 * What to put before a program and its arguments so that the kernel kills it when this process ends, however it ends
 * (PR_SET_PDEATHSIG, prctl(2)). ffmpeg needs it: while its source is silent it looks at neither stdin nor stdout, and a
 * process that is killed can end nobody. It is `setpriv` of util-linux; empty where that is missing or too old.
 */
export function parentBinding(): Promise<readonly string[]> {
  known ??= bindingOf('setpriv');
  return known;
}

/** Tried out, since BusyBox has a setpriv without --pdeathsig. */
export async function bindingOf(setpriv: string): Promise<readonly string[]> {
  const binding = ['--pdeathsig', 'KILL'];
  return run(setpriv, [...binding, 'true']).then(
    () => [setpriv, ...binding],
    () => [],
  );
}
