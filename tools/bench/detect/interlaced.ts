import { rename, rm } from 'node:fs/promises';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { type Told, timed } from '../train/command.js';

/** What one recording costs, seconds of the clock and of processor time on all cores. */
export interface Interlaced {
  /** Of the recording. */
  readonly seconds: number;
  readonly detect_s: number;
  readonly detect_cpu_s: number;
  /** `ffmpeg -i FILE -f null -`: decoding alone. */
  readonly decode_s: number;
  readonly decode_cpu_s: number;
  /** Seconds of the recording in one second of `adbreak detect`. */
  readonly realtime_factor: number;
  /** The share of the processor time of `adbreak detect` that decoding alone takes. */
  readonly decode_share: number;
}
export interface InterlacedRequest extends Told {
  /** A broadcast to blow up. */
  readonly source: string;
  /** Where the recording lies, NAME.ts; made where it is not there. */
  readonly output: string;
  readonly seconds: number;
  /** Runs `adbreak detect` on a file. */
  readonly detect: (path: string) => readonly string[];
}

/** 50 fields in 25 pictures a second, H.264, MPEG-TS: as satellites and cable carry it. */
const FILTER =
  'scale=1920:1080:flags=bilinear,noise=alls=4:allf=t:all_seed=1,fps=50,tinterlace=interleave_top';
const ENCODER = ['-c:v', 'libx264', '-preset', 'veryfast', '-flags', '+ildct+ilme', '-x264-params', 'tff=1'];
const RATE = ['-b:v', '10M', '-maxrate', '14M', '-bufsize', '10M', '-g', '50', '-pix_fmt', 'yuv420p'];

/** `adbreak detect` on an interlaced recording of 1080 lines, beside ffmpeg's decoder alone. */
export async function measureInterlaced(request: InterlacedRequest): Promise<Interlaced> {
  const { output, seconds, detect } = request;
  await render(request);
  const decoded = await timed(['ffmpeg', ...QUIET, '-i', `file:${output}`, '-f', 'null', '-'], request);
  const detected = await timed(detect(output), { ...request, say: () => undefined });
  return {
    seconds,
    detect_s: detected.seconds,
    detect_cpu_s: detected.cpuSeconds,
    decode_s: decoded.seconds,
    decode_cpu_s: decoded.cpuSeconds,
    realtime_factor: seconds / detected.seconds,
    decode_share: decoded.cpuSeconds / detected.cpuSeconds,
  };
}

const QUIET = ['-hide_banner', '-nostdin', '-loglevel', 'error'];

/** Made once, and under its name only when it is whole. */
async function render(request: InterlacedRequest): Promise<void> {
  const { source, output, seconds, say } = request;
  if (await exists(output)) return;
  say(`making ${seconds} s of 1080i`);
  const unfinished = `${output}.part`;
  const input = ['-stream_loop', '-1', '-i', `file:${source}`, '-t', String(seconds)];
  const video = ['-map', '0:v:0', '-map', '0:a:0', '-vf', FILTER, ...ENCODER, ...RATE];
  const sound = ['-c:a', 'mp2', '-b:a', '192k', '-ar', '48000'];
  try {
    await timed(
      ['ffmpeg', ...QUIET, '-y', ...input, ...video, ...sound, '-f', 'mpegts', `file:${unfinished}`],
      request,
    );
    await rename(unfinished, output);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
