import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import { z } from 'zod';
import { FPS, type Recording, TRUE_CLASSES } from './world/cue.js';

/** Seconds as the container counts them, from the file's start. */
const seconds = z.number().min(0);
const airingSchema = z.object({
  /** A file's name, without its folder. */
  recording: z.string(),
  start: seconds,
  end: seconds,
  /** The recording begins or ends within it. */
  isCut: z.boolean(),
});
export type TrueAiring = z.infer<typeof airingSchema>;
const itemSchema = z.object({
  /** One version of a family: another length, end card or voice-over is another version. */
  id: z.string(),
  family: z.string(),
  class: z.enum(TRUE_CLASSES),
  airings: z.array(airingSchema),
});
export type TrueItem = z.infer<typeof itemSchema>;

/** What was on in some recordings, and when: also what was on once. */
export const truthSchema = z.object({
  recordings: z.array(
    z.object({
      file: z.string(),
      channel: z.string(),
      duration: seconds,
      fps: z.number(),
      /** Stretches of advertisements, the black between them and the trailers among them included. */
      breaks: z.array(z.tuple([seconds, seconds])),
    }),
  ),
  items: z.array(itemSchema),
});
export type Truth = z.infer<typeof truthSchema>;

/** A recording as it lies on the disk: what was on in it, when that is shown now, and the times of its frames. */
export interface Filed {
  readonly file: string;
  readonly recording: Recording;
  /** Of the recording as it was rendered: its nth frame is the nth of the schedule. */
  readonly rendered: Frames;
  /** From seconds of the rendered recording to seconds of this one, but for where its container begins to count. */
  readonly clock: (seconds: number) => number;
  readonly frames: Frames;
}

export interface Frames {
  /** Of every frame, in order, seconds from the file's start. */
  readonly times: readonly number[];
  readonly fps: number;
}

/** The moment at which the frame that was at `at` is shown, or if that was lost, the next. */
export function shownAt(at: number, { times, fps }: Frames): number {
  const found = times.find((time) => time >= at - 0.499 / fps);
  return found ?? (times.at(-1) ?? 0) + 1 / fps;
}

/** When each frame of the schedule is shown in the file, seconds. */
function shownIn({ rendered, clock, frames }: Filed): (frame: number) => number {
  const stretched = rendered.times.map(clock);
  // Both begin with the same frame, wherever the container begins to count: before its sound, for example.
  const first = stretched.find((time) => time >= 0) ?? 0;
  const shift = (frames.times[0] ?? 0) - first;
  return (frame) => round(shownAt((stretched[frame] ?? Number.POSITIVE_INFINITY) + shift, frames));
}

export function truthOf(filed: readonly Filed[]): Truth {
  const items = new Map<string, TrueItem>();
  const recordings = filed.map((one) => {
    const { file, recording, frames } = one;
    const shown = shownIn(one);
    for (const { id, family, class: of, from, to, isCut } of recording.airings) {
      const item = items.get(id) ?? { id, family, class: of, airings: [] };
      item.airings.push({ recording: file, start: shown(from), end: shown(to), isCut });
      items.set(id, item);
    }
    return {
      file,
      channel: recording.channel.name,
      duration: round(shownAt(Number.POSITIVE_INFINITY, frames)),
      fps: frames.fps,
      breaks: recording.breaks.map(([from, to]): [number, number] => [shown(from), shown(to)]),
    };
  });
  return { recordings, items: [...items.values()].sort((a, b) => (a.id < b.id ? -1 : 1)) };
}

const run = promisify(execFile);
/** Of what ffprobe says about the pictures of hours. */
const LIMIT = 1 << 26;

/** Asks ffprobe for the timestamps of all pictures. Throws as `probeVideo` does. */
export async function frameTimes(path: string, signal?: AbortSignal): Promise<Frames> {
  const { start, frameRate } = await probeVideo(path, signal);
  const entries = ['-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
  const options = { maxBuffer: LIMIT, ...(signal && { signal }) };
  const { stdout } = await run('ffprobe', ['-v', 'error', ...entries, `file:${path}`], options);
  const stamps = stdout.split('\n').map((line) => Number.parseFloat(line));
  const times = stamps.filter(Number.isFinite).map((stamp) => Math.max(0, stamp - start));
  return { times: times.sort((a, b) => a - b), fps: frameRate ?? FPS };
}

const round = (value: number) => Math.round(value * 1e6) / 1e6;
