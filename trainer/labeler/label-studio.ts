import { firstIndex } from '@adbreak/shared/bisect.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Label, LabelWords, Span } from '@adbreak/shared/video/labels.js';
import { z } from 'zod';

/** Of a file of tasks. */
export const LABEL_STUDIO_LIMIT = 64 * 1024 * 1024;
const FRAMES_LIMIT = 10 ** 9;
/** Half a millisecond: times were rounded to milliseconds. */
const ROUNDING = 0.0005;

const frame = z.int().min(1).max(FRAMES_LIMIT);
const resultSchema = z.object({
  type: z.string().max(100),
  value: z.object({
    ranges: z
      .array(z.object({ start: frame, end: frame }))
      .max(100_000)
      .optional(),
    timelinelabels: z.array(z.string().max(200)).max(100).optional(),
  }),
});
const taskSchema = z.object({
  data: z.record(z.string().max(200), z.unknown()),
  annotations: z
    .array(z.object({ result: z.array(resultSchema).max(100_000), was_cancelled: z.boolean().optional() }))
    .max(1000),
});
const tasksSchema = z.array(taskSchema).max(100_000);

/** Stretches of frames, from 1, both ends meant, as Label Studio writes them of a timeline. */
export interface FrameRange {
  readonly first: number;
  readonly last: number;
  readonly label: Label;
}
export interface LabelStudioTask {
  /** What `data` names as the video: a path or an address. */
  readonly video: string;
  readonly ranges: readonly FrameRange[];
}

/** Reads an export of tasks (JSON, not JSON-MIN). Throws `labels_invalid` naming the task, or `input_too_large`. */
export function parseLabelStudio(text: string, words: LabelWords = {}): LabelStudioTask[] {
  return parseJson(tasksSchema, text, LABEL_STUDIO_LIMIT, 'the tasks of Label Studio', 'labels_invalid').map(
    ({ data, annotations }, index) => {
      const task = `task ${index + 1}`;
      const standing = annotations.filter(({ was_cancelled }) => was_cancelled !== true);
      if (standing.length > 1) throw wrong(task, `it has ${standing.length} annotations: export one of them`);
      const results = standing
        .flatMap(({ result }) => result)
        .filter(({ type }) => type === 'timelinelabels');
      return {
        video: videoOf(data, task),
        ranges: results.flatMap(({ value }) => rangesOf(value, task, words)),
      };
    },
  );
}

function videoOf(data: Record<string, unknown>, task: string): string {
  const named =
    typeof data['video'] === 'string'
      ? data['video']
      : Object.values(data).find((value) => typeof value === 'string');
  if (typeof named === 'string' && named.length <= 4096) return named;
  throw wrong(task, 'data.video must name the recording');
}

function rangesOf(
  { ranges = [], timelinelabels = [] }: z.infer<typeof resultSchema>['value'],
  task: string,
  words: LabelWords,
): FrameRange[] {
  const [word = ''] = timelinelabels;
  const label = labelOf(word.toLowerCase(), words);
  if (label === null || timelinelabels.length !== 1)
    throw wrong(
      task,
      `each range must have one label, ad or content or a word of the label map: current value is ${JSON.stringify(timelinelabels.slice(0, 3))}`,
    );
  return ranges.map(({ start, end }) => {
    if (end < start)
      throw wrong(task, `a range must not end before its start: current value is ${start} to ${end}`);
    return { first: start, last: end, label };
  });
}

function labelOf(word: string, words: LabelWords): Label | null {
  if (word === 'ad' || word === 'content') return word;
  return Object.hasOwn(words, word) ? (words[word] ?? null) : null;
}

function wrong(task: string, why: string): AdbreakError {
  return new AdbreakError('labels_invalid', `Cannot read the labels of Label Studio: ${task}: ${why}`);
}

/** Frame n of a list of timestamps (from 1) begins at times[n - 1]; a stretch ends where the frame behind it begins. */
export function spansOfRanges(
  ranges: readonly FrameRange[],
  times: Float64Array,
  duration: number,
  task: string,
): Span[] {
  return ranges.map(({ first, last, label }) => {
    const start = times[first - 1];
    if (start === undefined || last > times.length)
      throw wrong(task, `frame ${last} is beyond the ${times.length} of the recording`);
    return { start, end: times[last] ?? Math.max(duration, start), label };
  });
}

/** A stretch as the frames that are on within it; null where there is none. */
export function rangeOfSpan({ start, end, label }: Span, times: Float64Array): FrameRange | null {
  const first = firstFrom(times, start - ROUNDING);
  const last = firstFrom(times, end - ROUNDING);
  return last > first ? { first: first + 1, last, label } : null;
}

/** Index of the first frame at or after a time. */
export function firstFrom(times: Float64Array, time: number): number {
  return firstIndex(times.length, (i) => (times[i] ?? 0) >= time);
}

/** Tasks as Label Studio imports them, one for each recording; `id`s are counted, so that the same labels give the same file. */
export function formatLabelStudio(tasks: readonly LabelStudioTask[]): string {
  const written = tasks.map(({ video, ranges }) => ({
    data: { video },
    annotations: [
      {
        result: ranges.map(({ first, last, label }, i) => ({
          id: `a${i + 1}`,
          type: 'timelinelabels',
          from_name: 'timelineLabels',
          to_name: 'video',
          value: { ranges: [{ start: first, end: last }], timelinelabels: [label] },
        })),
      },
    ],
  }));
  return `${JSON.stringify(written, null, 1)}\n`;
}
