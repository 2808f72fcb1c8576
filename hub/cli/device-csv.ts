import type { DeviceSet } from '@adbreak/shared/contract/http/fleet.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { parse } from 'csv-parse/sync';
import { ALL_COLUMNS, type Column } from './device-table.js';
import { tagChanges } from './tags.js';

/** The largest table: 10,000 devices with long tags. */
export const CSV_LIMIT = 8 * 1024 * 1024;
const LONGEST_ROW = 16 * 1024;

/** Columns that say what a device shall be; the others of an exported table are read over. */
const SETTABLE: readonly Column[] = ['model', 'tags', 'site', 'channel'];

export interface DeviceRow {
  readonly device: string;
  readonly set: DeviceSet;
}

/**
 * What a table says of devices: a header with `device` and some of `model`, `tags`, `site`, `channel`. An empty
 * cell says nothing; tags say all that a device has. Throws `input_invalid` with the line that is wrong.
 */
export function readDeviceCsv(text: string, path: string): DeviceRow[] {
  const [header, ...rows] = recordsOf(text, path);
  if (header === undefined) throw invalid(path, 'it is empty');
  const columns = header.map((name) => name.trim());
  const unknown = columns.find((name) => !ALL_COLUMNS.some((one) => one === name));
  if (unknown !== undefined)
    throw invalid(path, `it has a column ${JSON.stringify(unknown)}`, `There are ${ALL_COLUMNS.join(', ')}.`);
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw invalid(path, `it has the column ${twice} twice`);
  const at = columns.indexOf('device');
  if (at < 0) throw invalid(path, 'it has no column `device`');
  return rows.map((row, i) => {
    const cell = (column: Column) => withoutMark((row[columns.indexOf(column)] ?? '').trim());
    const device = cell('device');
    if (device === '') throw invalid(path, `row ${i + 1} names no device`);
    const said = SETTABLE.filter((column) => cell(column) !== '');
    return { device, set: Object.assign({}, ...said.map((column) => setBy(column, cell(column)))) };
  });
}

function setBy(column: Column, text: string): DeviceSet {
  switch (column) {
    case 'tags':
      return { tags: tagChanges(text.split(';').map((word) => word.trim())), only_tags: true };
    case 'model':
      return { model: text };
    case 'site':
      return { site: text };
    default:
      return { channel: text };
  }
}

/** What `tableCsv` puts before a text that a spreadsheet would take for a formula. */
function withoutMark(text: string): string {
  return /^'[=+\-@\t\r＝＋－＠]/.test(text) ? text.slice(1) : text;
}

function recordsOf(text: string, path: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, max_record_size: LONGEST_ROW });
  } catch (cause) {
    throw invalid(path, explain(cause));
  }
}

function invalid(path: string, why: string, remedy?: string): AdbreakError {
  return new AdbreakError('input_invalid', `Cannot read the table ${path}: ${why}`, {
    remedy: remedy ?? 'Begin with a table of the fleet: `adbreak devices list --csv`.',
  });
}
