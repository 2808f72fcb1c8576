import type { Spot } from '@adbreak/shared/contract/labelling.js';
import { AD, CONTENT, hindsight, NONE, paint, type Reel, STEPS } from './hour.js';

/** Seconds that a person needs: to decide and press a key, to go somewhere else, to have a look. */
export const COSTS = { decision: 0.8, seek: 1.5, glance: 1 } as const;
/** A labeller may stop when this share of the seconds is right; nobody told them, so it is told for a stricter one too. */
export const ENOUGH = 0.99;
export const STRICT = 0.995;
/** What is left between two labels, up to so many steps, belongs to the first: black. */
const CRUMB = 1.5 * STEPS;
/** Seconds of a stretch that one word can be said on. */
const LONGEST = 60;
const SHORTEST = 1;

/** A place to look at; `airings` are all the stretches that the key there labels. */
interface Task {
  readonly gain: number;
  readonly airings: readonly { readonly reel: number; readonly start: number; readonly end: number }[];
}

/** Labels at a moment of a labeller's work. */
export interface Moment {
  readonly seconds: number;
  readonly right: number;
  readonly labels: readonly Uint8Array[];
}

/** Watches everything at `speed`, switches while it plays, and sets each border right afterwards. */
export function byHand(reels: readonly Reel[], speed: number): Moment[] {
  const moments: Moment[] = [];
  const labels = reels.map(({ truth }) => new Uint8Array(truth.length));
  let seconds = 0;
  reels.forEach(({ truth }, r) => {
    let from = 0;
    while (from < truth.length) {
      let to = from;
      while (to < truth.length && truth[to] === truth[from]) to++;
      labels[r]?.fill(truth[from] ?? NONE, from, to);
      seconds += (to - from) / STEPS / speed + (to < truth.length ? COSTS.seek + COSTS.decision : 0);
      moments.push(momentOf(reels, labels, seconds));
      from = to;
    }
  });
  return moments;
}

/** Goes from place to place in the order of expected gain, until enough is right or no place is left. */
export function byQueue(
  reels: readonly Reel[],
  { spots, hasModel }: { spots: readonly Spot[]; hasModel: boolean },
): Moment[] {
  const labels = reels.map((reel) => (hasModel ? hindsight(reel) : new Uint8Array(reel.truth.length)));
  if (hasModel) vote(reels, labels, spots);
  const moments = [momentOf(reels, labels, 0)];
  let seconds = 0;
  for (const task of tasksOf(reels, spots, hasModel)) {
    if ((moments.at(-1)?.right ?? 0) >= STRICT) break;
    seconds += COSTS.seek + COSTS.glance + COSTS.decision + settle(reels, labels, task);
    moments.push(momentOf(reels, labels, seconds));
  }
  return moments;
}

/** What airs again has one label: that which the model gives it on the whole, over all its airings. */
function vote(reels: readonly Reel[], labels: readonly Uint8Array[], spots: readonly Spot[]): void {
  for (const airings of placesOf(reels, spots)) {
    const values = guessesOf(reels, airings);
    const isAd = values.reduce((sum, p) => sum + p - 0.5, 0) > 0;
    for (const { reel, ...stretch } of airings)
      paint(labels[reel] ?? new Uint8Array(), stretch, isAd ? AD : CONTENT);
  }
}

function guessesOf(reels: readonly Reel[], airings: Task['airings']): number[] {
  return airings.flatMap(({ reel, start, end }) => [
    ...(reels[reel]?.model.slice(Math.round(start * STEPS), Math.round(end * STEPS)) ?? []),
  ]);
}

function placesOf(reels: readonly Reel[], spots: readonly Spot[]) {
  const index = new Map(reels.map(({ file }, i) => [file, i]));
  return spots.map(({ airings }) =>
    airings.flatMap(({ recording, start, end }) => {
      const reel = index.get(recording.slice(recording.lastIndexOf('/') + 1));
      return reel === undefined ? [] : [{ reel, start, end }];
    }),
  );
}

/** Labels what the key means. Where one stretch holds a border, that is set by hand: gives the seconds of it. */
function settle(reels: readonly Reel[], labels: readonly Uint8Array[], { airings }: Task): number {
  const [first] = airings;
  const shown =
    first && reels[first.reel]?.truth.slice(Math.round(first.start * STEPS), Math.round(first.end * STEPS));
  if (first === undefined || shown === undefined) return 0;
  const ads = shown.filter((label) => label === AD).length;
  const label = ads * 2 > shown.length ? AD : CONTENT;
  for (const { reel, ...stretch } of airings) paint(labels[reel] ?? new Uint8Array(), stretch, label);
  if (airings.length > 1 || Math.min(ads, shown.length - ads) < SHORTEST * STEPS) return 0;
  labels[first.reel]?.set(shown, Math.round(first.start * STEPS));
  const borders = shown.reduce((sum, one, i) => sum + (i > 0 && one !== shown[i - 1] ? 1 : 0), 0);
  return borders * (COSTS.seek + COSTS.decision);
}

/**
 * By gain = P(wrong) x airings, as the page's queue has it; without a model the longer first. A stretch goes from black to
 * black, without what spots cover, and is no longer than a minute.
 */
export function tasksOf(reels: readonly Reel[], spots: readonly Spot[], hasModel: boolean): Task[] {
  const repeated = placesOf(reels, spots);
  const single = reels.flatMap((reel, r) =>
    stretches(
      reel,
      repeated.flat().filter((one) => one.reel === r),
    ).map((one) => [{ reel: r, ...one }]),
  );
  const doubt = (airings: Task['airings']) => {
    const values = guessesOf(reels, airings);
    return values.reduce((sum, p) => sum + Math.min(p, 1 - p), 0) / Math.max(1, values.length);
  };
  const long = (airings: Task['airings']) => airings.reduce((sum, { start, end }) => sum + end - start, 0);
  return [...repeated, ...single]
    .filter((airings) => airings.length > 0)
    .map((airings) => ({ airings, gain: (hasModel ? doubt(airings) : 0.5) * airings.length }))
    .sort((a, b) => b.gain - a.gain || long(b.airings) - long(a.airings));
}

function stretches({ truth, black }: Reel, taken: readonly { start: number; end: number }[]) {
  const marks = [0, truth.length / STEPS, ...black.map(([from, to]) => (from + to) / 2)];
  const borders = [...marks, ...taken.flatMap(({ start, end }) => [start, end])].sort((a, b) => a - b);
  const isTaken = (at: number) => taken.some(({ start, end }) => at > start && at < end);
  return borders.slice(1).flatMap((end, i) => {
    const start = borders[i] ?? 0;
    if (end - start < SHORTEST || isTaken((start + end) / 2)) return [];
    const parts = Math.ceil((end - start) / LONGEST);
    const part = (end - start) / parts;
    return Array.from({ length: parts }, (_, k) => ({
      start: start + k * part,
      end: start + (k + 1) * part,
    }));
  });
}

function momentOf(reels: readonly Reel[], labels: readonly Uint8Array[], seconds: number): Moment {
  const filled = labels.map(withoutCrumbs);
  let [right, all] = [0, 0];
  reels.forEach(({ truth }, r) => {
    all += truth.length;
    truth.forEach((label, i) => {
      if (filled[r]?.[i] === label) right += 1;
    });
  });
  return { seconds, right: right / all, labels: filled };
}

function withoutCrumbs(labels: Uint8Array): Uint8Array {
  const filled = labels.slice();
  for (let from = 0; from < filled.length; ) {
    let to = from;
    while (to < filled.length && filled[to] === filled[from]) to++;
    if (filled[from] === NONE && to - from <= CRUMB)
      filled.fill(filled[from - 1] ?? filled[to] ?? NONE, from, to);
    from = to;
  }
  return filled;
}

/** What was labelled by then: the last moment that is over. */
export function at(moments: readonly Moment[], seconds: number): Moment | undefined {
  return moments.filter((moment) => moment.seconds <= seconds + 1e-9).at(-1);
}

/** When enough was right; the last moment where it never was. */
export function done(moments: readonly Moment[], enough = ENOUGH): Moment | undefined {
  return moments.find(({ right }) => right >= enough) ?? moments.at(-1);
}
