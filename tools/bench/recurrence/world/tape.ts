import type { Channel } from '@adbreak/trainer/dataset/synthetic/channels.js';
import { type Airing, type Cue, excerpt, framesIn, type Material, type Recording } from './cue.js';

type Kind = Pick<Material, 'id' | 'family' | 'class'>;

/** What a channel sends, one thing after the other. */
export class Tape {
  readonly #cues: Cue[] = [];
  readonly #airings: Airing[] = [];
  readonly #breaks: [number, number][] = [];
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  play(cues: readonly Cue[]): void {
    this.#cues.push(...cues);
    this.#frames += framesIn(cues);
  }

  air(material: Material): void {
    this.note(material, this.#frames, this.#frames + framesIn(material.cues));
    this.play(material.cues);
  }

  /** Says of frames, played or about to be, what they are an airing of. */
  note({ id, family, class: of }: Kind, from: number, to: number): void {
    this.#airings.push({ id, family, class: of, from, to, isCut: false });
  }

  /** What `fill` plays is a break. */
  inBreak(fill: () => void): void {
    const start = this.#frames;
    fill();
    this.#breaks.push([start, this.#frames]);
  }

  /** The frames `from` to `to` as a recording of their own. */
  cut(name: string, channel: Channel, from: number, to: number): Recording {
    const within = (start: number, end: number) =>
      [Math.max(0, start - from), Math.min(to, end) - from] as const;
    const airings = this.#airings
      .map((one) => {
        const [start, end] = within(one.from, one.to);
        return { ...one, from: start, to: end, isCut: one.from < from || one.to > to };
      })
      .filter((one) => one.to > one.from);
    return {
      name,
      channel,
      cues: excerpt(this.#cues, from, to),
      airings,
      breaks: this.#breaks.map(([start, end]) => within(start, end)).filter(([start, end]) => end > start),
    };
  }
}
