import { z } from 'zod';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Two looks at the clock are this far apart at most where a hub runs between them. */
const APART_MS = HOUR_MS;
/** So long a clock has to stand where it has jumped to before it is believed. */
const STOOD_MS = 24 * HOUR_MS;
/** A clock is put right by a little all the time. */
export const SET_RIGHT_MS = 10 * MINUTE_MS;

/** What a hub knows of the time, in `meta`. */
export const hubTime = z.strictObject({
  /** It has lived through this instant. */
  floor: z.iso.datetime(),
  /** The clock stands more than an hour after that: where it was seen last, and how long hubs ran with it there, ms. */
  ahead: z.strictObject({ last: z.iso.datetime(), stood: z.number().nonnegative() }).nullable(),
});
export type HubTime = z.infer<typeof hubTime>;

/**
 * What is known after a look at the clock. The floor goes with it from look to look, and never back; over a jump of
 * more than an hour it goes when hubs have run there for a day. Pure.
 */
export function follow(known: HubTime | null, now: Date): HubTime {
  const at = now.getTime();
  if (known === null) return { floor: now.toISOString(), ahead: null };
  const { floor, ahead } = known;
  if (at <= Date.parse(floor) + APART_MS)
    return { floor: at > Date.parse(floor) ? now.toISOString() : floor, ahead: null };
  const moved = ahead === null ? 0 : at - Date.parse(ahead.last);
  const ran = Math.max(0, moved) <= APART_MS ? Math.max(0, moved) : 0;
  const stood = moved < -SET_RIGHT_MS ? 0 : (ahead?.stood ?? 0) + ran;
  if (stood >= STOOD_MS) return { floor: now.toISOString(), ahead: null };
  return { floor, ahead: { last: now.toISOString(), stood } };
}
