import type { Scored } from './scored.js';
import type { Segment, Verdict } from './segments.js';

export const FORMATS = ['text', 'csv', 'json', 'edl', 'chapters'] as const;
export type Format = (typeof FORMATS)[number];

export interface Timeline {
  /** The recording, as it was named. */
  readonly source: string;
  /** Name and version of the model. */
  readonly model: string;
  readonly decision: string;
  readonly segments: readonly Segment[];
  /** What a person should know before trusting it. */
  readonly warnings: readonly string[];
}

/** Kodi's edit decision list: 3 marks a commercial break (kodi.wiki, Edit decision list). */
const EDL_COMMERCIAL = 3;

/**
 * The timeline without a line break at its end; chapters are an ffmetadata file (ffmpeg-formats, Metadata).
 */
export function formatTimeline(timeline: Timeline, format: Format): string {
  const { segments } = timeline;
  switch (format) {
    case 'csv':
      return [
        'start,end,label,confidence',
        ...segments.map(
          (s) => `${s.start.toFixed(2)},${s.end.toFixed(2)},${s.label},${s.confidence.toFixed(3)}`,
        ),
      ].join('\n');
    case 'json':
      return JSON.stringify({ ...timeline, segments: segments.map(rounded) });
    case 'edl':
      return segments
        .filter(({ label }) => label === 'ad')
        .map(({ start, end }) => `${start.toFixed(2)}\t${end.toFixed(2)}\t${EDL_COMMERCIAL}`)
        .join('\n');
    case 'chapters':
      return [';FFMETADATA1', ...segments.map(formatChapter)].join('\n');
    case 'text':
      return segments.map(formatRow).join('\n');
  }
}

/**
 * Each frame: time in seconds, p(ad), the posterior of an ad by the decision, 1 where it is unlike training.
 */
export function formatFrames(frames: readonly Scored[], posteriors: ArrayLike<number>): string {
  const rows = frames.map(
    ({ time, probability, unlike }, i) =>
      `${time.toFixed(3)},${probability.toFixed(4)},${(posteriors[i] ?? 0).toFixed(4)},${unlike ? 1 : 0}`,
  );
  return ['time,ad,posterior,unsure', ...rows].join('\n');
}

/** hh:mm:ss.t, cut off at the tenth. */
export function formatClock(seconds: number): string {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const part = (n: number) => String(n).padStart(2, '0');
  const whole = Math.floor(tenths / 10);
  return `${part(Math.floor(whole / 3600))}:${part(Math.floor(whole / 60) % 60)}:${part(whole % 60)}.${tenths % 10}`;
}

const NAMES: Record<Verdict, string> = { ad: 'Advertisement', content: 'Programme', unsure: 'Unsure' };
const ROWS: Record<Verdict, string> = { ad: '▓ AD       ', content: '  programme', unsure: '? unsure   ' };

function formatChapter({ start, end, label }: Segment): string {
  const [from, to] = [start, end].map((seconds) => Math.round(seconds * 1000));
  return `\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=${from}\nEND=${to}\ntitle=${NAMES[label]}`;
}

function formatRow({ start, end, label, confidence }: Segment): string {
  const share = (100 * confidence).toFixed(0).padStart(3);
  return `${formatClock(start)} – ${formatClock(end)}  ${ROWS[label]}  ${share} %`;
}

function rounded({ start, end, label, confidence }: Segment) {
  return { start: round(start), end: round(end), label, confidence: round(confidence) };
}
const round = (value: number) => Math.round(value * 1000) / 1000;
