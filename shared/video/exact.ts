import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError, hasCode } from '../errors.js';
import { inputArguments, type Preprocess, rawFrames } from './frames.js';

/** A frame at its own timestamp: seconds of media time, from the file's start as players count it. */
export interface TimedFrame {
  readonly time: number;
  /** RGB24, width * height * 3 bytes. */
  readonly pixels: Uint8Array;
}
interface StampedFrame extends TimedFrame {
  /** It needs no other frame to be decoded. */
  readonly isKey: boolean;
}
export interface TimedRequest {
  /** A file. */
  readonly source: string;
  readonly preprocess: Preprocess;
}

/** A person's number, or one that was rounded to milliseconds, still means the frame it was taken from. */
const ROUNDING = 0.0005;
/** ffmpeg logs a frame before it gives it away; the two come through pipes of their own. */
const STAMP_PATIENCE_MS = 5000;
/** Seconds to look back from the moment asked for, until a frame is found that can be decoded by itself. */
const LOOKS_BACK = [0.5, 15, 120, Number.POSITIVE_INFINITY] as const;

/**
 * At most `fps` frames a second of media time, each with its own timestamp: the first of every 1/fps s. With a variable frame
 * rate there are fewer where the recording has fewer. Ends and throws as `frames` does.
 */
export async function* timedFrames(
  { source, preprocess }: TimedRequest,
  fps: number,
  signal?: AbortSignal,
): AsyncGenerator<TimedFrame> {
  const slot = (t: string) => `floor((${t}+0.000001)*${fps})`;
  const select = `select='isnan(prev_selected_t)+gt(${slot('t')},${slot('prev_selected_t')})'`;
  yield* stamped(source, preprocess, [select], 0, signal);
}

/**
 * The frame that is on at a moment: the last whose own timestamp is not after it. Before the first frame that is the first,
 * after the end the last. Right for variable frame rates, B-frames, a container that starts late, and streams that can be
 * entered anywhere. Throws as `frames` does.
 */
export async function frameAt(
  { source, preprocess }: TimedRequest,
  time: number,
  signal?: AbortSignal,
): Promise<TimedFrame> {
  for (const back of LOOKS_BACK) {
    const from = Math.max(0, time - back);
    const found = await lastUntil(stamped(source, preprocess, [], from, signal), time, from === 0);
    signal?.throwIfAborted();
    if (found !== null) return found;
  }
  throw new AdbreakError('video_unreadable', `Cannot read the video ${source}: it has no frame`);
}

/**
 * The last frame not after `time`. A transport stream is entered in the middle of a group of pictures: what comes before
 * its first key frame is not whole and does not count, but from the very start.
 */
async function lastUntil(
  frames: AsyncGenerator<StampedFrame>,
  time: number,
  fromStart: boolean,
): Promise<TimedFrame | null> {
  let found: StampedFrame | null = null;
  let whole = fromStart;
  try {
    for await (const frame of frames) {
      whole ||= frame.isKey;
      const isAfter = frame.time > time + ROUNDING;
      if (isAfter && (found !== null || !fromStart)) break;
      if (whole) found = frame;
      if (isAfter) break;
    }
  } catch (error) {
    // Entered after its last frame, a file has none: the next look goes further back.
    if (fromStart || !hasCode(error, 'video_unreadable')) throw error;
  }
  return found;
}

async function* stamped(
  source: string,
  { width, height, scaler }: Preprocess,
  filters: readonly string[],
  from: number,
  signal?: AbortSignal,
): AsyncGenerator<StampedFrame> {
  const stamps = new Stamps();
  const options = [
    '-hide_banner',
    // showinfo speaks at level info. Every line is wanted, so that the nth is the nth frame's.
    '-loglevel',
    'repeat+level+info',
    '-nostats',
    '-nostdin',
    // Timestamps stay those of the file, counted from its start, wherever it is entered.
    '-copyts',
    '-start_at_zero',
    ...(from > 0 ? ['-noaccurate_seek', '-ss', from.toFixed(6)] : []),
    ...inputArguments(source),
    '-map',
    '0:v:0',
    '-an',
    '-sn',
    '-dn',
    '-vf',
    [...filters, `scale=${width}:${height}:flags=${scaler}+accurate_rnd`, 'showinfo=checksum=0'].join(','),
    '-fps_mode',
    'passthrough',
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    'pipe:1',
  ];
  const isFault = (line: string) => {
    stamps.hear(line);
    return /\[(error|fatal)\]/.test(line);
  };
  for await (const pixels of rawFrames({ source, options, bytes: width * height * 3, isFault }, signal)) {
    const stamp = await stamps.next(source);
    // One without a timestamp cannot be found again, and no label is known to be its own.
    if (Number.isFinite(stamp.time)) yield { ...stamp, pixels };
  }
}

/** What the filter showinfo says of the frames, one after the other. */
class Stamps {
  readonly #heard: { time: number; isKey: boolean }[] = [];
  #wake = () => {};

  hear(line: string): void {
    const [, time, isKey] = /\bn:\s*\d+ pts:\s*\S+\s+pts_time:\s*(\S+).*\biskey:(\d)/.exec(line) ?? [];
    if (time === undefined) return;
    this.#heard.push({ time: Number(time), isKey: isKey === '1' });
    this.#wake();
  }

  async next(source: string): Promise<{ time: number; isKey: boolean }> {
    return this.#heard.shift() ?? (await this.#await(source));
  }

  async #await(source: string): Promise<{ time: number; isKey: boolean }> {
    const enough = new AbortController();
    const patience = sleep(STAMP_PATIENCE_MS, 'late' as const, { signal: enough.signal }).catch(
      () => 'late' as const,
    );
    const heard = new Promise<'heard'>((resolve) => {
      this.#wake = () => resolve('heard');
    });
    await Promise.race([heard, patience]);
    enough.abort();
    const stamp = this.#heard.shift();
    if (stamp !== undefined) return stamp;
    throw new AdbreakError(
      'video_unreadable',
      `Cannot read the video ${source}: ffmpeg gave a frame without a timestamp`,
    );
  }
}
