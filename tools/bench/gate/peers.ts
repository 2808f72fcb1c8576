import type { Random } from '@adbreak/shared/random.js';

/**
 * Two gates as they are usually written, over frames: a fixed threshold on PSI, and a z-test at every look. Plain
 * comparisons, for `make bench-gates` to show what ours is held against. Both promote when their time is over without alarm.
 */
export type PeerVerdict = 'rollback' | 'promote' | 'wait';

const BINS = 10;
const PSI_LIMIT = 0.1;
const Z = 1.96;
const ONE_SIDED = 1.645;
/** Frames of a scene: they are copies of each other, and both gates count each of them. */
export const DWELL = 30;

export interface PeerWindow {
  /** Episodes by tenths of the candidate's p(ad). */
  readonly candidate: readonly number[];
  /** Episodes where only the candidate, and only production, was wrong; and all. */
  readonly losses: number;
  readonly wins: number;
  readonly episodes: number;
}

/** PSI of the candidate's confidences in a window against one reference for all hours, at .1 whatever the number of episodes. */
export function psiGate(window: PeerWindow, reference: readonly number[], windowsLeft: number): PeerVerdict {
  const total = window.candidate.reduce((sum, n) => sum + n, 0);
  if (total > 0) {
    const psi = window.candidate.reduce((sum, n, i) => {
      const [p, q] = [Math.max(1e-4, reference[i] ?? 0), Math.max(1e-4, n / total)];
      return sum + (q - p) * Math.log(q / p);
    }, 0);
    if (psi >= PSI_LIMIT) return 'rollback';
  }
  return windowsLeft > 0 ? 'wait' : 'promote';
}

/** The difference of the two arms over all frames so far, tested afresh at each window. */
export function zGate(
  sums: { wins: number; losses: number; episodes: number },
  margin: number,
  windowsLeft: number,
): PeerVerdict {
  const [wins, losses, frames] = [sums.wins * DWELL, sums.losses * DWELL, sums.episodes * DWELL];
  if (wins + losses > 0) {
    const difference = (wins - losses) / frames;
    const error = Math.sqrt((wins + losses) / frames / frames);
    if (difference / error < -Z) return 'rollback';
    if ((difference + margin) / error > ONE_SIDED && frames > 0) return 'promote';
  }
  return windowsLeft > 0 ? 'wait' : 'promote';
}

/** Tenths of p(ad) as a fleet shows them: mostly sure, some in doubt. */
export const REFERENCE: readonly number[] = normalized([30, 12, 7, 5, 4, 4, 4, 5, 7, 22]);
const DOUBTFUL: readonly number[] = normalized([0, 0, 1, 4, 9, 9, 4, 1, 0, 0]);

/** One window's confidences of the candidate. */
export function drawConfidences(random: Random, episodes: number, doubtful: number): number[] {
  const counts = Array<number>(BINS).fill(0);
  for (let k = 0; k < episodes; k++) {
    const shares = random.uniform() < doubtful ? DOUBTFUL : REFERENCE;
    let u = random.uniform();
    const bin = shares.findIndex((share) => {
      u -= share;
      return u < 0;
    });
    const at = bin < 0 ? BINS - 1 : bin;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

function normalized(values: readonly number[]): number[] {
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => value / total);
}
