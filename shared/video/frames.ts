import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AdbreakError, systemCode } from '../errors.js';
import { parentBinding } from './parent-binding.js';

/**
 * How pixels reach the model. Training and the Pi use this one function, so that the resize is the same operation
 * (pinned in the manifest; docs/decisions/006-one-resize.md).
 */
export interface Preprocess {
  readonly width: number;
  readonly height: number;
  /** ffmpeg's scaler flag. */
  readonly scaler: 'area' | 'bilinear' | 'bicubic';
}
/**
 * What a V4L2 device (an HDMI grabber, a camera) is asked for. It must offer the format, or ffmpeg refuses with a list;
 * of size and rate the driver gives the nearest that it has.
 */
export interface DeviceMode {
  /** A pixel format or codec by ffmpeg's name; auto: the first that ffmpeg and the driver agree on. */
  readonly format: string;
  /** WIDTHxHEIGHT. */
  readonly size: string;
  readonly framerate: number;
}
/** What USB grabbers offer over USB 2: raw pictures of this size would not fit through it. */
export const DEFAULT_MODE = {
  format: 'mjpeg',
  size: '1280x720',
  framerate: 30,
} as const satisfies DeviceMode;

export interface FrameRequest {
  /** A file, a URL, or a V4L2 device: /dev/videoN, /dev/v4l/by-id/…. */
  readonly source: string;
  /** For a V4L2 device; DEFAULT_MODE without it. */
  readonly mode?: DeviceMode;
  readonly preprocess: Preprocess;
  /** Frames a second of media time. */
  readonly fps: number;
  /** Read at the speed of the clock, as a live source does; else as fast as frames are taken. */
  readonly realtime?: boolean;
  readonly ffmpeg?: string;
}
/** One RGB24 frame, width * height * 3 bytes, at `time` seconds of media time after the first one. */
export interface Frame {
  readonly index: number;
  readonly time: number;
  readonly pixels: Uint8Array;
}

/** Lines of ffmpeg's stderr kept to say why it ended. */
const STDERR_LINES = 100;
/** What setpriv ends with where the program that it shall become is not there. */
export const NOT_FOUND = 127;

export function sourceKind(source: string): 'device' | 'url' | 'file' {
  if (/^\/dev\/(video\d|v4l\/)/.test(source)) return 'device';
  return /^[a-z]+:\/\//.test(source) ? 'url' : 'file';
}

/** How ffmpeg opens a source: told, never guessed. */
export function inputArguments(
  source: string,
  { format, size, framerate }: DeviceMode = DEFAULT_MODE,
): string[] {
  switch (sourceKind(source)) {
    case 'device':
      return [
        '-f',
        'v4l2',
        ...(format === 'auto' ? [] : ['-input_format', format]),
        '-video_size',
        size,
        '-framerate',
        String(framerate),
        '-i',
        source,
      ];
    case 'url':
      return ['-i', source];
    case 'file':
      // A path that begins with a dash or holds a colon must not become an option or a protocol.
      return ['-i', `file:${source}`];
  }
}

/** ffmpeg's arguments for raw RGB24 frames on stdout. */
export function frameArguments({
  source,
  mode = DEFAULT_MODE,
  preprocess,
  fps,
  realtime,
}: FrameRequest): string[] {
  const { width, height, scaler } = preprocess;
  return [
    '-hide_banner',
    '-loglevel',
    'error',
    '-nostdin',
    ...(realtime ? ['-re'] : []),
    ...inputArguments(source, mode),
    '-map',
    '0:v:0',
    '-an',
    '-sn',
    '-dn',
    '-threads',
    '1',
    '-vf',
    // Counted from the first picture, wherever that begins: the nth frame is n periods after it.
    `setpts=PTS-STARTPTS,fps=${fps},scale=${width}:${height}:flags=${scaler}+accurate_rnd`,
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    'pipe:1',
  ];
}

/**
 * Frames of anything ffmpeg reads, in order. Stopping the iteration or the signal ends ffmpeg; so does the end of
 * this process, where `parentBinding` can. Throws `ffmpeg_missing`, or `video_unreadable` with ffmpeg's own words when it
 * fails or gives no frame.
 */
export async function* frames(request: FrameRequest, signal?: AbortSignal): AsyncGenerator<Frame> {
  const { source, preprocess, fps, ffmpeg } = request;
  const bytes = preprocess.width * preprocess.height * 3;
  const raw = { source, options: frameArguments(request), bytes, ...(ffmpeg && { ffmpeg }) };
  let index = 0;
  for await (const pixels of rawFrames(raw, signal)) {
    yield { index, time: index / fps, pixels };
    index += 1;
  }
}

/** ffmpeg, told to write raw pictures of one size to its standard output. */
export interface RawRequest {
  /** What an error names. */
  readonly source: string;
  readonly options: readonly string[];
  /** Of one picture. */
  readonly bytes: number;
  /** Fed to its standard input; what this throws, the pictures' reader gets. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Hears each line of its standard error, and says whether it is one that tells why ffmpeg ended. */
  readonly isFault?: (line: string) => boolean;
  /** Hears what ffmpeg writes to pipe:3 beside, as it comes. */
  readonly beside?: (chunk: Uint8Array) => void;
  /** As nice(1) counts: above 0, whoever else works comes first. */
  readonly nice?: number;
  readonly ffmpeg?: string;
}

/** Raw pictures as ffmpeg gives them, each an array of its own. Ends and throws as `frames` does. */
export async function* rawFrames(request: RawRequest, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const { source, bytes, input, beside, nice } = request;
  const ffmpeg = request.ffmpeg ?? 'ffmpeg';
  const binding = await parentBinding();
  if (signal?.aborted) return;
  const [program = ffmpeg, ...rest] = [...binding, ffmpeg, ...request.options];
  const child = spawn(program, rest, {
    stdio: ['pipe', 'pipe', 'pipe', ...(beside ? ['pipe' as const] : [])],
  });
  if (beside) child.stdio[3]?.on('data', beside);
  if (nice !== undefined && child.pid !== undefined) setPriority(child.pid, nice);
  const stop = () => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  const words = lastLines(child, request.isFault);
  const fed = feed(child, input);
  const failure = once(child, 'close').then(
    ([code, ending]) => {
      if (code === 0) return null;
      if (code === NOT_FOUND && binding.length > 0) return missing(ffmpeg);
      // Ended from outside (out of memory, a person's kill): what came is not the whole. What we end ourselves is not asked.
      return new AdbreakError(
        'video_unreadable',
        `Cannot read the video ${source}: ${words() || `ffmpeg ended with ${code ?? ending}`}`,
      );
    },
    (cause: unknown) => startFailure(cause, ffmpeg),
  );
  let count = 0;
  let finished = false;
  try {
    for await (const picture of pieces(child.stdout, bytes)) {
      yield picture;
      count += 1;
    }
    finished = true;
  } finally {
    signal?.removeEventListener('abort', stop);
    if (!finished) stop();
  }
  const error = await failure;
  if (signal?.aborted) return;
  const starved = await fed;
  if (starved !== null) throw starved;
  // A damaged tail still gave frames: they count, and the damage is the caller's to hear of.
  if (error !== null) throw error;
  if (count === 0)
    throw new AdbreakError(
      'video_unreadable',
      `Cannot read the video ${source}: it has no frame${words() && `: ${words()}`}`,
    );
}

/** A pipe hands over pieces of its own size: a picture is filled and given away whole. */
async function* pieces(stream: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let pixels = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(size - filled, chunk.length - at);
      pixels.set(chunk.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled < size) continue;
      yield pixels;
      pixels = new Uint8Array(size);
      filled = 0;
    }
  }
}

/** Gives what the input itself threw; a reader that went away is no fault of the input. */
async function feed(child: ChildProcess, input?: AsyncIterable<Uint8Array>): Promise<unknown> {
  const { stdin } = child;
  if (stdin === null) return null;
  if (input === undefined) {
    stdin.on('error', () => undefined).end();
    return null;
  }
  let thrown: unknown = null;
  const watched = async function* () {
    try {
      yield* input;
    } catch (error) {
      thrown = error;
    }
  };
  await pipeline(Readable.from(watched(), { objectMode: false }), stdin).catch(() => undefined);
  return thrown;
}

function lastLines(child: ChildProcess, isFault = (_line: string) => true): () => string {
  const lines: string[] = [];
  let begun = '';
  const hear = (line: string) => {
    if (line.trim() === '' || !isFault(line)) return;
    lines.push(line);
    lines.splice(0, lines.length - STDERR_LINES);
  };
  child.stderr
    ?.setEncoding('utf8')
    .on('data', (text: string) => {
      const whole = (begun + text).split('\n');
      begun = whole.pop() ?? '';
      whole.forEach(hear);
    })
    .on('end', () => hear(begun));
  return () => lines.slice(-3).join('; ');
}

export function startFailure(cause: unknown, program: string): AdbreakError {
  if (systemCode(cause) === 'ENOENT') return missing(program, cause);
  return new AdbreakError('video_unreadable', `Cannot start ${program}`, { cause });
}

/** Why ffmpeg did not write a file, by its last words. */
export function writeFailure(output: string, words: string): AdbreakError {
  if (/No space left on device/.test(words))
    return new AdbreakError('disk_full', `Cannot write ${output}: no space left on its volume`);
  const last = words.trim().split('\n').slice(-3).join('; ');
  return new AdbreakError('video_unreadable', `Cannot write ${output}: ${last}`);
}

export function missing(program: string, cause?: unknown): AdbreakError {
  return new AdbreakError('ffmpeg_missing', `Cannot start ${program}: it is not installed`, { cause });
}
