import type { Spot } from '@adbreak/shared/contract/labelling.js';
import { counted } from '../clock.js';
import { coveredSeconds } from './spans.js';

interface Labelled {
  readonly spans: readonly { readonly start: number; readonly end: number }[];
}
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Seconds of work that are left, by the pace so far. */
  readonly left: number;
}

/** So much of an airing has a label where a person is done with it. */
const ENOUGH = 0.9;
/** Seconds for a spot until the person's own pace is known: a look and a key. */
export const FIRST_PACE = 2.3;
/** Keys that are further apart had something else between them, seconds. */
const LONGEST_PAUSE = 60;
const PACED = 3;

export function progressOf(
  spots: readonly Spot[],
  labels: Readonly<Record<string, Labelled>>,
  pace: number,
): Progress {
  const done = spots.filter((spot) => spot.airings.every((airing) => isLabelled(airing, labels))).length;
  return { done, total: spots.length, left: (spots.length - done) * pace };
}

function isLabelled(airing: Spot['airings'][number], labels: Readonly<Record<string, Labelled>>): boolean {
  const spans = labels[airing.recording]?.spans ?? [];
  return coveredSeconds(spans, airing) >= ENOUGH * (airing.end - airing.start);
}

/** Seconds from one decision to the next, the middle one of those so far; `moments` are seconds, ascending. */
export function paceOf(moments: readonly number[]): number {
  const pauses = moments.slice(1).map((moment, i) => moment - (moments[i] ?? moment));
  const sorted = pauses.filter((pause) => pause < LONGEST_PAUSE).sort((a, b) => a - b);
  return sorted.length < PACED ? FIRST_PACE : (sorted[sorted.length >> 1] ?? FIRST_PACE);
}

/** "34 of 180 spots, about 6 minutes left". */
export function formatProgress({ done, total, left }: Progress): string {
  const counts = `${done} of ${counted(total, 'spot')}`;
  if (done >= total) return counts;
  const minutes = Math.round(left / 60);
  return `${counts}, about ${minutes < 1 ? 'a minute' : counted(minutes, 'minute')} left`;
}
