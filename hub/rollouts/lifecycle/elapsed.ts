import { parseJson } from '@adbreak/shared/contract/parse.js';
import { SET_RIGHT_MS } from '../../store/hub-time.js';
import type { Store } from '../../store/store.js';
import { EVENT_LIMIT, rolloutEvent } from '../events.js';

const HOUR_MS = 3_600_000;

/** When a rollout was looked at, milliseconds: by the wall clock, and by one that nobody sets; null of before this start. */
interface Seen {
  readonly wall: number;
  readonly steady: number | null;
}

/**
 * The time that passes for rollouts. A clock that is ahead, or a hub that was down, must not end a soak or a watch in
 * one look: of two looks that the wall clock has more than an hour apart, what the hub ran between them counts.
 */
export class Elapsed {
  readonly #store: Pick<Store, 'events' | 'newest'>;
  readonly #seen = new Map<string, Seen>();

  constructor(store: Pick<Store, 'events' | 'newest'>) {
    this.#store = store;
  }

  /** Hours of the wall clock since the last look, or after a start since the last event, that count for nothing. */
  async uncounted(id: string, at: number): Promise<number> {
    const last = this.#seen.get(id) ?? (await this.#lastEvent(id));
    if (last === null) return 0;
    const ran = last.steady === null ? 0 : performance.now() - last.steady;
    return uncountedMs(at - last.wall, ran) / HOUR_MS;
  }

  /** A rollout is looked at; what went before is in its log. */
  note(id: string, at: number): void {
    this.#seen.set(id, { wall: at, steady: performance.now() });
  }

  async #lastEvent(id: string): Promise<Seen | null> {
    for await (const { number, body } of this.#store.events(id, this.#store.newest(id).number - 1)) {
      const what = `event ${number} of rollout ${id}`;
      const event = parseJson(rolloutEvent, body, EVENT_LIMIT, what, 'state_corrupt');
      return { wall: Date.parse(event.kind === 'decision' ? event.entry.at : event.at), steady: null };
    }
    return null;
  }
}

/** Of a step of the wall clock, with the time that the hub ran meanwhile, what counts for nothing; milliseconds. Pure. */
export function uncountedMs(moved: number, ran: number): number {
  return moved >= -SET_RIGHT_MS && moved <= HOUR_MS ? 0 : moved - ran;
}
