import type { Segment } from './segments.js';

export const FORMATS = ['text', 'csv', 'json', 'edl'] as const;
export type Format = (typeof FORMATS)[number];

/** Kodi's edit decision list: 3 marks a commercial break (kodi.wiki, Edit decision list). */
const EDL_COMMERCIAL = 3;

export function formatSegments(
  segments: readonly Segment[],
  format: Format,
  about: { source: string; model: string },
): string {
  switch (format) {
    case 'csv':
      return [
        'start,end,label,confidence',
        ...segments.map(
          (s) => `${s.start.toFixed(2)},${s.end.toFixed(2)},${s.label},${s.confidence.toFixed(3)}`,
        ),
      ].join('\n');
    case 'json':
      return JSON.stringify(
        {
          ...about,
          segments: segments.map((s) => ({
            start: round(s.start),
            end: round(s.end),
            label: s.label,
            confidence: round(s.confidence),
          })),
        },
        null,
        2,
      );
    case 'edl':
      return segments
        .filter(({ label }) => label === 'ad')
        .map(({ start, end }) => `${start.toFixed(2)}\t${end.toFixed(2)}\t${EDL_COMMERCIAL}`)
        .join('\n');
    case 'text':
      return segments
        .map(
          (s) =>
            `${clock(s.start)} – ${clock(s.end)}  ${s.label === 'ad' ? '▓ AD       ' : '  programme'}  ${(100 * s.confidence).toFixed(0).padStart(3)} %`,
        )
        .join('\n');
  }
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const part = (n: number) => String(n).padStart(2, '0');
  return `${part(Math.floor(whole / 3600))}:${part(Math.floor(whole / 60) % 60)}:${part(whole % 60)}.${Math.floor((seconds % 1) * 10)}`;
}
const round = (value: number) => Math.round(value * 1000) / 1000;
