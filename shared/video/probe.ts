import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { parseJson } from '../contract/parse.js';
import { AdbreakError, systemCode } from '../errors.js';
import { inputArguments } from './frames.js';

const run = promisify(execFile);
const LIMIT = 1 << 20;

/** A recording as its container tells it. */
export interface VideoFacts {
  /** Of the picture as it is to be shown, in pixels: of a picture with oblong pixels the width is the stretched one. */
  readonly width: number;
  readonly height: number;
  /** Seconds from the file's start; null where the container does not know. */
  readonly duration: number | null;
  /** Frames a second on average; null where it does not know. */
  readonly frameRate: number | null;
}

const ratio = z.string().max(40);
const answer = z.object({
  streams: z
    .array(
      z.object({
        codec_type: z.string().optional(),
        width: z.int().positive().optional(),
        height: z.int().positive().optional(),
        sample_aspect_ratio: ratio.optional(),
        avg_frame_rate: ratio.optional(),
      }),
    )
    .max(1000),
  format: z.object({ duration: z.string().max(40).optional() }),
});

/** Asks ffprobe. Throws `ffmpeg_missing`, or `video_unreadable` with its words, also where there is no picture. */
export async function probeVideo(source: string, signal?: AbortSignal): Promise<VideoFacts> {
  const options = ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', ...inputArguments(source)];
  const { stdout } = await run('ffprobe', options, {
    maxBuffer: LIMIT,
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw probeFailure(source, cause);
  });
  const { streams, format } = parseJson(answer, stdout, LIMIT, `what ffprobe says of ${source}`);
  const video = streams.find(({ codec_type }) => codec_type === 'video');
  if (video?.width === undefined || video.height === undefined)
    throw new AdbreakError('video_unreadable', `Cannot read the video ${source}: it has no picture`);
  const pixel = quotient(video.sample_aspect_ratio?.replace(':', '/')) ?? 1;
  return {
    width: Math.max(1, Math.round(video.width * pixel)),
    height: video.height,
    duration: positive(Number(format.duration)),
    frameRate: quotient(video.avg_frame_rate),
  };
}

function probeFailure(source: string, cause: unknown): AdbreakError {
  if (systemCode(cause) === 'ENOENT')
    return new AdbreakError('ffmpeg_missing', 'Cannot start ffprobe: it is not installed', { cause });
  const words = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
  return new AdbreakError(
    'video_unreadable',
    `Cannot read the video ${source}: ${words || 'ffprobe failed'}`,
    {
      cause,
    },
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
