import type { Recurrence, Spot } from '@adbreak/shared/contract/labelling.js';
import { printable } from '@adbreak/shared/errors.js';
import type { Break } from '@adbreak/shared/recurrence/scan.js';
import { withContent } from '@adbreak/shared/video/label-files.js';
import { formatClock, formatTimeline, type Timeline } from '../decide/formats.js';

export interface Told {
  readonly recurrence: Recurrence;
  readonly breaks: readonly Break[];
}

const NAMES: Record<Spot['class'], string> = {
  spot: 'advertisement',
  ident: 'ident',
  trailer: 'trailer',
  repeat: 'repeat of a programme',
  replay: 'replay',
};

/** One line for each spot and for each of its airings, without a line break at the end. */
export function formatSpots({ recurrence: { spots } }: Told): string {
  if (spots.length === 0) return 'Nothing airs twice.';
  return spots.flatMap((spot) => [headOf(spot), ...spot.airings.map(formatAiring)]).join('\n');
}

function headOf({ id, class: kind, confidence, why }: Spot): string {
  return `${id}  ${NAMES[kind]}, ${(100 * confidence).toFixed(0)} %: ${why}`;
}

function formatAiring({ recording, start, end, confidence }: Spot['airings'][number]): string {
  const share = (100 * confidence).toFixed(0).padStart(3);
  return `    ${formatClock(start)} – ${formatClock(end)}  ${share} %  ${printable(recording)}`;
}

/** A row for each airing, in the order of the spots. */
export function formatAirings({ recurrence: { spots } }: Told): string {
  const rows = spots.flatMap(({ id, class: kind, airings }) =>
    airings.map(
      ({ recording, start, end, confidence }) =>
        `${quoted(recording)},${start.toFixed(3)},${end.toFixed(3)},${id},${kind},${confidence.toFixed(3)}`,
    ),
  );
  return ['recording,start,end,spot,class,confidence', ...rows].join('\n');
}

/** RFC 4180. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The commercial breaks of one recording, as Kodi's or MPlayer's EDL or as chapters of ffmetadata. */
export function formatBreaks(
  { breaks }: Told,
  recording: { readonly name: string; readonly duration: number },
  format: 'edl' | 'chapters',
): string {
  const own = breaks.flatMap(({ recording: name, start, end }) =>
    name === recording.name ? [{ start, end, label: 'ad' as const }] : [],
  );
  const timeline: Timeline = {
    source: recording.name,
    model: 'recurrence',
    decision: 'recurrence',
    segments: withContent(own, recording.duration).map((span) => ({ ...span, confidence: 1 })),
    warnings: [],
  };
  return formatTimeline(timeline, format);
}
