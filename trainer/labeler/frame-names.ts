import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Label, Span } from '@adbreak/shared/video/labels.js';

/** Seconds that one picture stands for. */
export const PICTURE_SECONDS = 1;

/** `ad/evening/evening_00012.345.jpg`: the folder tells the recording, as `dataset prepare` reads it, the name the second. */
export function pictureName(label: Label, recording: string, time: number): string {
  const last = recording.slice(recording.lastIndexOf('/') + 1);
  return `${label}/${recording}/${last}_${time.toFixed(3).padStart(9, '0')}.jpg`;
}

/** What pictures say of their recording: each labels its second, up to the next one. Throws `labels_invalid` with the name. */
export function spansOfPictures(
  pictures: readonly { readonly name: string; readonly label: Label }[],
  duration: number,
): Span[] {
  const timed = pictures
    .map(({ name, label }) => ({ name, label, time: secondOf(name, duration) }))
    .sort((a, b) => a.time - b.time);
  const spans: Span[] = [];
  for (const [i, { name, label, time }] of timed.entries()) {
    const next = timed[i + 1];
    if (next?.time === time && next.label !== label)
      throw wrong(next.name, `it and ${name} are of one second`);
    const end = Math.min(time + PICTURE_SECONDS, next?.time ?? duration, duration);
    const last = spans.at(-1);
    if (last?.label === label && last.end === time) spans[spans.length - 1] = { ...last, end };
    else if (end > time) spans.push({ start: time, end, label });
  }
  return spans;
}

function secondOf(name: string, duration: number): number {
  const [, text] = /[-_ @](\d{1,9}(?:\.\d{1,6})?)s?\.\w+$/.exec(name) ?? [];
  if (text === undefined)
    throw wrong(name, 'its name does not end in the second that it is of: NAME_SECONDS.jpg');
  const time = Number(text);
  if (time >= duration) throw wrong(name, `the recording ends at ${duration.toFixed(3)} s`);
  return time;
}

function wrong(name: string, why: string): AdbreakError {
  return new AdbreakError(
    'labels_invalid',
    `Cannot take the label of the picture ${name.slice(0, 200)}: ${why}`,
  );
}
