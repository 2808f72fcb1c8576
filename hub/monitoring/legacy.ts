import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { WORLD_BINS } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import { armLabels } from '../rollouts/evidence.js';
import type { Database } from '../store/sql/database.js';
import { unescaped } from '../store/sql/keys.js';
import { put, removeRange, type Statement } from '../store/sql/queries.js';
import { HOURS_OF_DAY } from './calendar.js';
import { place } from './fold.js';
import { hourBins } from './reference.js';
import { emptyRows, putRow } from './row-sets.js';
import { LABELS, MOST_SERIES } from './rows.js';

/** A channel's hour until 0.2: the sum of the devices that reported, and who they were. */
const channelHour = z.object({
  devices: z.array(z.string()),
  bins: z.array(z.int().nonnegative()).length(WORLD_BINS),
});
const hourKey = z.string().regex(/^\d{1,7}$/);
/** What a hub until 0.2 kept of a version: hours that were over, hours that filled, and all labels. */
export const modelHours = z.object({
  hours: z.record(hourKey, hourBins),
  open: z.record(hourKey, z.record(z.string(), channelHour)).default({}),
  labels: armLabels,
});
export type ModelHours = z.infer<typeof modelHours>;

/** Nobody knew then on which hardware a channel's devices were. */
const HARDWARE = '';

interface OpenHour {
  readonly hour: number;
  readonly digest: string;
  readonly channel: string;
  readonly sums: z.infer<typeof channelHour>;
}

/** The rows of those hours, by the digest of their model. Devices whose names they held are counted no second time. */
export function* rowsOfHours(all: Readonly<Record<string, ModelHours>>): Generator<Statement> {
  const open: OpenHour[] = [];
  for (const [digest, { hours, open: filling, labels }] of Object.entries(all)) {
    yield putRow(LABELS, [digest], labels);
    for (const [hour, bins] of Object.entries(hours))
      yield put('reference_hour', { hour: Number(hour), digest }, { body: JSON.stringify(bins) });
    for (const [hour, channels] of Object.entries(filling))
      for (const [channel, sums] of Object.entries(channels))
        open.push({ hour: Number(hour), digest, channel, sums });
  }
  yield* rowsOfOpenHours(open);
}

function* rowsOfOpenHours(open: readonly OpenHour[]): Generator<Statement> {
  const rows = emptyRows();
  for (const { hour, digest, channel, sums } of open) {
    const day = Math.floor(hour / HOURS_OF_DAY);
    const bit = 1 << (hour - day * HOURS_OF_DAY);
    const [hourRow, dayRow] = [
      rows.modelHour.edit(place(hour, digest, channel, HARDWARE)),
      rows.modelDay.edit(place(day, digest, channel, HARDWARE)),
    ];
    for (const [bin, n] of sums.bins.entries())
      for (const row of [hourRow, dayRow]) row.bins[bin] = (row.bins[bin] ?? 0) + n;
    hourRow.devices = sums.devices.length;
    hourRow.first = sums.devices.length;
    for (const name of sums.devices) {
      const { series } = rows.deviceDay.edit(place(day, name));
      const known = series.find((one) => one.digest === digest && one.channel === channel);
      if (known === undefined) dayRow.devices += 1;
      if (known !== undefined) {
        known.hours |= bit;
        known.shown |= bit;
      } else if (series.length < MOST_SERIES)
        series.push({ digest, channel, hardware: HARDWARE, hours: bit, shown: bit });
    }
  }
  for (const of of [rows.modelHour, rows.modelDay, rows.deviceDay]) yield* of.statements();
}

const oldRow = z.object({
  position: z.int(),
  digest: z.string(),
  hour: z.string(),
  channel: z.string(),
  body: z.string(),
});
const LIMIT = 16 * 1024 * 1024;
const OLD: Statement = {
  sql: 'select position, digest, hour, channel, body from channel_hour',
  parameters: [],
};

/** Hours that still filled when this database got its rollups: at the first start alone, in one transaction. */
export async function takeUpOpenHours(database: Database): Promise<void> {
  const what = `a channel's hour of ${database.name}`;
  const found = (await database.rows(OLD)).map((row) => check(oldRow, row, what, 'state_corrupt'));
  if (found.length === 0) return;
  const open = found.map(({ digest, hour, channel, body }) => ({
    hour: Number(unescaped(hour)),
    digest: unescaped(digest),
    channel: unescaped(channel),
    sums: parseJson(channelHour, body, LIMIT, what, 'state_corrupt'),
  }));
  const last = found.reduce((most, { position }) => Math.max(most, position), 0);
  await database.transact([...rowsOfOpenHours(open), removeRange('channel_hour', 'position', 0, last + 1)]);
}
