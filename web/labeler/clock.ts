const two = (n: number): string => String(n).padStart(2, '0');

/** Seconds as h:mm:ss.mmm; without `digits` the thousandths are left out. */
export function formatClock(seconds: number, digits: 0 | 1 | 3 = 0): string {
  const unit = 10 ** digits;
  const ticks = Math.round(seconds * unit);
  const whole = Math.floor(ticks / unit);
  const clock = `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return digits === 0 ? clock : `${clock}.${String(ticks % unit).padStart(digits, '0')}`;
}

/** How long something is, in words: "38 s", "4 min 12 s", "2 h 5 min". */
export function formatLength(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "1 airing", "14 airings". */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
