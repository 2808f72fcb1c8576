import { binomial, poisson } from '@adbreak/shared/draws.js';
import type { Random } from '@adbreak/shared/random.js';
import type { GateDevice } from '../rollouts/screen.js';
import { tendency } from './paired.js';
import type { Scenario } from './scenario.js';

const MOST = 64;

/**
 * A fleet in typed arrays: up to a million devices, hour by hour. Only labelled disagreements are drawn one by one (a device
 * has few); agreed and unlabelled episodes are the same expectation on every device. For the gate, devices with equal counts
 * are one group.
 */
export class VirtualFleet {
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #wins: Uint16Array;
  readonly #losses: Uint16Array;
  /** Each device's place in the order of tendencies, in [0, 1): kept for life, so a change of the world moves all alike. */
  readonly #rank: Float32Array;
  #tendencies: Float32Array;
  #expected = { agreed: 0, undecided: 0 };
  #actingExpected = 0;

  constructor(scenario: Scenario, random: Random) {
    const { devices, correlation } = scenario.fleet;
    this.#scenario = scenario;
    this.#random = random;
    this.#wins = new Uint16Array(devices);
    this.#losses = new Uint16Array(devices);
    this.#rank = Float32Array.from({ length: devices }, () => random.uniform());
    this.#tendencies = this.#draw(scenario.candidate.disagreement, scenario.candidate.difference, correlation);
  }

  get size(): number {
    return this.#wins.length;
  }
  /** Episodes decided on a device where the candidate acts, since `resetActing`. */
  get actingDecided(): number {
    return this.#actingExpected;
  }
  resetActing(): void {
    this.#actingExpected = 0;
  }

  /** From now on the candidate differs otherwise. */
  change(disagreement: number, difference: number): void {
    this.#tendencies = this.#draw(disagreement, difference, this.#scenario.fleet.correlation);
  }

  /** One hour; devices from `silentBelow` up report. Gives the hour's disagreements and episodes over the fleet. */
  hour(disagreement: number, silentBelow: number): { readonly disagreements: number; readonly episodes: number } {
    const { episodesPerHour, labelled, labelNoise, offline } = this.#scenario.fleet;
    const reporting = Math.round((this.size - silentBelow) * (1 - offline));
    const episodes = reporting * episodesPerHour;
    const perDevice = episodesPerHour * (1 - offline);
    const events = draw(this.#random, episodes, disagreement * labelled);
    for (let i = 0; i < events; i++) {
      const device = silentBelow + Math.floor(this.#random.uniform() * (this.size - silentBelow));
      const lost = this.#random.uniform() < (this.#tendencies[device] ?? 0.5);
      const seen = labelNoise > 0 && this.#random.uniform() < labelNoise ? !lost : lost;
      const counts = seen ? this.#losses : this.#wins;
      counts[device] = (counts[device] ?? 0) + 1;
    }
    this.#expected.agreed += perDevice * (1 - disagreement);
    this.#expected.undecided += perDevice * disagreement * (1 - labelled);
    this.#actingExpected += perDevice * (1 - disagreement * (1 - labelled));
    return { disagreements: Math.round(episodes * disagreement), episodes };
  }

  /** Groups of devices with equal counts. */
  groups(): GateDevice[] {
    const table = new Map<number, number>();
    for (let i = 0; i < this.size; i++) {
      const key = (this.#wins[i] ?? 0) * 65_536 + (this.#losses[i] ?? 0);
      table.set(key, (table.get(key) ?? 0) + 1);
    }
    const agreed = Math.round(this.#expected.agreed);
    const undecided = Math.round(this.#expected.undecided);
    return [...table].map(([key, devices]) => ({ id: `group-${key}`, agreed, undecided, wins: Math.floor(key / 65_536), losses: key % 65_536, devices }));
  }

  /** Chance of losing a disagreement, by rank: quantiles of the beta distribution from a sample of it. */
  #draw(disagreement: number, difference: number, correlation: number): Float32Array {
    const sample = Float32Array.from({ length: Math.max(MOST, Math.min(4096, this.size)) }, () =>
      tendency({ disagreement, difference, correlation }, this.#random),
    ).sort();
    return this.#rank.map((rank) => sample[Math.floor(rank * sample.length)] ?? 0.5);
  }
}

function draw(random: Random, n: number, p: number): number {
  const mean = n * p;
  // A normal draw where nothing else would end in time; its error is far below the fleet's own variation.
  if (mean > 10_000) return Math.max(0, Math.round(mean + random.normal() * Math.sqrt(mean * (1 - p))));
  return n > 1e6 ? poisson(random, mean) : binomial(random, n, p);
}
