import { AdbreakError } from '../errors.js';

export type Label = 'ad' | 'content';
/** A stretch of media time, seconds from the file's start, with one true label: a scene or an advertisement. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly label: Label;
}

const HEADER = 'start,end,label';
const LIMIT = 4 * 1024 * 1024;

/** Reads `start,end,label` in seconds, `ad` or `content`; rows in order, without overlap. Throws `labels_invalid` with the row. */
export function parseLabels(text: string): Span[] {
  if (text.length > LIMIT)
    throw new AdbreakError(
      'input_too_large',
      `Cannot read the labels: ${text.length} characters, at most ${LIMIT}`,
    );
  const [header = '', ...rows] = text.split(/\r?\n/);
  if (header.trim() !== HEADER)
    throw new AdbreakError(
      'labels_invalid',
      `Cannot read the labels: the first line must be ${HEADER}: current value is ${JSON.stringify(header.slice(0, 80))}`,
    );
  const spans: Span[] = [];
  rows.forEach((row, index) => {
    if (row.trim() === '') return;
    const wrong = (why: string) =>
      new AdbreakError(
        'labels_invalid',
        `Cannot read the labels: line ${index + 2}: ${why}: current value is ${JSON.stringify(row.slice(0, 80))}`,
      );
    const [start, end, label, ...more] = row.split(',').map((cell) => cell.trim());
    const from = seconds(start);
    const to = seconds(end);
    if (label !== 'ad' && label !== 'content') throw wrong('the label must be ad or content');
    if (from === null || to === null || more.length > 0 || to <= from)
      throw wrong('start and end must be seconds, end after start');
    if (from < (spans.at(-1)?.end ?? 0) - 1e-6) throw wrong('it overlaps the row before');
    spans.push({ start: from, end: to, label });
  });
  return spans;
}

function seconds(cell: string | undefined): number | null {
  const value = cell === undefined || cell === '' ? Number.NaN : Number(cell);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

export function formatLabels(spans: readonly Span[]): string {
  return `${[HEADER, ...spans.map(({ start, end, label }) => `${start.toFixed(3)},${end.toFixed(3)},${label}`)].join('\n')}\n`;
}

/** The label at a moment of media time, null outside all spans. Spans are in order. */
export function labelAt(spans: readonly Span[], time: number): Label | null {
  let low = 0;
  let high = spans.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const span = spans[middle];
    if (span === undefined) return null;
    if (time < span.start) high = middle - 1;
    else if (time >= span.end) low = middle + 1;
    else return span.label;
  }
  return null;
}

/** The label of a stretch when at least `share` of it has one and the same, else null: no person would call it. */
export function labelOf(spans: readonly Span[], start: number, end: number, share = 0.9): Label | null {
  const covered = { ad: 0, content: 0 };
  for (const span of spans)
    covered[span.label] += Math.max(0, Math.min(end, span.end) - Math.max(start, span.start));
  const need = share * (end - start);
  if (covered.ad >= need && covered.ad > 0) return 'ad';
  return covered.content >= need && covered.content > 0 ? 'content' : null;
}
