import { RECURRENCE_CLASSES, type Recurrence } from '@adbreak/shared/contract/labelling.js';
import type { TrueAiring, TrueItem, Truth } from '../truth.js';
import type { TrueClass } from '../world/cue.js';
import { isPromised, type Judged, judge, wholeAirings } from './match.js';

export type Place = {
  readonly id: string;
  readonly recording: string;
  readonly start: number;
  readonly end: number;
};

/** What is counted: sums, so that scores of several scans add up. */
export interface Score {
  /** Airings that were called those of a spot; of these, the right ones of true spots. Optional ones are in neither. */
  readonly called: number;
  readonly calledRight: number;
  /** Airings of true spots that must be found, and those found among spots; also by airings of the spot. */
  readonly promised: number;
  readonly promisedFound: number;
  readonly byAirings: Readonly<Record<Bucket, { readonly promised: number; readonly found: number }>>;
  /** The same of every class, whatever it was called. */
  readonly anyFound: number;
  readonly anyRight: number;
  readonly anyPromised: number;
  /** Airings in clusters with at least one true place; and those of the family that has most of the cluster. */
  readonly clustered: number;
  readonly pure: number;
  /** Of right airings, frames from the true border, both borders of each. */
  readonly borders: readonly number[];
  /** True class -> said class -> clusters' airings. */
  readonly confusion: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly verdicts: Readonly<Record<Judged['verdict'], number>>;
  /** For a person to look at: what was found wrongly, what was missed. */
  readonly wrong: readonly (Place & { readonly verdict: string; readonly truth: string })[];
  readonly missed: readonly Place[];
}

export const BUCKETS = ['2', '3-5', '6-10', '11+'] as const;
export type Bucket = (typeof BUCKETS)[number];

export function bucketOf(airings: number): Bucket {
  if (airings <= 2) return '2';
  if (airings <= 5) return '3-5';
  return airings <= 10 ? '6-10' : '11+';
}

/** Frames a second in which borders are told. */
const FPS = 25;
const VERDICTS = ['right', 'optional', 'split', 'merged', 'nowhere', 'twice'] as const;

/** Holds what a scan found against what was on. */
export function score(found: Recurrence, truth: Truth): Score {
  const judged = judge(found, truth);
  const right = judged.filter(({ verdict }) => verdict === 'right');
  const rightAirings = new Map(right.map((one) => [one.truth?.airing, one]));
  const promised = truth.items.flatMap((item) =>
    item.airings.filter((airing) => isPromised(item, airing)).map((airing) => ({ item, airing })),
  );
  const spots = promised.filter(({ item }) => item.class === 'spot');
  const asSpot = ({ airing }: { airing: TrueAiring }) => rightAirings.get(airing)?.spot.class === 'spot';
  // What need not be found, and is no advertisement, must not be called one.
  const counts = ({ verdict, truth: at }: Judged) => verdict !== 'optional' || at?.item.class !== 'spot';
  const called = judged.filter((one) => one.spot.class === 'spot' && counts(one));
  const inBucket = (bucket: Bucket) => spots.filter(({ item }) => bucketOf(wholeAirings(item)) === bucket);
  return {
    called: called.length,
    calledRight: called.filter(({ verdict, truth: at }) => verdict === 'right' && at?.item.class === 'spot')
      .length,
    promised: spots.length,
    promisedFound: spots.filter(asSpot).length,
    byAirings: perBucket((bucket) => ({
      promised: inBucket(bucket).length,
      found: inBucket(bucket).filter(asSpot).length,
    })),
    anyFound: judged.filter(({ verdict }) => verdict !== 'optional').length,
    anyRight: right.length,
    anyPromised: promised.length,
    ...purity(judged),
    borders: right.flatMap(bordersOf),
    confusion: confusionOf(judged),
    verdicts: Object.fromEntries(
      VERDICTS.map((name) => [name, judged.filter(({ verdict }) => verdict === name).length]),
    ) as Record<Judged['verdict'], number>,
    wrong: judged.filter(({ verdict }) => verdict !== 'right' && verdict !== 'optional').map(wrongOf),
    missed: promised.filter(({ airing }) => !rightAirings.has(airing)).map(placeOf),
  };
}

function perBucket<T>(of: (bucket: Bucket) => T): Record<Bucket, T> {
  return { '2': of('2'), '3-5': of('3-5'), '6-10': of('6-10'), '11+': of('11+') };
}

function bordersOf({ airing, truth }: Judged): number[] {
  if (truth === null) return [];
  const { start, end } = truth.airing;
  return [Math.abs(airing.start - start) * FPS, Math.abs(airing.end - end) * FPS];
}

/** How many of a cluster's airings are of the family that it has most of. */
function purity(judged: readonly Judged[]): { clustered: number; pure: number } {
  const placed = judged.filter(({ truth }) => truth !== null);
  return { clustered: placed.length, pure: placed.filter(({ verdict }) => verdict !== 'merged').length };
}

function confusionOf(judged: readonly Judged[]): Record<string, Record<string, number>> {
  const names: (TrueClass | 'nothing')[] = [...RECURRENCE_CLASSES, 'nothing'];
  const count = (name: string, said: string) =>
    judged.filter(({ truth, spot }) => (truth?.item.class ?? 'nothing') === name && spot.class === said)
      .length;
  return Object.fromEntries(
    names.map((name) => [
      name,
      Object.fromEntries(RECURRENCE_CLASSES.map((said) => [said, count(name, said)])),
    ]),
  );
}

function wrongOf({ spot, airing, truth, verdict }: Judged): Score['wrong'][number] {
  const { recording, start, end } = airing;
  return { id: spot.id, recording, start, end, verdict, truth: truth?.item.id ?? '' };
}

function placeOf({ item, airing }: { item: TrueItem; airing: TrueAiring }): Place {
  const { recording, start, end } = airing;
  return { id: item.id, recording, start, end };
}

/** What two scans found together. */
export function added(a: Score, b: Score): Score {
  const sum = <K extends string>(
    x: Readonly<Record<K, number>>,
    y: Readonly<Record<K, number>>,
    keys: readonly K[],
  ) => Object.fromEntries(keys.map((key) => [key, x[key] + y[key]])) as Record<K, number>;
  const counts = [
    'called',
    'calledRight',
    'promised',
    'promisedFound',
    'anyFound',
    'anyRight',
    'anyPromised',
    'clustered',
    'pure',
  ] as const;
  return {
    ...sum(a, b, counts),
    byAirings: perBucket((bucket) => sum(a.byAirings[bucket], b.byAirings[bucket], ['promised', 'found'])),
    borders: [...a.borders, ...b.borders],
    confusion: Object.fromEntries(
      Object.entries(a.confusion).map(([name, of]) => [
        name,
        Object.fromEntries(
          Object.entries(of).map(([said, n]) => [said, n + (b.confusion[name]?.[said] ?? 0)]),
        ),
      ]),
    ),
    verdicts: sum(a.verdicts, b.verdicts, VERDICTS),
    wrong: [...a.wrong, ...b.wrong],
    missed: [...a.missed, ...b.missed],
  };
}

/** Precision, recall and borders as a line of the bench tells them. Nothing called is precise; nothing promised is found. */
export function told(one: Score) {
  const share = (part: number, of: number) => (of === 0 ? 1 : round(part / of));
  return {
    precision: share(one.calledRight, one.called),
    recall: share(one.promisedFound, one.promised),
    any_precision: share(one.anyRight, one.anyFound),
    any_recall: share(one.anyRight, one.anyPromised),
    purity: share(one.pure, one.clustered),
    border_frames_p50: round(quantile(one.borders, 0.5)),
    border_frames_p95: round(quantile(one.borders, 0.95)),
  };
}

/** The smallest value that at least the share `q` is not above; 0 of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

const round = (value: number) => Math.round(value * 1e4) / 1e4;
