export const HOUR_MS = 3_600_000;
export const HOURS_OF_DAY = 24;
export const DAY_MS = HOURS_OF_DAY * HOUR_MS;
/** A device's clock may be so far ahead of the hub's; what lies further ahead was written by a wrong clock. */
export const CLOCK_TOLERANCE_MS = 10 * 60_000;

/** A day since the epoch as people write it, UTC. */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
export function dayOf(instant: number): number {
  return Math.floor(instant / DAY_MS);
}

/** The same hour (since the epoch, UTC) so many months of the calendar before, or that of the last day of a month that is too short. */
export function monthsBefore(hour: number, months: number): number {
  const at = new Date(hour * HOUR_MS);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth() - months];
  const day = Math.min(at.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate());
  return Date.UTC(year, month, day, at.getUTCHours()) / HOUR_MS;
}
