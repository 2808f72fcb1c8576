import type { QueueItem } from '@adbreak/shared/contract/labelling.js';

interface Place {
  readonly recording: string;
  readonly start: number;
  readonly end: number;
}

/** Two recordings are as far apart as an hour of one. Seconds. */
const ELSEWHERE = 3600;
/** Candidates that are looked at for each item taken. */
const CANDIDATES = 1000;

/**
 * The order where nothing is guessed (after Welling's herding: each next one is far from those before, and stands for much):
 * greedily the largest gain, and of like ones the longest that is farthest from what is labelled or chosen already.
 */
export function spread(items: readonly QueueItem[], labelled: readonly Place[], most: number): QueueItem[] {
  const left = items.slice(0, CANDIDATES).map((item) => ({ item, distance: distanceTo(item, labelled) }));
  const chosen: QueueItem[] = [];
  while (left.length > 0 && chosen.length < most) {
    const best = left.reduce((a, b) => (isBetter(b, a) ? b : a));
    left.splice(left.indexOf(best), 1);
    chosen.push(best.item);
    for (const one of left) one.distance = Math.min(one.distance, distance(one.item, best.item));
  }
  return chosen;
}

interface Candidate {
  readonly item: QueueItem;
  distance: number;
}

/** What one key settles first, then what stands for much and is far away. */
function isBetter(a: Candidate, b: Candidate): boolean {
  return a.item.gain === b.item.gain ? worth(a) > worth(b) : a.item.gain > b.item.gain;
}

function worth({ item, distance: far }: Candidate): number {
  return Math.sqrt(item.end - item.start) * Math.log1p(far);
}

function distanceTo(place: Place, others: readonly Place[]): number {
  return others.reduce((least, other) => Math.min(least, distance(place, other)), ELSEWHERE);
}

function distance(a: Place, b: Place): number {
  if (a.recording !== b.recording) return ELSEWHERE;
  return Math.max(1, Math.min(ELSEWHERE, Math.abs((a.start + a.end) / 2 - (b.start + b.end) / 2)));
}
