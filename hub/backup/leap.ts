import { AdbreakError } from '@adbreak/shared/errors.js';

/** Eleven days of microseconds: by so much a restore goes beyond a number that is ahead of the time, and no hub is further ahead of it. */
export const AHEAD_OF_TIME = 1e12;

/**
 * Numbers that a restore goes on from: revisions of desired states, and versions of signed metadata. A device ignores a
 * revision that is not higher than the last one it has seen, and a TUF client refuses lower versions (the TUF
 * specification 1.0, 5.4 to 5.6: rollback attacks). Both have seen what the hub gave out after the backup, and nobody
 * knows how much that was; the same backup may even have been restored before, on another machine.
 *
 * So they go on from the time, in microseconds since 1970. A number costs a commit, of which this store made 3,300 a
 * second at most (docs/decisions/012-store.md): numbers stay far behind the time, and each restore is beyond all that
 * any hub before it gave out. They are whole in JSON until the year 2255.
 *
 * Windows need none of this: a device's numbers go on, and what it sent after the backup is missing before the next one
 * that comes, which the hub counts as a gap of that many windows, at its worst (docs/gate.md).
 */
export function beyond(highest: number, now: Date): number {
  const time = now.getTime() * 1000;
  // Of a hub that was restored while its clock was ahead.
  const floor = time > highest ? time : highest + AHEAD_OF_TIME;
  if (Number.isSafeInteger(floor)) return floor;
  throw new AdbreakError('conflict', `Cannot restore: ${highest} is too high a number to go beyond`, {
    remedy: 'Set up a new hub, and give each device a new claim.',
  });
}

/** A restore by a clock that stands before its backup would go on from numbers that were given out. */
export function refuseEarlyClock(at: string, now: Date): void {
  if (now.getTime() >= Date.parse(at)) return;
  throw new AdbreakError(
    'conflict',
    `Cannot restore a backup of ${at}: the clock says ${now.toISOString()}, which is before it`,
    { remedy: 'Set the clock (`timedatectl` shows it), then restore; nothing was changed.' },
  );
}
