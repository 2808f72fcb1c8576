import { dirichlet, multinomial } from '@adbreak/shared/draws.js';
import { HOURS_OF_WEEK, type Reference } from '@adbreak/shared/evidence/world.js';
import type { Random } from '@adbreak/shared/random.js';

/** What a fleet watches, hour by hour: a weekly rhythm, weeks that differ, devices that differ, effects that last. */
export interface Programme {
  readonly devices: number;
  /** Episodes a device ends in an hour. */
  readonly episodesPerHour: number;
  /** Concentration of an hour's programme around the weekly rhythm, and of a device around the hour's programme. */
  readonly sharedConcentration: number;
  readonly deviceConcentration: number;
  /** Hours that one programme effect lasts. */
  readonly effectHours: number;
}
export const PROGRAMME: Programme = {
  devices: 20,
  episodesPerHour: 40,
  sharedConcentration: 60,
  deviceConcentration: 30,
  effectHours: 1,
};

const MANY = 500;
const BINS = 20;
/** Shares of p(ad) that programme, advertisements and doubtful scenes have: beta-like shapes on 20 bins. */
const normalized = (values: readonly number[]) =>
  values.map((value) => value / values.reduce((sum, one) => sum + one, 0));
const CONTENT = normalized(Array.from({ length: BINS }, (_, i) => (1 - (i + 0.5) / BINS) ** 9));
const ADVERTISEMENT = [...CONTENT].reverse();
const DOUBTFUL = normalized(
  Array.from({ length: BINS }, (_, i) => ((i + 0.5) / BINS) ** 2 * (1 - (i + 0.5) / BINS) ** 2),
);

/** The weekly rhythm: more advertisements in the evening, fewer at the weekend. */
export function rhythm(hourOfWeek: number): number[] {
  const [day, hour] = [Math.floor(hourOfWeek / 24), hourOfWeek % 24];
  const ads = 0.22 + 0.1 * Math.sin((2 * Math.PI * (hour - 14)) / 24) - (day >= 2 && day <= 3 ? 0.05 : 0);
  return CONTENT.map(
    (share, i) => 0.88 * ((1 - ads) * share + ads * (ADVERTISEMENT[i] ?? 0)) + 0.12 * (DOUBTFUL[i] ?? 0),
  );
}

/** Hours of a fleet's histograms without end; `doubtful` is the share of episodes that a changed world turned uncertain. */
export class ProgrammeStream {
  readonly #programme: Programme;
  readonly #random: Random;
  #hour = 0;
  #effect: number[] = [];

  constructor(programme: Programme, random: Random) {
    this.#programme = programme;
    this.#random = random;
  }

  next(doubtful = 0): { readonly ofWeek: number; readonly histogram: number[] } {
    const { devices, episodesPerHour, sharedConcentration, deviceConcentration, effectHours } =
      this.#programme;
    const ofWeek = this.#hour % HOURS_OF_WEEK;
    const base = rhythm(ofWeek);
    // An effect is a tilt of the rhythm, drawn once for the hours that it lasts.
    if (this.#hour % effectHours === 0) {
      const drawn = dirichlet(this.#random, base, sharedConcentration);
      this.#effect = drawn.map((share, i) => share / Math.max(1e-9, base[i] ?? 1));
    }
    const shared = normalized(base.map((share, i) => share * (this.#effect[i] ?? 1)));
    const mean = shared.map((share, i) => (1 - doubtful) * share + doubtful * (DOUBTFUL[i] ?? 0));
    this.#hour += 1;
    // In a large fleet the devices' own differences cancel; what they share stays.
    if (devices > MANY)
      return { ofWeek, histogram: mean.map((share) => Math.round(share * devices * episodesPerHour)) };
    const histogram = Array<number>(BINS).fill(0);
    for (let device = 0; device < devices; device++)
      multinomial(
        this.#random,
        episodesPerHour,
        dirichlet(this.#random, mean, deviceConcentration),
        histogram,
      );
    return { ofWeek, histogram };
  }

  /** Whole weeks of an unchanged world. */
  reference(weeks: number): Reference {
    return Array.from({ length: weeks }, () =>
      Array.from({ length: HOURS_OF_WEEK }, () => this.next().histogram),
    );
  }
}
