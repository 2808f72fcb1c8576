import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError, hasCode } from '../errors.js';
import { inputArguments, type Preprocess, rawFrames } from './frames.js';
import { probeVideo } from './probe.js';

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
  /** The timestamp with which the file begins, seconds, for who has asked `probeVideo` already. */
  readonly start?: number;
}

/** A person's number, or one that was rounded to milliseconds, still means the frame it was taken from. */
const ROUNDING = 0.0005;
/** How each line of the filter showinfo begins. */
const SHOWINFO = /^\[Parsed_showinfo_\d+ @ [^\]]*\]/;
/** ffmpeg logs a frame before it gives it away; the two come through pipes of their own. */
const STAMP_PATIENCE_MS = 5000;
/** Seconds to look back from the moment asked for, until a frame is found that can be decoded by itself. */
const LOOKS_BACK = [0.5, 15, 120, Number.POSITIVE_INFINITY] as const;

/**
 * At most `fps` frames a second of media time, each with its own timestamp: the first of every 1/fps s. With a variable frame
 * rate there are fewer where the recording has fewer. Ends and throws as `frames` does.
 */
export async function* timedFrames(
  { source, preprocess, start: known }: TimedRequest,
  fps: number,
  signal?: AbortSignal,
): AsyncGenerator<TimedFrame> {
  const start = known ?? (await startOf(source, signal));
  if (start === null) return;
  const slot = (t: string) => `floor((${t}-(${start})+0.000001)*${fps})`;
  const select = `select='isnan(prev_selected_t)+gt(${slot('t')},${slot('prev_selected_t')})'`;
  yield* stamped({ source, preprocess, start, filters: [select] }, signal);
}

/**
 * The frame that is on at a moment: the last whose own timestamp is not after it. Before the first frame that is the first,
 * after the end the last. Right for variable frame rates, B-frames, a container that starts late, and streams that can be
 * entered anywhere. Throws as `frames` does.
 */
export async function frameAt(
  { source, preprocess, start: known }: TimedRequest,
  time: number,
  signal?: AbortSignal,
): Promise<TimedFrame> {
  const start = known ?? (await startOf(source, signal)) ?? 0;
  signal?.throwIfAborted();
  for (const back of LOOKS_BACK) {
    const from = Math.max(0, time - back);
    const found = await lastUntil(stamped({ source, preprocess, start, from }, signal), time, from === 0);
    signal?.throwIfAborted();
    if (found !== null) return found;
  }
  throw new AdbreakError('video_unreadable', `Cannot read the video ${source}: it has no frame`);
}

/**
 * The timestamp with which the file begins, whichever of its streams does; null where the signal came. ffmpeg's own
 * `-start_at_zero` counts in a transport stream from the streams in use: from the picture, where sound comes first.
 */
async function startOf(source: string, signal?: AbortSignal): Promise<number | null> {
  try {
    return (await probeVideo(source, signal)).start;
  } catch (error) {
    if (signal?.aborted) return null;
    throw error;
  }
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

interface StampedRequest extends TimedRequest {
  /** The timestamp with which the file begins, seconds. */
  readonly start: number;
  /** Where to enter the file, seconds from its start. */
  readonly from?: number;
  readonly filters?: readonly string[];
  /** One byte a pixel in place of three. */
  readonly isGrey?: boolean;
  readonly sound?: SoundRequest;
  readonly name?: string;
  readonly nice?: number;
}

/** Mono samples beside the pictures, 32-bit floats of this machine from -1 to 1; the first is at the file's start. */
interface SoundRequest {
  /** Samples a second. */
  readonly rate: number;
  readonly hear: (samples: Float32Array) => void;
}

interface GreyRequest extends Required<TimedRequest> {
  readonly sound?: SoundRequest;
  /** What an error names; the source without it. */
  readonly name?: string;
  readonly nice?: number;
}

/**
 * Every frame of a recording as grey levels of one byte, each with its own timestamp, and its sound beside, from the same
 * ffmpeg. Gaps in the sound are silence; where its clock jumps it ends. Without `sound` pictures alone. Throws as `frames`
 * does.
 */
export function greyFrames(request: GreyRequest, signal?: AbortSignal): AsyncGenerator<TimedFrame> {
  return stamped({ ...request, isGrey: true }, signal);
}

/** Samples come in pieces that end anywhere. */
function samplesTo(hear: (samples: Float32Array) => void): (chunk: Uint8Array) => void {
  let left = new Uint8Array(0);
  return (chunk) => {
    const whole = Buffer.concat([left, chunk]);
    const count = Math.floor(whole.length / 4);
    const samples = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const sample = whole.readFloatLE(4 * i);
      // Damaged sound may be anything: what is no number is silence.
      samples[i] = Number.isFinite(sample) ? sample : 0;
    }
    left = Uint8Array.from(whole.subarray(4 * count));
    hear(samples);
  };
}

/** How many seconds the sound's clock may be off before it is mended at once: less is stretched. */
const SOUND_JUMP = 0.1;
/** A longer gap in it, seconds, is a clock that was set: filled with silence it would be a day, and gigabytes of it. */
const SOUND_GAP = 600;

function soundArguments({ rate }: SoundRequest, start: number): string[] {
  const until = `aselect='isnan(prev_selected_t)+lt(abs(t-prev_selected_t),${SOUND_GAP})'`;
  const clock = `asetpts=PTS-(${start})/TB,aresample=${rate}:async=1:min_hard_comp=${SOUND_JUMP}:first_pts=0`;
  return [
    '-map',
    '0:a:0',
    '-vn',
    '-sn',
    '-dn',
    '-af',
    `${until},${clock}`,
    '-ac',
    '1',
    '-f',
    'f32le',
    'pipe:3',
  ];
}

async function* stamped(
  {
    source,
    preprocess: { width, height, scaler },
    start,
    from = 0,
    filters = [],
    isGrey = false,
    sound,
    name = source,
    nice,
  }: StampedRequest,
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
    // Timestamps stay those of the file, wherever it is entered.
    '-copyts',
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
    isGrey ? 'gray' : 'rgb24',
    'pipe:1',
    ...(sound === undefined ? [] : soundArguments(sound, start)),
  ];
  const isFault = (line: string) => {
    stamps.hear(line);
    return /\[(error|fatal)\]/.test(line);
  };
  const bytes = width * height * (isGrey ? 1 : 3);
  const raw = {
    ...{ source: name, options, bytes, isFault },
    ...(sound && { beside: samplesTo(sound.hear) }),
    ...(nice !== undefined && { nice }),
  };
  for await (const pixels of rawFrames(raw, signal)) {
    const stamp = await stamps.next(name);
    // One without a timestamp cannot be found again, and no label is known to be its own.
    if (Number.isFinite(stamp.time)) yield { ...stamp, time: Math.max(0, stamp.time - start), pixels };
  }
}

/**
 * What the filter showinfo says of the frames, one after the other: ticks of its time base. Its seconds have six digits
 * in all, after three hours a tenth of a second.
 */
class Stamps {
  readonly #heard: { time: number; isKey: boolean }[] = [];
  #tick = Number.NaN;
  #wake = () => {};

  hear(line: string): void {
    // A recording's title may read like the filter's lines.
    if (!SHOWINFO.test(line)) return;
    const [, above, below] = /\bconfig in time_base: (\d+)\/(\d+)/.exec(line) ?? [];
    if (below !== undefined) this.#tick = Number(above) / Number(below);
    const [, ticks, isKey] = /\bn:\s*\d+ pts:\s*(\S+)\s+pts_time:.*\biskey:(\d)/.exec(line) ?? [];
    if (ticks === undefined) return;
    this.#heard.push({ time: Number(ticks) * this.#tick, isKey: isKey === '1' });
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
