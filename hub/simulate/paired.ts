import { beta } from '@adbreak/shared/draws.js';
import type { Random } from '@adbreak/shared/random.js';
import type { GateDevice } from '../rollouts/screen.js';

/** A fleet's paired, labelled episodes: how often the two models differ, and who is right then. */
export interface PairedFleet {
  readonly devices: number;
  /** Labelled episodes a device ends in one window. */
  readonly episodes: number;
  /** Share of episodes on which the models differ. */
  readonly disagreement: number;
  /** Candidate less production, share of episodes. */
  readonly difference: number;
  /** Of win or loss among one device's disagreements: each device keeps its own tendency for ever (beta-binomial). */
  readonly correlation: number;
}

/** Counts of a simulated fleet, grown window by window; objects are reused, so a look costs no allocation. */
export class PairedStream {
  readonly counts: { id: string; agreed: number; wins: number; losses: number; undecided: number }[];
  readonly #fleet: PairedFleet;
  readonly #random: Random;
  readonly #tendencies: readonly number[];

  constructor(fleet: PairedFleet, random: Random) {
    this.#fleet = fleet;
    this.#random = random;
    this.counts = Array.from({ length: fleet.devices }, (_, i) => ({ id: `pi-${i}`, agreed: 0, wins: 0, losses: 0, undecided: 0 }));
    this.#tendencies = this.counts.map(() => tendency(fleet, random));
  }

  get devices(): readonly GateDevice[] {
    return this.counts;
  }
  get decided(): number {
    return this.counts.reduce((sum, { agreed, wins, losses }) => sum + agreed + wins + losses, 0);
  }

  /** One window of every device for which `online` says so. Tells how the window's episodes ended. */
  next(online: (device: number) => boolean = () => true): { readonly wins: number; readonly losses: number; readonly episodes: number } {
    const { episodes, disagreement } = this.#fleet;
    const window = { wins: 0, losses: 0, episodes: 0 };
    this.counts.forEach((counts, device) => {
      if (!online(device)) return;
      const lose = this.#tendencies[device] ?? 0.5;
      for (let k = 0; k < episodes; k++) {
        window.episodes += 1;
        if (this.#random.uniform() >= disagreement) counts.agreed += 1;
        else if (this.#random.uniform() < lose) {
          counts.losses += 1;
          window.losses += 1;
        } else {
          counts.wins += 1;
          window.wins += 1;
        }
      }
    });
    return window;
  }
}

/** A device's chance to lose a disagreement: (1 - Δ/δ)/2 on average. */
export function tendency({ disagreement, difference, correlation }: Pick<PairedFleet, 'disagreement' | 'difference' | 'correlation'>, random: Random): number {
  const mean = Math.min(1, Math.max(0, (1 - difference / disagreement) / 2));
  if (correlation <= 0 || mean === 0 || mean === 1) return mean;
  const strength = 1 / correlation - 1;
  return beta(random, mean * strength, (1 - mean) * strength);
}
