import {
  BINS,
  type Desired,
  type SparseHistogram,
  type WindowReport,
} from '@adbreak/shared/contract/messages.js';
import type { Label } from '@adbreak/shared/video/labels.js';

/** Which models looked at an episode, and for which rollout. Episodes of different pairings never mix. */
export type Pairing = Pick<WindowReport, 'rollout' | 'production' | 'candidate' | 'serving'>;

export function pairingOf({ rollout, production, candidate, serve }: Desired): Pairing {
  return { rollout, production: production.digest, candidate: candidate?.digest ?? null, serving: serve };
}

/** An episode while it runs and until it is counted. One vote per model: its mean p(ad) against one half. */
export interface Episode {
  readonly id: number;
  readonly pairing: Pairing;
  readonly start: number;
  readonly end: number;
  readonly frames: number;
  readonly productionSum: number;
  readonly candidateSum: number | null;
  readonly label: Label | null;
}

export function extend(
  episode: Episode,
  time: number,
  production: number,
  candidate: number | null,
): Episode {
  return {
    ...episode,
    end: time,
    frames: episode.frames + 1,
    productionSum: episode.productionSum + production,
    candidateSum:
      episode.candidateSum === null || candidate === null ? null : episode.candidateSum + candidate,
  };
}

export function votes({ productionSum, candidateSum, frames }: Episode): {
  production: number;
  candidate: number | null;
} {
  return {
    production: productionSum / frames,
    candidate: candidateSum === null ? null : candidateSum / frames,
  };
}

export type Counts = Omit<WindowReport, 'sequence' | 'stream' | 'start' | 'end' | 'slice'>;

type LabelDetail = NonNullable<Counts['labelled']['detail']>['production'];
const NO_LABELS: LabelDetail = {
  confusion: [
    [0, 0],
    [0, 0],
  ],
  tenths: [],
};

export function emptyCounts(pairing: Pairing): Counts {
  const paired = pairing.candidate !== null;
  return {
    ...pairing,
    episodes: 0,
    // Every episode is new content until the device knows what airs again; the recurrence to come fills it.
    content: null,
    draws: null,
    answers: [],
    waiting: 0,
    control: { asked: 0, answered: 0, wrong: 0 },
    histograms: { production: { bins: [], sum: 0 }, candidate: paired ? { bins: [], sum: 0 } : null },
    joint: paired
      ? [
          [0, 0],
          [0, 0],
        ]
      : null,
    jointConfidence: [],
    labelled: {
      episodes: 0,
      productionRight: 0,
      candidateRight: 0,
      wins: 0,
      losses: 0,
      detail: { production: NO_LABELS, candidate: paired ? NO_LABELS : null },
    },
    latency: { production: [], candidate: paired ? [] : null },
    adFrames: 0,
    frames: 0,
    dropped: 0,
    restarts: 0,
    memoryMb: 0,
    downloadFailures: 0,
  };
}

/** Whether the two models' votes differ. */
export function disagrees(episode: Episode): boolean {
  const { production, candidate } = votes(episode);
  return candidate !== null && production >= 0.5 !== candidate >= 0.5;
}

/** Both models leave no doubt, and say the same: what such an episode is may be taken for known. Null where it may not. */
export function convictionOf(episode: Episode): Label | null {
  const { production, candidate } = votes(episode);
  if (candidate === null) return null;
  if (Math.min(production, candidate) >= 0.98) return 'ad';
  return Math.max(production, candidate) <= 0.02 ? 'content' : null;
}

/** What a person's word on a disagreement says: a win where only production was wrong, a loss where only the candidate was. */
export function outcomeOf(episode: Episode, label: Label): { wins: number; losses: number } {
  const { production } = votes(episode);
  const wins = Number(production >= 0.5 !== (label === 'ad'));
  return { wins, losses: 1 - wins };
}

/** Adds an episode to the counts of its pairing, with its label whether it was drawn or not; pure. */
export function countEpisode(counts: Counts, episode: Episode): Counts {
  const { production, candidate } = votes(episode);
  const p: 0 | 1 = production >= 0.5 ? 1 : 0;
  const c: 0 | 1 = candidate !== null && candidate >= 0.5 ? 1 : 0;
  const joint = structuredClone(counts.joint);
  if (joint !== null) joint[p][c] += 1;
  return {
    ...counts,
    episodes: counts.episodes + 1,
    joint,
    jointConfidence:
      candidate === null
        ? counts.jointConfidence
        : countPair(counts.jointConfidence, tenthOf(production), tenthOf(candidate)),
    histograms: {
      production: addTo(counts.histograms.production, production),
      candidate:
        counts.histograms.candidate === null || candidate === null
          ? counts.histograms.candidate
          : addTo(counts.histograms.candidate, candidate),
    },
    labelled:
      episode.label === null
        ? counts.labelled
        : countLabel(counts.labelled, episode.label === 'ad' ? 1 : 0, production, candidate),
  };
}

/** Adds a drawn disagreement, answered or not, to the draws of a window with this rate. */
export function countDraw(counts: Counts, episode: Episode, rate: number): Counts {
  const { drawn, wins, losses } = counts.draws ?? { drawn: 0, wins: 0, losses: 0 };
  const outcome = episode.label === null ? { wins: 0, losses: 0 } : outcomeOf(episode, episode.label);
  return {
    ...counts,
    draws: { rate, drawn: drawn + 1, wins: wins + outcome.wins, losses: losses + outcome.losses },
  };
}

/** Adds a control item that a person answered, or did not within its time. */
export function countControl(counts: Counts, episode: Episode): Counts {
  const { asked, answered, wrong } = counts.control;
  const isAnswered = episode.label !== null;
  return {
    ...counts,
    control: {
      asked: asked + 1,
      answered: answered + Number(isAnswered),
      wrong: wrong + Number(isAnswered && episode.label !== convictionOf(episode)),
    },
  };
}

function countLabel(
  labelled: Counts['labelled'],
  truth: 0 | 1,
  production: number,
  candidate: number | null,
): Counts['labelled'] {
  const right = (p: number) => p >= 0.5 === (truth === 1);
  const [productionRight, candidateRight] = [right(production), candidate !== null && right(candidate)];
  const { detail } = labelled;
  return {
    episodes: labelled.episodes + 1,
    productionRight: labelled.productionRight + Number(productionRight),
    candidateRight: labelled.candidateRight + Number(candidateRight),
    wins: labelled.wins + Number(candidate !== null && candidateRight && !productionRight),
    losses: labelled.losses + Number(candidate !== null && !candidateRight && productionRight),
    detail: detail && {
      production: countDetail(detail.production, truth, production),
      candidate:
        detail.candidate === null || candidate === null
          ? detail.candidate
          : countDetail(detail.candidate, truth, candidate),
    },
  };
}

function countDetail(detail: LabelDetail, truth: 0 | 1, p: number): LabelDetail {
  const confusion = structuredClone(detail.confusion);
  const vote: 0 | 1 = p >= 0.5 ? 1 : 0;
  confusion[truth][vote] += 1;
  const tenth = tenthOf(p);
  const right = Number(vote === truth);
  const known = detail.tenths.some(([one]) => one === tenth);
  const tenths: LabelDetail['tenths'] = known
    ? detail.tenths.map(([one, n, ok]) => (one === tenth ? [one, n + 1, ok + right] : [one, n, ok]))
    : [...detail.tenths, [tenth, 1, right]];
  return { confusion, tenths };
}

function tenthOf(probability: number): number {
  return Math.min(9, Math.floor(probability * 10));
}

function countPair(
  pairs: Counts['jointConfidence'],
  production: number,
  candidate: number,
): Counts['jointConfidence'] {
  const known = pairs.some(([a, b]) => a === production && b === candidate);
  return known
    ? pairs.map(([a, b, n]) => [a, b, n + Number(a === production && b === candidate)])
    : [...pairs, [production, candidate, 1]];
}

function addTo(histogram: SparseHistogram, probability: number): SparseHistogram {
  return {
    bins: increment(histogram.bins, Math.min(BINS - 1, Math.floor(probability * BINS))),
    sum: histogram.sum + probability,
  };
}

/** Bucket b holds [2^(b/4), 2^((b+1)/4)) milliseconds. */
export function countLatency(buckets: readonly [number, number][], milliseconds: number): [number, number][] {
  return increment(buckets, Math.max(0, Math.min(63, Math.floor(4 * Math.log2(Math.max(1, milliseconds))))));
}

function increment(bins: readonly [number, number][], bin: number): [number, number][] {
  return bins.some(([known]) => known === bin)
    ? bins.map(([known, n]) => [known, known === bin ? n + 1 : n])
    : [...bins, [bin, 1] as [number, number]].sort((a, b) => a[0] - b[0]);
}
