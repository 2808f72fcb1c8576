import type { Summary } from '@adbreak/shared/contract/http/monitoring.js';
import { saturated } from '../rollouts/evidence.js';
import { type ModelSums, noSums } from './rows.js';

/** Adds rows up. */
export class Total {
  readonly #sums = noSums();
  #labelled = { episodes: 0, right: 0 };

  add(row: ModelSums): void {
    for (const name of [
      'devices',
      'windows',
      'missing',
      'frames',
      'adFrames',
      'dropped',
      'restarts',
    ] as const)
      this.#sums[name] = saturated(this.#sums[name] + row[name]);
    for (const name of ['bins', 'latency'] as const)
      for (const [i, n] of row[name].entries())
        this.#sums[name][i] = saturated((this.#sums[name][i] ?? 0) + n);
    if (row.labels === null) return;
    const [[contentRight, contentWrong], [adWrong, adRight]] = row.labels.confusion;
    const right = contentRight + adRight;
    const { episodes } = this.#labelled;
    this.#labelled = {
      episodes: saturated(episodes + right + contentWrong + adWrong),
      right: saturated(this.#labelled.right + right),
    };
  }

  summary(): Summary {
    const { devices, windows, missing, bins, latency, frames, adFrames, dropped, restarts } = this.#sums;
    const { episodes, right } = this.#labelled;
    return {
      devices,
      windows,
      missing,
      episodes: total(bins),
      inferences: total(latency),
      confidence: { mean: confidenceOf(bins), histogram: bins },
      latency: {
        mean: meanLatency(latency),
        p50: quantile(latency, 0.5),
        p95: quantile(latency, 0.95),
        p99: quantile(latency, 0.99),
      },
      frames,
      adFrames,
      adRate: frames === 0 ? null : Math.min(1, adFrames / frames),
      dropped,
      restarts,
      labelled: { episodes, accuracy: episodes === 0 ? null : Math.min(1, right / episodes) },
    };
  }
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, n) => saturated(sum + n), 0);
}

function confidenceOf(bins: readonly number[]): number | null {
  let [episodes, sum] = [0, 0];
  for (const [i, n] of bins.entries()) {
    const p = (i + 0.5) / bins.length;
    episodes += n;
    sum += n * Math.max(p, 1 - p);
  }
  return episodes === 0 ? null : sum / episodes;
}

/** Bucket b holds [2^(b/4), 2^((b+1)/4)) milliseconds. */
const upperEnd = (bucket: number) => 2 ** ((bucket + 1) / 4);

function meanLatency(buckets: readonly number[]): number | null {
  let [inferences, sum] = [0, 0];
  for (const [bucket, n] of buckets.entries()) {
    inferences += n;
    sum += n * 2 ** ((bucket + 0.5) / 4);
  }
  return inferences === 0 ? null : sum / inferences;
}

function quantile(buckets: readonly number[], share: number): number | null {
  const all = total(buckets);
  let below = 0;
  for (const [bucket, n] of buckets.entries()) {
    below += n;
    if (n > 0 && below >= share * all) return upperEnd(bucket);
  }
  return null;
}
