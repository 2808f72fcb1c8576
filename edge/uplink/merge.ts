import type { SparseHistogram, WindowReport } from '@adbreak/shared/contract/messages.js';

/** Two reports of one pairing and slice added up, under the later sequence; null where they must not be mixed. */
export function merge(a: WindowReport, b: WindowReport | undefined): WindowReport | null {
  if (b === undefined) return null;
  const key = ({ slice, rollout, production, candidate, serving }: WindowReport) =>
    JSON.stringify([slice.channel, slice.site, slice.hardware, rollout, production, candidate, serving]);
  if (key(a) !== key(b)) return null;
  const add = (field: 'episodes' | 'adFrames' | 'frames' | 'dropped' | 'restarts' | 'downloadFailures') => a[field] + b[field];
  return {
    ...b,
    start: a.start,
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
    latency: { production: addBins(a.latency.production, b.latency.production), candidate: both(a.latency.candidate, b.latency.candidate, addBins) },
  };
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
  return { confusion: addTables(a.confusion, b.confusion), tenths: [...sums].map(([tenth, [n, ok]]) => [tenth, n, ok]) };
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
