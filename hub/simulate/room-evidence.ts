import { addTally, type Tally } from '../rollouts/evidence.js';
import type { CountedEvidence } from '../rollouts/gate.js';
import type { RoomWindow } from './living-rooms.js';

/** A simulated fleet's evidence as the gate averages it, by channel and day, without devices that are judged apart: for forecasts, where a second is long. */
export class RoomEvidence {
  readonly #clusters = new Map<number, Tally[]>();
  readonly #days = new Map<number, Tally[]>();
  /** Answers that people have given. */
  answers = 0;

  add(windows: readonly RoomWindow[], day: number): void {
    const sizes = new Map<number, number>();
    for (const { channel } of windows) sizes.set(channel, (sizes.get(channel) ?? 0) + 1);
    const days = this.#days.get(day) ?? [];
    this.#days.set(day, days);
    for (const one of windows) {
      this.answers += one.wins + one.losses;
      const own = this.#clusters.get(one.channel) ?? [];
      this.#clusters.set(one.channel, own);
      const weight = 1 / (sizes.get(one.channel) ?? 1);
      addTally(own, one, weight);
      addTally(days, one, weight);
    }
  }

  counted(wrong: number): CountedEvidence {
    return {
      clusters: [...this.#clusters].map(([id, tallies]) => ({ id: `channel=c${id}`, tallies })),
      days: [...this.#days.values()],
      wrong,
    };
  }
}
