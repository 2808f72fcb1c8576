import { type Random, seeded } from '@adbreak/shared/random.js';
import { CHANNELS, type Channel } from '@adbreak/trainer/dataset/synthetic/channels.js';
import { type Campaign, campaigns, type House, house, spot } from './catalogue.js';
import { FPS, framesIn, type Material, type Recording, whole } from './cue.js';
import { asRepeat, type Block, block } from './programme.js';
import { Tape } from './tape.js';

export interface WorldRequest {
  readonly seed: string;
  /** At most as many as `CHANNELS`. */
  readonly channels: number;
  /** Of each channel. */
  readonly recordings: number;
  /** Of each channel, over all its recordings. */
  readonly minutes: number;
}

/** Spots that are on in a minute, about: it says how many there are to choose from. */
const SPOTS_A_MINUTE = 1.4;
/** Airings of a campaign on average. */
const AIRINGS = 3.5;
const CHANCE = {
  once: 0.08,
  twice: 0.04,
  hard: 0.2,
  version: 0.45,
  ident: 0.6,
  trailer: 0.35,
  repeat: 0.15,
} as const;
const BLOCK_SECONDS = [60, 210] as const;
/** A programme comes again no sooner, in frames. */
const REPEAT_AFTER = 4 * 60 * FPS;

/** What channels send in a world where advertisements are booked. The same request gives the same world. */
export function world({ seed, channels, recordings, minutes }: WorldRequest): Recording[] {
  const random = seeded(`recurrence/${seed}`);
  const shown = CHANNELS.slice(0, channels);
  const count = Math.max(4, Math.round((minutes * shown.length * SPOTS_A_MINUTE) / AIRINGS));
  const booked = campaigns(random.fork('campaigns'), count, shown);
  return shown.flatMap((channel) => {
    const own = random.fork(channel.name);
    const sender = new Sender(own, channel, booked);
    const frames = Math.round(minutes * 60 * FPS);
    const skipped = own.integer(90 * FPS);
    const tape = sender.send(frames + skipped);
    const each = Math.floor(frames / recordings);
    return Array.from({ length: recordings }, (_, i) =>
      tape.cut(`${channel.name}-${i + 1}`, channel, skipped + i * each, skipped + (i + 1) * each),
    );
  });
}

/** A channel at work. */
class Sender {
  readonly #random: Random;
  readonly #channel: Channel;
  readonly #campaigns: readonly Campaign[];
  readonly #house: House;
  readonly #tape = new Tape();
  readonly #blocks: { readonly block: Block; readonly end: number; readonly id: string }[] = [];
  #onces = 0;

  constructor(random: Random, channel: Channel, booked: readonly Campaign[]) {
    this.#random = random;
    this.#channel = channel;
    this.#campaigns = booked.filter((one) => one.channel === null || one.channel === channel.name);
    this.#house = house(random.fork('house'), channel);
  }

  send(frames: number): Tape {
    const tape = this.#tape;
    while (tape.frames < frames) {
      if (this.#happens('ident')) tape.air(this.#random.pick(this.#house.idents));
      this.#programme();
      if (this.#happens('trailer')) tape.air(this.#random.pick(this.#house.trailers));
      if (this.#happens('ident')) tape.air(this.#random.pick(this.#house.idents));
      tape.inBreak(() => this.#commercials());
    }
    return tape;
  }

  #happens(what: keyof typeof CHANCE): boolean {
    return this.#random.uniform() < CHANCE[what];
  }

  #programme(): void {
    const tape = this.#tape;
    const old = this.#blocks.filter(
      ({ block: { replays }, end }) => replays.length === 0 && tape.frames - end > REPEAT_AFTER,
    );
    if (old.length > 0 && this.#happens('repeat')) {
      const again = this.#random.pick(old);
      tape.air(asRepeat(again.id, again.block));
      return;
    }
    const id = `${this.#channel.name}-programme-${this.#blocks.length}`;
    const made = block(this.#random, this.#channel, { id, seconds: this.#random.between(...BLOCK_SECONDS) });
    const start = tape.frames;
    for (const { id: replay, places } of made.replays)
      for (const [from, to] of places)
        tape.note({ id: replay, family: replay, class: 'replay' }, start + from, start + to);
    if (made.replays.length === 0) tape.air(asRepeat(id, made));
    else tape.play(made.cues);
    this.#blocks.push({ block: made, end: start + framesIn(made.cues), id });
  }

  #commercials(): void {
    const isHard = this.#happens('hard');
    const aired = new Set<string>();
    if (!isHard) this.#black();
    for (let shown = 0, count = 3 + this.#random.integer(6); shown < count; shown++) {
      const { spots, family } = this.#drawn(aired);
      aired.add(family);
      spots.forEach((one) => {
        this.#tape.air(one);
        // Of two that are always together nothing but the black between them can tell that they are two.
        if (!isHard || spots.length > 1) this.#black();
      });
    }
    if (this.#happens('trailer')) this.#tape.air(this.#random.pick(this.#house.trailers));
  }

  #black(): void {
    const seconds = Math.round(this.#random.between(3, 20)) / FPS;
    this.#tape.play([whole({ kind: 'black', inBreak: true, seconds, seed: '' }, [])]);
  }

  /** What comes next: one spot, one twice, or two that belong together. */
  #drawn(aired: ReadonlySet<string>): { spots: Material[]; family: string } {
    const left = this.#campaigns.filter(({ family }) => !aired.has(family));
    if (left.length === 0 || this.#happens('once')) {
      const id = `once-${this.#channel.name}-${this.#onces++}`;
      return { spots: [spot(this.#random.fork(id), { id, bed: id })], family: id };
    }
    const { versions, companion, family } = weighted(this.#random, left);
    const [usual, ...others] = versions;
    const version = others.length > 0 && this.#happens('version') ? this.#random.pick(others) : usual;
    const spots = version === undefined ? [] : [version];
    if (companion !== null) return { spots: [...spots, companion], family };
    return { spots: this.#happens('twice') ? [...spots, ...spots] : spots, family };
  }
}

function weighted(random: Random, from: readonly Campaign[]): Campaign {
  let left = random.uniform() * from.reduce((sum, { weight }) => sum + weight, 0);
  const found = from.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  return found ?? random.pick(from);
}
