import { firstIndex } from '@adbreak/shared/bisect.js';
import type { QueueItem, Spot } from '@adbreak/shared/contract/labelling.js';
import { seeded } from '@adbreak/shared/random.js';
import { spread } from './herding.js';
import { type Marks, SHORTEST, type Stretch, stretchesOf, without } from './stretches.js';

/** A recording as the queue sees it. */
export interface Unlabelled extends Marks {
  readonly id: string;
  /** What this labeller has labelled, in order. */
  readonly labelled: readonly Stretch[];
  /** [time, p(ad)] in order; empty without a model. */
  readonly model: readonly (readonly [number, number])[];
}
interface Hidden extends Stretch {
  readonly recording: string;
}
interface QueueRequest {
  readonly recordings: readonly Unlabelled[];
  readonly spots: readonly Spot[];
  /** Control items that wait for an answer. */
  readonly controls: readonly Hidden[];
  readonly seed: string;
}

/** Nobody goes further down. */
export const MOST_ITEMS = 200;
/** Without a model nothing is known: either label may be wrong. */
const UNKNOWN = 0.5;
/** A spot of which so much is labelled is labelled. */
const COVERED = 0.5;
/** One item in so many, about, is a control item, as long as there are any. */
const CONTROL_EVERY = 10;

/**
 * What to label next, the best first: by how likely a guess would be wrong, times the stretches that one key settles. Where
 * nothing is guessed (no model), gains of one number of airings are alike: the typical and far apart come first.
 */
export function queueOf({ recordings, spots, controls, seed }: QueueRequest): QueueItem[] {
  const byId = new Map(recordings.map((recording) => [recording.id, recording]));
  const repeated = spots.flatMap((spot) => spotItem(spot, byId));
  const covered = airingsOf(spots);
  const single = recordings.flatMap((recording) =>
    stretchesOf(recording)
      .flatMap((stretch) => without(stretch, covered.get(recording.id) ?? []))
      .flatMap((stretch) => without(stretch, recording.labelled))
      .map((stretch) => itemOf(recording, stretch)),
  );
  const hasModel = recordings.some(({ model }) => model.length > 0);
  const best = [...repeated, ...single].sort((a, b) => b.gain - a.gain);
  const first = hasModel ? best.slice(0, MOST_ITEMS) : spread(best, labelledPlaces(recordings), MOST_ITEMS);
  return withControls(
    first,
    controls.flatMap((one) => controlItem(one, byId)),
    seed,
  );
}

/** All airings, whatever is labelled, by recording and in order. */
function airingsOf(spots: readonly Spot[]): ReadonlyMap<string, readonly Stretch[]> {
  const byRecording = new Map<string, Stretch[]>();
  for (const airing of spots.flatMap((spot) => spot.airings).sort((a, b) => a.start - b.start))
    byRecording.set(airing.recording, [...(byRecording.get(airing.recording) ?? []), airing]);
  return byRecording;
}

function labelledPlaces(recordings: readonly Unlabelled[]): Hidden[] {
  return recordings.flatMap(({ id, labelled }) =>
    labelled.map(({ start, end }) => ({ recording: id, start, end })),
  );
}

function spotItem(spot: Spot, recordings: ReadonlyMap<string, Unlabelled>): QueueItem[] {
  const open = spot.airings.flatMap(({ recording, start, end }) => {
    const of = recordings.get(recording);
    return of !== undefined && !isLabelled(of, { start, end }) ? [{ of, start, end }] : [];
  });
  const [first] = open;
  if (first === undefined) return [];
  const guesses = open.flatMap(({ of, start, end }) => probabilities(of, { start, end }));
  const item = guessed(guesses, open.length);
  const why = `${spot.class}, on ${open.length} ${open.length === 1 ? 'place' : 'places'}: ${spot.why}`;
  const { start, end } = first;
  return [{ recording: first.of.id, start, end, spot: spot.id, ...item, why: `${why}; ${item.why}` }];
}

function isLabelled({ labelled }: Unlabelled, { start, end }: Stretch): boolean {
  const left = without({ start, end }, labelled).reduce((sum, one) => sum + one.end - one.start, 0);
  return left <= (1 - COVERED) * (end - start) || end - start < SHORTEST;
}

function itemOf(recording: Unlabelled, { start, end }: Stretch): QueueItem {
  return {
    recording: recording.id,
    start,
    end,
    spot: null,
    ...guessed(probabilities(recording, { start, end }), 1),
  };
}

function controlItem(
  { recording, start, end }: Hidden,
  recordings: ReadonlyMap<string, Unlabelled>,
): QueueItem[] {
  const of = recordings.get(recording);
  return of === undefined ? [] : [itemOf(of, { start, end })];
}

/** P(wrong) of the better guess, on average: the mean of min(p, 1 - p). */
function guessed(
  probabilities: readonly number[],
  airings: number,
): Pick<QueueItem, 'airings' | 'gain' | 'why' | 'guess'> {
  if (probabilities.length === 0)
    return { airings, gain: UNKNOWN * airings, guess: null, why: 'no model has looked at it' };
  const mean = (of: (p: number) => number) =>
    probabilities.reduce((sum, p) => sum + of(p), 0) / probabilities.length;
  const wrong = mean((p) => Math.min(p, 1 - p));
  const guess = mean((p) => p) >= 0.5 ? ('ad' as const) : ('content' as const);
  return {
    airings,
    gain: wrong * airings,
    guess,
    why: `the model says ${guess}, wrong at ${(100 * wrong).toFixed(0)} %`,
  };
}

function probabilities({ model }: Unlabelled, { start, end }: Stretch): number[] {
  return model.slice(firstFrom(model, start), firstFrom(model, end)).map(([, p]) => p);
}

/** Index of the first at or after a time, by bisection. */
function firstFrom(series: readonly (readonly [number, number])[], time: number): number {
  return firstIndex(series.length, (i) => (series[i]?.[0] ?? 0) >= time);
}

/** Control items at seeded places: a rhythm would tell them. */
function withControls(
  items: readonly QueueItem[],
  controls: readonly QueueItem[],
  seed: string,
): QueueItem[] {
  const random = seeded(`${seed}/queue/${controls.length}`);
  const waiting = random.shuffle(controls);
  const mixed = items.flatMap((item) => {
    const next = random.uniform() < 1 / CONTROL_EVERY ? waiting.pop() : undefined;
    return next === undefined ? [item] : [next, item];
  });
  // Where nothing else is left to do, they come all the same.
  return [...mixed, ...waiting].slice(0, MOST_ITEMS);
}
