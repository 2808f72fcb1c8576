import { statfs } from 'node:fs/promises';
import { type Finding, ok, warning, wrong } from './finding.js';

const MIB = 1024 * 1024;
/** Under this a commit may fail at any moment; a model is some megabytes. */
const LEAST_FREE = 64 * MIB;
const LITTLE_FREE = 1024 * MIB;
const FEW_INODES = 1000;
/** Clocks are set by a little all the time. */
const TOLERANCE_MS = 60_000;

export async function checkDisk(folder: string): Promise<Finding> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  const free = bavail * bsize;
  const said = `${Math.round(free / MIB)} MiB are free on the volume of ${folder}`;
  const mend = 'Free space there, or move the state folder to a larger volume while the hub is stopped.';
  if (free < LEAST_FREE)
    return wrong('disk', `${said}: the hub acknowledges nothing that it cannot write`, mend);
  // Some file systems have no fixed number of files, and say 0.
  if (files > 0 && ffree < FEW_INODES)
    return warning('disk', `only ${ffree} more files fit on the volume of ${folder}`, mend);
  return free < LITTLE_FREE ? warning('disk', said, mend) : ok('disk', said);
}

/**
 * A clock that stands before what it has already written: certificates are judged by it, and windows of devices wait.
 */
export function checkClock(
  now: Date,
  times: readonly { readonly what: string; readonly at: number }[],
): Finding {
  const [newest] = [...times].sort((a, b) => b.at - a.at);
  if (newest === undefined || newest.at <= now.getTime() + TOLERANCE_MS)
    return ok('clock', `${now.toISOString()}, after all that was written`);
  return wrong(
    'clock',
    `the clock says ${now.toISOString()}, and ${newest.what} is of ${new Date(newest.at).toISOString()}`,
    'Set the clock (`timedatectl` shows whether it is kept right by the network), then check again. Where it is right, and was wrong before: `adbreak hub token` with the hub stopped, and what ends is judged by it again.',
  );
}
