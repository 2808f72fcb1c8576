import { AdbreakError } from '../errors.js';
import {
  inOrder,
  type LabelWords,
  linesOf,
  parseLabels,
  parseTime,
  type Span,
  withinRecording,
  wrongLine,
} from './labels.js';

/** `csv` names both labels; `edl` (Kodi, MPlayer) and `comskip` (its .txt) name the advertisements alone. */
export const LABEL_FORMATS = ['csv', 'edl', 'comskip'] as const;
export type LabelFormat = (typeof LABEL_FORMATS)[number];

/** What is known of the recording that the labels are of. */
export interface Labelled {
  /** Seconds; null where nobody knows. Then what comes after the last advertisement has no label. */
  readonly duration: number | null;
  /** Frames a second, for files that count frames. */
  readonly frameRate: number | null;
  readonly words?: LabelWords;
  /** By the name of the file, for one in which nothing is: an EDL of a recording without advertisements. */
  readonly named?: LabelFormat;
}

/** Beyond the end by less than this, labels were rounded, or the container is longer than its last frame. */
const END_TOLERANCE = 1;
const COMSKIP_HEADER = /^FILE PROCESSING COMPLETE\s+(\d+)\s+FRAMES(?:\s+AT\s+(\d+))?/i;
/** Kodi's wiki, "Edit decision list": 0 cuts a stretch out, 3 is a commercial break; 1 mutes, 2 marks a scene. */
const AD_ACTIONS = ['0', '3'];
const KNOWN_ACTIONS = ['0', '1', '2', '3'];

/** Reads labels of whichever format, and holds them to the recording's end. Throws `labels_invalid` with the line. */
export function parseLabelFile(text: string, recording: Labelled): Span[] {
  const spans = read(text, recording);
  return recording.duration === null ? spans : withinDuration(spans, recording.duration);
}

/** By what the file begins with: endings are shared with others (`.txt`). One in which nothing is, is as it is named. */
export function labelFormatOf(text: string, named: LabelFormat = 'csv'): LabelFormat {
  const first = linesOf(text).find((line) => line.trim() !== '');
  if (first === undefined) return named;
  if (COMSKIP_HEADER.test(first)) return 'comskip';
  return /^\s*(#?[\d:.]+\s|##)/.test(first) ? 'edl' : 'csv';
}

function read(text: string, recording: Labelled): Span[] {
  switch (labelFormatOf(text, recording.named)) {
    case 'csv':
      return parseLabels(text, recording.words);
    case 'edl':
      return withContent(parseEdl(text, recording.frameRate), recording.duration);
    case 'comskip': {
      const { ads, duration } = parseComskip(text, recording.frameRate);
      return withContent(ads, recording.duration ?? duration);
    }
  }
}

/** `start end action` a line; times in seconds, as `hh:mm:ss.sss` or as `#frame`. */
function parseEdl(text: string, frameRate: number | null): Span[] {
  const ads = linesOf(text).flatMap((row, index) => {
    if (row.trim() === '' || row.startsWith('##')) return [];
    const line = index + 1;
    const [start = '', end = '', action = '', ...more] = row.trim().split(/\s+/);
    if (!KNOWN_ACTIONS.includes(action) || more.length > 0)
      throw wrongLine(line, 'it must be start, end and an action from 0 to 3', row);
    if (!AD_ACTIONS.includes(action)) return [];
    const from = edlTime(start, frameRate, line);
    const to = edlTime(end, frameRate, line);
    if (from === null || to === null || to <= from)
      throw wrongLine(line, 'start and end must be seconds, hh:mm:ss or #frames, end after start', row);
    return [{ start: from, end: to, label: 'ad' as const, line, text: row }];
  });
  return inOrder(ads);
}

function edlTime(cell: string, frameRate: number | null, line: number): number | null {
  if (!/^#\d+$/.test(cell)) return parseTime(cell);
  return withinRecording(Number(cell.slice(1)) / rateOf(frameRate, line, cell));
}

/** Two lines of header, with frames in all and frames a second times 100; then first and last frame of each break. */
function parseComskip(text: string, frameRate: number | null): { ads: Span[]; duration: number } {
  const [header = '', ...rows] = linesOf(text);
  const [, frames = '0', hundredths] = COMSKIP_HEADER.exec(header) ?? [];
  const rate = rateOf(hundredths === undefined ? frameRate : Number(hundredths) / 100, 1, header);
  const ads = rows.flatMap((row, index) => {
    if (row.trim() === '' || /^-+$/.test(row.trim())) return [];
    const line = index + 2;
    const [, first = '', last = ''] = /^\s*(\d+)\s+(\d+)\s*$/.exec(row) ?? [];
    const [start, end] = [Number(first) / rate, withinRecording(Number(last) / rate)];
    if (first === '' || end === null || end <= start)
      throw wrongLine(line, 'it must be the first and the last frame of a break', row);
    return [{ start, end, label: 'ad' as const, line, text: row }];
  });
  const duration = withinRecording(Number(frames) / rate);
  if (duration === null) throw wrongLine(1, 'no recording has so many frames', header);
  return { ads: inOrder(ads), duration };
}

function rateOf(rate: number | null, line: number, text: string): number {
  if (rate === null || !(rate > 0))
    throw wrongLine(line, 'frames are numbered, and nobody says how many a second has', text);
  return rate;
}

/** What lies between advertisements is the programme. */
export function withContent(ads: readonly Span[], duration: number | null): Span[] {
  const spans: Span[] = [];
  let until = 0;
  for (const ad of ads) {
    if (ad.start > until) spans.push({ start: until, end: ad.start, label: 'content' });
    spans.push(ad);
    until = ad.end;
  }
  if (duration !== null && duration > until) spans.push({ start: until, end: duration, label: 'content' });
  return spans;
}

/** Labels far beyond the end are another recording's; a little beyond it, they end with it. */
function withinDuration(spans: readonly Span[], duration: number): Span[] {
  const last = spans.at(-1);
  if (last !== undefined && last.end > duration + END_TOLERANCE)
    throw new AdbreakError(
      'labels_invalid',
      `Cannot use the labels: they end at ${last.end.toFixed(3)} s, the recording at ${duration.toFixed(3)} s`,
      { remedy: 'Look whether they are of this recording, or correct the rows past its end.' },
    );
  return spans
    .filter(({ start }) => start < duration)
    .map((span) => ({ ...span, end: Math.min(span.end, duration) }));
}
