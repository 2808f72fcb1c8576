import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { startFailure, writeFailure } from '@adbreak/shared/video/frames.js';

export interface Encoding {
  /** Matroska. The file appears under its name only when it is whole. */
  readonly output: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Hertz of the sound, which is mono. */
  readonly sampleRate: number;
  /** ffmpeg's options for the picture's quality, and filters. */
  readonly video: readonly string[];
  /** A key frame at least each so many frames. */
  readonly keyEvery: number;
  /** ffmpeg's options for the sound's codec. */
  readonly audio: readonly string[];
  /** RGB24. */
  readonly pictures: AsyncIterable<Buffer>;
  /** Signed 16-bit samples. */
  readonly sounds: AsyncIterable<Buffer>;
}

/**
 * Encodes drawn pictures and made sound. Throws `ffmpeg_missing`, `disk_full`, or `video_unreadable` with ffmpeg's words,
 * and an AbortError when the signal ends it.
 */
export async function encode(encoding: Encoding, signal?: AbortSignal): Promise<void> {
  const unfinished = `${encoding.output}.part`;
  const encoder = spawn('ffmpeg', encoderArguments(unfinished, encoding), {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  });
  let words = '';
  encoder.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  const closed = once(encoder, 'close').catch(async (cause: unknown) => {
    await rm(unfinished, { force: true });
    signal?.throwIfAborted();
    throw startFailure(cause, 'ffmpeg');
  });
  const [video, , , audio] = encoder.stdio;
  if (!video || !audio || !('write' in audio))
    throw new AdbreakError('video_unreadable', 'Cannot render: ffmpeg gave no pipes');
  const feeds = Promise.all([
    pipeline(Readable.from(encoding.pictures, { objectMode: false, highWaterMark: 1 << 20 }), video),
    pipeline(Readable.from(encoding.sounds, { objectMode: false, highWaterMark: 1 << 17 }), audio),
  ]).catch((error: unknown) => explain(error));
  const [code] = await closed;
  const feedFailure = await feeds;
  if (code !== 0 || typeof feedFailure === 'string') {
    await rm(unfinished, { force: true });
    const ending = typeof feedFailure === 'string' ? feedFailure : `ffmpeg ended with ${code}`;
    throw writeFailure(encoding.output, words || ending);
  }
  await rename(unfinished, encoding.output);
}

function encoderArguments(output: string, encoding: Encoding): string[] {
  const { width, height, fps, sampleRate, video, keyEvery, audio } = encoding;
  return [
    '-hide_banner',
    '-loglevel',
    'error',
    '-y',
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps)],
    ...['-thread_queue_size', '64', '-i', 'pipe:0'],
    ...['-f', 's16le', '-ar', String(sampleRate), '-ac', '1', '-thread_queue_size', '64', '-i', 'pipe:3'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', ...video, '-pix_fmt', 'yuv420p'],
    ...['-g', String(keyEvery), '-threads', '1'],
    ...audio,
    ...['-f', 'matroska', `file:${output}`],
  ];
}
