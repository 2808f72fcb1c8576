import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { parseJson } from '../contract/parse.js';
import { AdbreakError } from '../errors.js';
import { inputArguments, sourceKind, startFailure } from './frames.js';

/** A recording as its container tells it, before a frame was decoded. */
export interface VideoFacts {
  /**
   * Of the picture as it is to be shown, in pixels: of a picture with oblong pixels the width is the
   * stretched one.
   */
  readonly width: number;
  readonly height: number;
  /** Seconds from the file's start; null where it does not say: a stream, a damaged header. */
  readonly duration: number | null;
  /** Frames a second on average; null where it does not know. */
  readonly frameRate: number | null;
  /** The timestamp with which it begins, seconds; players count from there. */
  readonly start: number;
  /** It has a stream of sound in which there is any: a transport stream may name one that never comes. */
  readonly hasSound: boolean;
}

const run = promisify(execFile);
const PATIENCE_MS = 60_000;
/** A recording of many programmes has some hundred streams. */
const LIMIT = 1024 * 1024;
const ENTRIES = [
  'format=duration,start_time,format_name',
  'stream=codec_type,width,height,sample_aspect_ratio,avg_frame_rate,channels',
  'stream_disposition=attached_pic',
].join(':');

/** Formats of files that name others: a recording shows nothing but itself. */
const PLAYLISTS = /^(hls|dash|concat|concatf|imf)\b/;

/** What people record; of other streams alone nobody makes a file. */
const MEDIA = ['video', 'audio', 'subtitle'];

const seconds = z.string().max(40).transform(Number).pipe(z.number()).optional().catch(undefined);
const ratio = z.string().max(40);
const stream = z.object({
  codec_type: z.string().optional(),
  width: z.int().positive().optional().catch(undefined),
  height: z.int().positive().optional().catch(undefined),
  sample_aspect_ratio: ratio.optional(),
  avg_frame_rate: ratio.optional(),
  channels: z.int().optional().catch(undefined),
  disposition: z.object({ attached_pic: z.int().optional() }).optional(),
});
const answer = z.object({
  streams: z.array(stream).max(1000),
  format: z.object({ duration: seconds, start_time: seconds, format_name: z.string().max(200).optional() }),
});
type Answer = z.infer<typeof answer>;

/**
 * Asks ffprobe. Throws `ffmpeg_missing`; `video_unreadable` with its words, or where there is no picture:
 * the cover of a song is none.
 */
export async function probeVideo(source: string, signal?: AbortSignal): Promise<VideoFacts> {
  const { streams, format } = await ask(source, signal);
  if (sourceKind(source) === 'file' && PLAYLISTS.test(format.format_name ?? ''))
    throw new AdbreakError(
      'video_unreadable',
      `Cannot read the video ${source}: it is a list of other files`,
      {
        remedy: 'Give the recording itself: a list may lead anywhere.',
      },
    );
  const picture = streams.find(
    ({ codec_type, disposition }) => codec_type === 'video' && disposition?.attached_pic !== 1,
  );
  if (picture === undefined) throw withoutPicture(source, streams);
  if (picture.width === undefined || picture.height === undefined)
    throw new AdbreakError(
      'video_unreadable',
      `Cannot read the video ${source}: the size of its picture is not known, so it is damaged or cut off`,
    );
  const pixel = quotient(picture.sample_aspect_ratio?.replace(':', '/')) ?? 1;
  return {
    width: Math.max(1, Math.round(picture.width * pixel)),
    height: picture.height,
    duration: positive(format.duration ?? 0),
    frameRate: quotient(picture.avg_frame_rate),
    start: format.start_time ?? 0,
    hasSound: hasSoundIn(streams),
  };
}

async function ask(source: string, signal: AbortSignal | undefined): Promise<Answer> {
  const options = ['-v', 'error', '-show_entries', ENTRIES, '-of', 'json', ...inputArguments(source)];
  const { stdout } = await run('ffprobe', options, {
    timeout: PATIENCE_MS,
    maxBuffer: LIMIT,
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw unreadable(source, cause);
  });
  return parseJson(answer, stdout, LIMIT, `what ffprobe says of ${source}`, 'video_unreadable');
}

function hasSoundIn(streams: Answer['streams']): boolean {
  return streams.some(({ codec_type, channels = 1 }) => codec_type === 'audio' && channels > 0);
}

function withoutPicture(source: string, streams: Answer['streams']): AdbreakError {
  // Of an index that is cut off a stream may be left without what it holds: of no type, or mere data.
  if (!streams.some(({ codec_type = '' }) => MEDIA.includes(codec_type)))
    return new AdbreakError(
      'video_unreadable',
      `Cannot read the video ${source}: its container names no stream that is known, so it is damaged or cut off`,
    );
  return new AdbreakError(
    'video_unreadable',
    `Cannot look at ${source}: it has no picture${hasSoundIn(streams) ? ', only sound' : ''}`,
    { remedy: 'Give a recording with a picture: a model judges pictures alone.' },
  );
}

function unreadable(source: string, cause: unknown): AdbreakError {
  const error = startFailure(cause, 'ffprobe');
  if (error.code === 'ffmpeg_missing') return error;
  const words = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
  return new AdbreakError(
    'video_unreadable',
    `Cannot read the video ${source}: ${words.split('\n').slice(-3).join('; ') || 'ffprobe gave no answer'}`,
    // Its own words are the reason; Node's would repeat them behind the whole command.
    words === '' ? { cause } : {},
  );
}

/** `30000/1001`; null for `0/0`, which stands for not known. */
function quotient(text: string | undefined): number | null {
  const [above, below] = (text ?? '').split('/').map(Number);
  return positive((above ?? 0) / (below ?? 0));
}

function positive(value: number): number | null {
  return Number.isFinite(value) && value > 0 ? value : null;
}
