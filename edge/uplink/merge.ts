import type { SparseHistogram, WindowReport } from '@adbreak/shared/contract/messages.js';

/** Two reports of one pairing and slice added up, under the later sequence; null where they must not be mixed. */
export function merge(a: WindowReport, b: WindowReport | undefined): WindowReport | null {
  if (b === undefined) return null;
  const key = ({ slice, rollout, production, candidate, serving }: WindowReport) =>
    JSON.stringify([slice.channel, slice.site, slice.hardware, rollout, production, candidate, serving]);
  if (key(a) !== key(b)) return null;
  const add = (field: 'episodes' | 'adFrames' | 'frames' | 'dropped' | 'restarts') => a[field] + b[field];
  return {
    ...b,
    start: a.start,
    episodes: add('episodes'),
    adFrames: add('adFrames'),
    frames: add('frames'),
    dropped: add('dropped'),
    restarts: add('restarts'),
    histograms: {
      production: addHistograms(a.histograms.production, b.histograms.production),
      candidate: both(a.histograms.candidate, b.histograms.candidate, addHistograms),
    },
    joint: both(a.joint, b.joint, (x, y) => [
      [x[0][0] + y[0][0], x[0][1] + y[0][1]],
      [x[1][0] + y[1][0], x[1][1] + y[1][1]],
    ]),
    labelled: {
      episodes: a.labelled.episodes + b.labelled.episodes,
      productionRight: a.labelled.productionRight + b.labelled.productionRight,
      candidateRight: a.labelled.candidateRight + b.labelled.candidateRight,
      wins: a.labelled.wins + b.labelled.wins,
      losses: a.labelled.losses + b.labelled.losses,
    },
    latency: { production: addBins(a.latency.production, b.latency.production), candidate: both(a.latency.candidate, b.latency.candidate, addBins) },
  };
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
