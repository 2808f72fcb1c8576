import { readFile, rm } from 'node:fs/promises';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';
import type { FrameTimes } from './frame-times.js';
import { firstFrom } from './label-studio.js';

interface Shown {
  readonly path: string;
  /** The timestamp with which the file begins, seconds. */
  readonly start: number;
  /** Of the picture that is wanted, in pixels. */
  readonly width: number;
  readonly height: number;
}

/** Half a millisecond: a container's timestamps are rounded. */
const ROUNDING = 0.0005;
/** Seconds to enter the file before the key frame that is needed, until the frame comes. */
const LOOKS_BACK = [0, 2, 15, Number.POSITIVE_INFINITY] as const;

/**
 * The frame of one timestamp of the list, as a JPEG. The file is entered at its key frame, as pieces are. Throws as `runFfmpeg`
 * does, and `video_unreadable` where no frame has that timestamp.
 */
export async function pictureOf(
  shown: Shown,
  { keys }: FrameTimes,
  time: number,
  unfinished: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const key = keys[firstFrom(keys, time + ROUNDING) - 1] ?? 0;
  for (const back of LOOKS_BACK) {
    const enter = Math.max(0, key - back);
    const picture = await draw(shown, { time, enter }, unfinished, signal);
    if (picture.length > 0) return picture;
    if (enter === 0) break;
  }
  throw new AdbreakError(
    'video_unreadable',
    `Cannot show ${shown.path} at ${time.toFixed(3)} s: no frame is there`,
  );
}

async function draw(
  { path, start, width, height }: Shown,
  { time, enter }: { readonly time: number; readonly enter: number },
  unfinished: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const [from, to] = [time + start - ROUNDING, time + start + ROUNDING];
  const filters = [
    `trim=start=${from.toFixed(6)}:end=${to.toFixed(6)}`,
    `scale=${width}:${height}:flags=area`,
    'setsar=1',
  ];
  const args = [
    ...['-copyts', '-noaccurate_seek', ...(enter > 0 ? ['-ss', enter.toFixed(6)] : []), '-i', `file:${path}`],
    ...[
      '-map',
      '0:v:0',
      '-an',
      '-sn',
      '-dn',
      '-vf',
      filters.join(','),
      '-frames:v',
      '1',
      '-fps_mode',
      'passthrough',
    ],
    ...['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', '3', '-f', 'mjpeg', `file:${unfinished}`],
  ];
  try {
    await runFfmpeg({ args, output: unfinished }, signal);
    return await readFile(unfinished);
  } finally {
    await rm(unfinished, { force: true });
  }
}
