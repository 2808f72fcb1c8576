import { setTimeout as sleep } from 'node:timers/promises';

/** Looks come often at first, for what is nearly there, and seldom in a long wait, for looks that ask a hub. */
const PAUSE_MS = { first: 5, longest: 100 };

type Seen<T> = T | false | null | undefined;

/** Looks until something shows, and gives it; a test fails with `what` where nothing has after `seconds`. An error of a look is the test's. */
export async function until<T>(
  what: string,
  look: () => Seen<T> | Promise<Seen<T>>,
  seconds = 30,
): Promise<T> {
  let pause = PAUSE_MS.first;
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(pause)) {
    const seen = await look();
    if (seen) return seen;
    pause = Math.min(PAUSE_MS.longest, pause * 1.5);
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}
