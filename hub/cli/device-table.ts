import type { DeviceLine } from '@adbreak/shared/contract/http/fleet.js';
import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { stringify } from 'csv-stringify/sync';

type Cell = string | number | null;

/** What a table of devices may show, by the name of the column. */
const COLUMNS = {
  device: ({ id }) => id,
  model: ({ model }) => model,
  site: ({ site }) => site,
  channel: ({ channel }) => channel,
  tags: ({ tags }) => tagsText(tags),
  hardware: ({ hardware }) => hardware,
  agent: ({ agent }) => agent,
  link: ({ link, revoked }) => (revoked ? 'revoked' : link.state),
  since: ({ link }) => link.since,
  seen: ({ link }) => link.lastSeen,
  serving: ({ versions }) => versions.serving?.version ?? null,
  shadow: ({ versions }) => versions.shadow?.version ?? null,
  slot: ({ versions }) => versions.slot,
  production: ({ versions }) => versions.production?.version ?? null,
  candidate: ({ versions }) => versions.candidate?.version ?? null,
  rollout: ({ versions }) => versions.rollout,
  behind: ({ behindSince }) => behindSince,
  certificate: ({ certificate }) => certificate?.daysLeft ?? null,
  problem: ({ problem }) => problem?.code ?? null,
  refusal: ({ refusal }) => refusal?.code ?? null,
  refused: ({ refusedReports }) => refusedReports,
  missing: ({ missingWindows }) => missingWindows,
  quota: ({ quotas }) => quotaText(quotas),
} as const satisfies Record<string, (device: DeviceLine) => Cell>;
export type Column = keyof typeof COLUMNS;
export const ALL_COLUMNS = Object.keys(COLUMNS) as readonly Column[];

/** What people look at first. */
export const USUAL_COLUMNS: readonly Column[] = [
  'device',
  'model',
  'site',
  'channel',
  'tags',
  'link',
  'serving',
  'shadow',
  'certificate',
  'problem',
];

/** `device,site,link` as columns. Throws `input_invalid` where there is no such one. */
export function columnsOf(text: string): readonly Column[] {
  const names = text.split(',').map((name) => name.trim());
  return names.map((name) => {
    const found = ALL_COLUMNS.find((one) => one === name);
    if (found === undefined)
      throw new AdbreakError('input_invalid', `Cannot show the column ${JSON.stringify(name)}`, {
        remedy: `There are ${ALL_COLUMNS.join(', ')}.`,
      });
    return found;
  });
}

/** A table for people: columns as wide as they must be, what is not there as a dash. */
export function tableText(devices: readonly DeviceLine[], columns: readonly Column[]): string {
  const cell = (device: DeviceLine, column: Column) => {
    const value: Cell = COLUMNS[column](device);
    return value === null || value === '' ? '–' : printable(String(value));
  };
  const rows = [[...columns], ...devices.map((device) => columns.map((column) => cell(device, column)))];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row.map((text, i) => (i === row.length - 1 ? text : text.padEnd(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}

/**
 * The same as CSV (RFC 4180). Spreadsheets take a cell that begins with =, +, - or @ for a formula, and channels
 * and tags are words of others: an apostrophe before it makes it text, and `adbreak devices import` takes it
 * away again.
 */
export function tableCsv(devices: readonly DeviceLine[], columns: readonly Column[]): string {
  return stringify(
    [[...columns], ...devices.map((device) => columns.map((column): Cell => COLUMNS[column](device)))],
    { escape_formulas: true, record_delimiter: 'windows' },
  );
}

export function tagsText(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join('; ');
}

function quotaText({ messagesLeft, bytesLeft, barredSeconds }: DeviceLine['quotas']): string {
  if (barredSeconds > 0) return `out for ${barredSeconds} s`;
  return `${Math.floor(100 * Math.min(messagesLeft, bytesLeft))} %`;
}
