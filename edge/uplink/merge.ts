import type { SparseHistogram, WindowReport } from '@adbreak/shared/contract/messages.js';

/** As many as a report may hold. */
const MOST_ANSWERS = 100;

/**
 * Two reports of one stream, pairing and slice added up, under the later sequence; null where they must not be mixed. Counts of
 * several windows in one are no evidence any more: a window's draws have one rate, and are averaged over a channel's devices
 * window by window. They count for rates, latency and monitoring; the answers to draws of other windows go on.
 */
export function merge(a: WindowReport, b: WindowReport | undefined): WindowReport | null {
  if (b === undefined) return null;
  const key = ({ stream, slice, rollout, production, candidate, serving }: WindowReport) =>
    JSON.stringify([
      stream,
      slice.channel,
      slice.site,
      slice.hardware,
      rollout,
      production,
      candidate,
      serving,
    ]);
  if (key(a) !== key(b)) return null;
  const add = (field: 'episodes' | 'adFrames' | 'frames' | 'dropped' | 'restarts' | 'downloadFailures') =>
    a[field] + b[field];
  return {
    ...b,
    start: new Date(beginOf(a, b)).toISOString(),
    end: new Date(Math.max(Date.parse(a.end), Date.parse(b.end))).toISOString(),
    content:
      a.content === null && b.content === null ? null : (a.content ?? a.episodes) + (b.content ?? b.episodes),
    draws: null,
    answers: joinAnswers(a, b),
    waiting: b.waiting,
    control: {
      asked: a.control.asked + b.control.asked,
      answered: a.control.answered + b.control.answered,
      wrong: a.control.wrong + b.control.wrong,
    },
    episodes: add('episodes'),
    adFrames: add('adFrames'),
    frames: add('frames'),
    dropped: add('dropped'),
    restarts: add('restarts'),
    downloadFailures: add('downloadFailures'),
    histograms: {
      production: addHistograms(a.histograms.production, b.histograms.production),
      candidate: both(a.histograms.candidate, b.histograms.candidate, addHistograms),
    },
    joint: both(a.joint, b.joint, addTables),
    labelled: {
      episodes: a.labelled.episodes + b.labelled.episodes,
      productionRight: a.labelled.productionRight + b.labelled.productionRight,
      candidateRight: a.labelled.candidateRight + b.labelled.candidateRight,
      wins: a.labelled.wins + b.labelled.wins,
      losses: a.labelled.losses + b.labelled.losses,
      detail: both(a.labelled.detail, b.labelled.detail, (x, y) => ({
        production: addDetails(x.production, y.production),
        candidate: both(x.candidate, y.candidate, addDetails),
      })),
    },
    jointConfidence: addKeyed([...a.jointConfidence, ...b.jointConfidence]),
    memoryMb: Math.max(a.memoryMb, b.memoryMb),
    latency: {
      production: addBins(a.latency.production, b.latency.production),
      candidate: both(a.latency.candidate, b.latency.candidate, addBins),
    },
  };
}

/** The later report may begin before the earlier one: clocks step back. */
function beginOf(a: WindowReport, b: WindowReport): number {
  return Math.min(Date.parse(a.start), Date.parse(b.start));
}

/** By window. The oldest go where they are too many, and those to draws that this merging gives up: a draw without an answer counts in the worst case. */
function joinAnswers(a: WindowReport, b: WindowReport): WindowReport['answers'] {
  const sums = new Map<number, { wins: number; losses: number }>();
  for (const { start, wins, losses } of [...a.answers, ...b.answers]) {
    const window = Date.parse(start);
    const known = sums.get(window) ?? { wins: 0, losses: 0 };
    if (window < beginOf(a, b)) sums.set(window, { wins: known.wins + wins, losses: known.losses + losses });
  }
  const oldestFirst = [...sums].sort(([x], [y]) => x - y).slice(-MOST_ANSWERS);
  return oldestFirst.map(([window, outcome]) => ({ start: new Date(window).toISOString(), ...outcome }));
}

type Table = NonNullable<WindowReport['joint']>;
type LabelDetail = NonNullable<WindowReport['labelled']['detail']>['production'];
function addTables(x: Table, y: Table): Table {
  return [
    [x[0][0] + y[0][0], x[0][1] + y[0][1]],
    [x[1][0] + y[1][0], x[1][1] + y[1][1]],
  ];
}
function addDetails(a: LabelDetail, b: LabelDetail): LabelDetail {
  const sums = new Map<number, [number, number]>();
  for (const [tenth, n, right] of [...a.tenths, ...b.tenths]) {
    const [episodes, ok] = sums.get(tenth) ?? [0, 0];
    sums.set(tenth, [episodes + n, ok + right]);
  }
  return {
    confusion: addTables(a.confusion, b.confusion),
    tenths: [...sums].map(([tenth, [n, ok]]) => [tenth, n, ok]),
  };
}
function addKeyed(pairs: WindowReport['jointConfidence']): WindowReport['jointConfidence'] {
  const sums = new Map<number, number>();
  for (const [a, b, n] of pairs) sums.set(a * 10 + b, (sums.get(a * 10 + b) ?? 0) + n);
  return [...sums].map(([key, n]) => [Math.floor(key / 10), key % 10, n]);
}

function both<T>(a: T | null, b: T | null, add: (a: T, b: T) => T): T | null {
  return a === null || b === null ? null : add(a, b);
}
function addHistograms(a: SparseHistogram, b: SparseHistogram): SparseHistogram {
  return { bins: addBins(a.bins, b.bins), sum: a.sum + b.sum };
}
function addBins(a: readonly [number, number][], b: readonly [number, number][]): [number, number][] {
  const sums = new Map<number, number>();
  for (const [bin, count] of [...a, ...b]) sums.set(bin, (sums.get(bin) ?? 0) + count);
  return [...sums].sort(([x], [y]) => x - y);
}
