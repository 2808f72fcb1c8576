/**
 * MLflow takes at most so much in one batch: of metrics, of parameters, and bytes of JSON (1,000,000, some of
 * them kept for the rest).
 */
const MOST = { metrics: 500, params: 100, bytes: 900_000 } as const;
const LONGEST = { key: 250, param: 6000 } as const;

/** One value of a curve: milliseconds since 1970, and the epoch. */
export interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

/**
 * Metrics as MLflow's JSON has them, in batches that it takes. A number that JSON lacks is a word (proto3's
 * JSON mapping).
 */
export function metricBatches(metrics: readonly Metric[]) {
  const sent = metrics.map(({ key, value, timestamp, step }) => ({
    key: nameOf(key),
    value: Number.isFinite(value) ? value : String(value),
    timestamp,
    step,
  }));
  return batchesOf(sent, MOST.metrics);
}

/** Parameters in batches that MLflow takes; what is too long for it is cut, and ends in an ellipsis. */
export function parameterBatches(parameters: Readonly<Record<string, string>>) {
  const sent = Object.entries(parameters).map(([key, value]) => ({
    key: nameOf(key),
    value: value.length > LONGEST.param ? `${value.slice(0, LONGEST.param - 1)}…` : value,
  }));
  return batchesOf(sent, MOST.params);
}

/** A name of characters that MLflow takes in every version. */
export function nameOf(key: string): string {
  return key.replace(/[^A-Za-z0-9_./ -]/g, '_').slice(0, LONGEST.key);
}

function batchesOf<T>(items: readonly T[], most: number): T[][] {
  const batches: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item)) + 1;
    const last = batches.at(-1);
    if (last === undefined || last.length >= most || bytes + size > MOST.bytes) {
      batches.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return batches;
}
