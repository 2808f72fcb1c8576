import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sourceKind, startFailure } from '@adbreak/shared/video/frames.js';
import { z } from 'zod';

/** What a recording's container says before a frame was decoded. */
export interface RecordingFacts {
  /** Seconds; null where it does not say: a stream, a damaged header. */
  readonly duration: number | null;
  /** The time stamp with which it begins, seconds; players count from there. */
  readonly start: number;
  /** When the picture begins, seconds after the recording does. */
  readonly pictureDelay: number;
}

const run = promisify(execFile);
const PROBE_MS = 60_000;
/** A recording of many programmes has some hundred streams. */
const ANSWER_LIMIT = 1024 * 1024;

const seconds = z.string().max(40).transform(Number).pipe(z.number()).optional().catch(undefined);
const streamSchema = z.object({
  codec_type: z.string().optional(),
  start_time: seconds,
  disposition: z.object({ attached_pic: z.int().optional() }).optional(),
});
const probeSchema = z.object({
  streams: z.array(streamSchema),
  format: z.object({ duration: seconds, start_time: seconds }),
});

/**
 * Asks ffprobe. Throws `ffmpeg_missing`; `video_unreadable` with its words, or where the recording has no
 * picture: the cover of a song is none.
 */
export async function probeRecording(source: string, signal: AbortSignal): Promise<RecordingFacts> {
  const { streams, format } = await probe(source, signal);
  const picture = streams.find(
    ({ codec_type, disposition }) => codec_type === 'video' && disposition?.attached_pic !== 1,
  );
  if (picture === undefined) throw withoutPicture(source, streams);
  const start = format.start_time ?? 0;
  return {
    duration: format.duration ?? null,
    start,
    pictureDelay: Math.max(0, (picture.start_time ?? start) - start),
  };
}

async function probe(source: string, signal: AbortSignal): Promise<z.infer<typeof probeSchema>> {
  const entries = 'format=duration,start_time:stream=codec_type,start_time:stream_disposition=attached_pic';
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-show_entries', entries, '-of', 'json', '-i', inputName(source)],
    { signal, timeout: PROBE_MS, maxBuffer: ANSWER_LIMIT, killSignal: 'SIGKILL' },
  ).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw unreadable(source, cause);
  });
  return parseJson(probeSchema, stdout, ANSWER_LIMIT, `what ffprobe says of ${source}`, 'video_unreadable');
}

/** The times of a file's key frames, seconds after its beginning, in order; found without decoding. */
export async function keyframesOf(
  path: string,
  { start }: RecordingFacts,
  signal: AbortSignal,
): Promise<number[]> {
  const child = spawn(
    'ffprobe',
    [
      ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags'],
      ...['-of', 'csv=p=0', '-i', inputName(path)],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' },
  );
  const closed = once(child, 'close').catch((cause: unknown) => {
    signal.throwIfAborted();
    throw startFailure(cause, 'ffprobe');
  });
  const times: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [time, flags] = line.split(',');
    if (flags?.includes('K') && Number.isFinite(Number(time))) times.push(Number(time) - start);
  }
  await closed;
  return times.sort((a, b) => a - b);
}

/**
 * As ffmpeg takes it: a path that begins with a dash or holds a colon must not become an option or a
 * protocol.
 */
export function inputName(source: string): string {
  return sourceKind(source) === 'file' ? `file:${source}` : source;
}

function withoutPicture(
  source: string,
  streams: readonly { codec_type?: string | undefined }[],
): AdbreakError {
  // Of an index that is cut off a stream may be left, without what it holds.
  if (streams.every(({ codec_type }) => codec_type === undefined))
    return new AdbreakError(
      'video_unreadable',
      `Cannot read the video ${source}: its container names no stream that is known, so it is damaged or cut off`,
    );
  const sound = streams.some(({ codec_type }) => codec_type === 'audio');
  return new AdbreakError(
    'video_unreadable',
    `Cannot look at ${source}: it has no picture${sound ? ', only sound' : ''}`,
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
    { cause },
  );
}
