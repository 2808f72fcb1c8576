import { AdbreakError } from '../errors.js';

export type Label = 'ad' | 'content';
/** A stretch of media time, seconds from the file's start, with one true label: a scene or an advertisement. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly label: Label;
}
/** Other words than `ad` and `content`, in lower case: `advert` -> `ad`. */
export type LabelWords = Readonly<Record<string, Label>>;

const HEADER = 'start,end,label';
const LIMIT = 4 * 1024 * 1024;
/** Ten years: who writes 1e308 means something else. */
const LONGEST_SECONDS = 10 * 365 * 24 * 3600;
/** Numbers were rounded to milliseconds somewhere. */
const ROUNDING = 1e-6;

/** A line of a labels file that cannot be what it says. */
export function wrongLine(line: number, why: string, text: string): AdbreakError {
  return new AdbreakError(
    'labels_invalid',
    `Cannot read the labels: line ${line}: ${why}: current value is ${JSON.stringify(text.slice(0, 80))}`,
  );
}

/** A labels file as text of lines: without the byte order mark, whichever way its lines end. Throws `input_too_large`. */
export function linesOf(text: string): string[] {
  if (text.length > LIMIT)
    throw new AdbreakError(
      'input_too_large',
      `Cannot read the labels: ${text.length} characters, at most ${LIMIT}`,
    );
  return text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
}

/**
 * Reads a CSV of `start,end,label`: seconds or `hh:mm:ss`, `ad` or `content` or a word of `words`; separated by commas,
 * semicolons (where a comma may stand for the point of a number) or tabs. Gives spans in the order of time. Throws
 * `labels_invalid` with the line: of an end that is not after its start, of spans that overlap, of unknown words.
 */
export function parseLabels(text: string, words: LabelWords = {}): Span[] {
  const [header = '', ...rows] = linesOf(text);
  const separator = /[;\t]/.exec(header)?.[0] ?? ',';
  const cellsOf = (row: string) => row.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
  if (cellsOf(header).join(',').toLowerCase() !== HEADER)
    throw new AdbreakError(
      'labels_invalid',
      `Cannot read the labels: the first line must be ${HEADER}: current value is ${JSON.stringify(header.slice(0, 80))}`,
    );
  const read: NumberedSpan[] = [];
  rows.forEach((row, index) => {
    if (row.trim() === '') return;
    const [start, end, word = '', ...more] = cellsOf(row);
    const line = { line: index + 2, text: row };
    const point = (cell = '') => (separator === ',' ? cell : cell.replace(',', '.'));
    const from = parseTime(point(start));
    const to = parseTime(point(end));
    const label = labelOfWord(word, words);
    if (label === null)
      throw wrongLine(line.line, 'the label must be ad or content, or a word of the label map', row);
    if (from === null || to === null || more.length > 0 || to <= from)
      throw wrongLine(line.line, 'start and end must be seconds or hh:mm:ss, end after start', row);
    read.push({ start: from, end: to, label, ...line });
  });
  return inOrder(read);
}

interface NumberedSpan extends Span {
  readonly line: number;
  readonly text: string;
}

/** Spans by time: files of several hands are not always sorted, but no second may have two labels. */
export function inOrder(spans: readonly NumberedSpan[]): Span[] {
  const sorted = [...spans].sort((a, b) => a.start - b.start || a.line - b.line);
  return sorted.map(({ start, end, label, line, text }, i) => {
    const before = sorted[i - 1];
    if (before !== undefined && start < before.end - ROUNDING)
      throw wrongLine(Math.max(line, before.line), `it overlaps line ${Math.min(line, before.line)}`, text);
    return { start: Math.max(start, before?.end ?? 0), end, label };
  });
}

function labelOfWord(word: string, words: LabelWords): Label | null {
  const known = word.toLowerCase();
  if (known === 'ad' || known === 'content') return known;
  return Object.hasOwn(words, known) ? (words[known] ?? null) : null;
}

/** Seconds, `mm:ss` or `hh:mm:ss`, each with a fraction; null for anything else, and for more than a recording has. */
export function parseTime(text: string): number | null {
  if (/^(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return withinRecording(Number(text));
  const [, hours = '0', minutes, seconds] = /^(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2}(?:\.\d*)?)$/.exec(text) ?? [];
  if (minutes === undefined || seconds === undefined) return null;
  const isClock = Number(seconds) < 60 && (hours === '0' || Number(minutes) < 60);
  return isClock ? Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) : null;
}

/** Null for a time that no recording has. */
export function withinRecording(seconds: number): number | null {
  return seconds <= LONGEST_SECONDS ? seconds : null;
}

export function formatLabels(spans: readonly Span[]): string {
  return `${[HEADER, ...spans.map(({ start, end, label }) => `${start.toFixed(3)},${end.toFixed(3)},${label}`)].join('\n')}\n`;
}

/** The label at a moment of media time, null outside all spans. Spans are in order. */
export function labelAt(spans: readonly Span[], time: number): Label | null {
  return spanAt(spans, time)?.label ?? null;
}

/** The span that a moment is in, by bisection. */
export function spanAt(spans: readonly Span[], time: number): Span | null {
  let low = 0;
  let high = spans.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const span = spans[middle];
    if (span === undefined) return null;
    if (time < span.start) high = middle - 1;
    else if (time >= span.end) low = middle + 1;
    else return span;
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
