import { BINS } from '@adbreak/shared/contract/messages.js';
import { WORLD_BINS } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import { armLabels, noLabels } from '../rollouts/evidence.js';
import { HOURS_OF_DAY } from './calendar.js';

const count = z.int().nonnegative();
export const LATENCY_BUCKETS = 64;
/** Bins of p(ad): 64 of a window report's 256. */
const bins = z.array(count).length(WORLD_BINS);
/** Bucket b holds inferences of [2^(b/4), 2^((b+1)/4)) milliseconds. */
const latency = z.array(count).length(LATENCY_BUCKETS);

/** What windows of one model, channel and hardware add up to. Whole numbers alone, so that no order of adding changes a sum. */
const modelSums = z.object({
  /** Devices that sent any of it, each once. */
  devices: count,
  windows: count,
  /** Windows in which this model acted; frames, dropped, restarts and missing windows count where it did. */
  acted: count,
  /** Windows that devices made before these, and that never came. */
  missing: count,
  bins,
  latency,
  frames: count,
  adFrames: count,
  dropped: count,
  restarts: count,
  /** By [truth][vote], and by tenth of p(ad): episodes and how many were right; null where nobody has labelled. */
  labels: armLabels.omit({ histogram: true }).nullable(),
});
export type ModelSums = z.infer<typeof modelSums>;
const modelHour = modelSums.extend({
  /** Devices that showed episodes of this hour in time, each on the first hardware that it named in the channel. */
  first: count,
  /** Of the bins, those that came too late for the reference; null for none. */
  late: bins.nullable(),
});
export type ModelHour = z.infer<typeof modelHour>;

/** Hours of a day, hour 0 the lowest bit. */
const hours = z
  .int()
  .min(0)
  .max(2 ** HOURS_OF_DAY - 1);
const series = z.object({
  digest: z.string(),
  channel: z.string(),
  hardware: z.string(),
  /** Hours in which it was counted, and hours whose episodes it showed in time. */
  hours,
  shown: hours,
});
export type Series = z.infer<typeof series>;
/** A device may name so many models × channels × hardware in a day; what more it names is counted, and adds to no model's row. */
export const MOST_SERIES = 12;

/** What a device sent of a day (UTC), by the start of its windows. */
const deviceDay = z.object({
  windows: count,
  missing: count,
  episodes: count,
  frames: count,
  adFrames: count,
  dropped: count,
  restarts: count,
  downloadFailures: count,
  /** The most that its agent and inference processes took together, MiB. */
  memoryMb: count,
  /** Windows that add to no sum: too old (counted on the day on which they came), of a time that was told before; and of models' arms, those of models that the hub does not know, and beyond the series of a day. */
  refused: z.object({ old: count, twice: count, unknown: count, series: count }),
  series: z.array(series).max(MOST_SERIES),
});
export type DeviceDay = z.infer<typeof deviceDay>;
/** All labels and confidences of a version, since it was registered. */
export type LabelSums = z.infer<typeof armLabels>;

/** A kind of row: what an empty one holds, and a copy that may be changed. Copies by hand: a structured clone costs ten times as much. */
export interface RowKind<Row> {
  readonly table: string;
  readonly keys: readonly string[];
  readonly schema: z.ZodType<Row>;
  readonly empty: () => Row;
  readonly copy: (row: Row) => Row;
}
export const MODEL_HOUR: RowKind<ModelHour> = {
  table: 'model_hour',
  keys: ['hour', 'digest', 'channel', 'hardware'],
  schema: modelHour,
  empty: () => ({ ...noSums(), first: 0, late: null }),
  copy: (row) => ({ ...row, ...parts(row), late: row.late === null ? null : [...row.late] }),
};
export const MODEL_DAY: RowKind<ModelSums> = {
  table: 'model_day',
  keys: ['day', 'digest', 'channel', 'hardware'],
  schema: modelSums,
  empty: noSums,
  copy: (row) => ({ ...row, ...parts(row) }),
};
export const DEVICE_DAY: RowKind<DeviceDay> = {
  table: 'device_day',
  keys: ['day', 'device'],
  schema: deviceDay,
  empty: noDeviceDay,
  copy: (row) => ({ ...row, refused: { ...row.refused }, series: row.series.map((one) => ({ ...one })) }),
};
export const LABELS: RowKind<LabelSums> = {
  table: 'labels',
  keys: ['digest'],
  schema: armLabels,
  empty: noLabels,
  copy: (row) => ({ ...tables(row), histogram: [...row.histogram] }),
};

export function noSums(): ModelSums {
  return {
    devices: 0,
    windows: 0,
    acted: 0,
    missing: 0,
    bins: Array<number>(WORLD_BINS).fill(0),
    latency: Array<number>(LATENCY_BUCKETS).fill(0),
    frames: 0,
    adFrames: 0,
    dropped: 0,
    restarts: 0,
    labels: null,
  };
}
function noDeviceDay(): DeviceDay {
  const counts = { windows: 0, missing: 0, episodes: 0, frames: 0, adFrames: 0, dropped: 0, restarts: 0 };
  const refused = { old: 0, twice: 0, unknown: 0, series: 0 };
  return { ...counts, downloadFailures: 0, memoryMb: 0, refused, series: [] };
}
function parts({ bins, latency, labels }: ModelSums): Pick<ModelSums, 'bins' | 'latency' | 'labels'> {
  return { bins: [...bins], latency: [...latency], labels: labels && tables(labels) };
}
function tables({ confusion: [content, ad], tenths }: Omit<LabelSums, 'histogram'>) {
  const confusion: LabelSums['confusion'] = [[...content], [...ad]];
  return { confusion, tenths: tenths.map(([n, right]): [number, number] => [n, right]) };
}

/** Which of a row's 64 bins holds one of a report's 256. */
export function coarse(bin: number): number {
  return Math.floor((bin * WORLD_BINS) / BINS);
}
