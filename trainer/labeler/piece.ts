import { readFile, rm } from 'node:fs/promises';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';
import type { FrameTimes } from './frame-times.js';
import { firstFrom } from './label-studio.js';
import { setTimes, splitInit } from './mp4-boxes.js';

/** What is played of a recording, whatever it is itself: any browser decodes it. */
export interface Source {
  readonly path: string;
  /** As it is to be shown. */
  readonly width: number;
  readonly height: number;
  /** The timestamp with which the file begins, seconds. */
  readonly start: number;
  readonly hasSound: boolean;
}
export interface Piece {
  readonly init: Uint8Array;
  readonly media: Uint8Array;
}

/** Constrained baseline, level 3.1 (RFC 6381; ISO/IEC 14496-15), and AAC-LC. */
const VIDEO_CODEC = 'avc1.42c01f';
const AUDIO_CODEC = 'mp4a.40.2';
const MOST_LINES = 480;
const MOST_COLUMNS = 854;
/** Ticks a second of the picture's timestamps. */
const TICKS = 90_000;
const RATE = 48_000;
/** Samples of a frame of AAC. */
const AAC_FRAME = 1024;
/** Frames of AAC before the piece's own: the encoder begins from nothing, which is not to be heard. */
const RUN_UP = 3;
/** Frames between those that can be decoded by themselves: a step back costs no more. */
const GROUP = 12;
/** Half a millisecond: a container's timestamps are rounded. */
const ROUNDING = 0.0005;
/** Seconds by which a file is entered before the place that was asked for: a long group of pictures. */
const MOST_BEFORE = 60;
/** Seconds to enter the file before the key frame that is needed, until all frames come. */
const LOOKS_BACK = [0, 2, 15, Number.POSITIVE_INFINITY] as const;

export function codecsOf({ hasSound }: Source): string {
  return `video/mp4; codecs="${VIDEO_CODEC}${hasSound ? `, ${AUDIO_CODEC}` : ''}"`;
}

/**
 * The frames from `from` on and before `to` (seconds), each at its own time, with the sound of that while. That none is
 * missing is seen to: a file that was entered too late is entered earlier. Throws as `runFfmpeg` does.
 */
export async function makePiece(
  source: Source,
  { times, keys }: FrameTimes,
  [from, to]: readonly [number, number],
  unfinished: string,
  signal?: AbortSignal,
): Promise<Piece> {
  const own = times.subarray(firstFrom(times, from - ROUNDING), firstFrom(times, to - ROUNDING));
  const key = keys[firstFrom(keys, from + ROUNDING) - 1] ?? 0;
  const last = { count: own.length, ticks: Math.round((to - (own.at(-1) ?? from)) * TICKS) };
  let before = -1;
  for (const back of LOOKS_BACK) {
    const enter = Math.max(0, key - back);
    const { piece, count } = await encode(source, { from, to, enter, last }, unfinished, signal);
    // The same again from further back: the list promised frames that nothing gives.
    if (count >= own.length || count === before || enter === 0) return piece;
    before = count;
  }
  throw new Error('the last look back is from the start');
}

interface Cut {
  readonly from: number;
  readonly to: number;
  /** Where to enter the file. */
  readonly enter: number;
  /** How many frames there are, and how long the last is on, in ticks: no gap stands before the next piece. */
  readonly last: { readonly count: number; readonly ticks: number };
}

async function encode(source: Source, cut: Cut, unfinished: string, signal?: AbortSignal) {
  try {
    await runFfmpeg({ args: argumentsFor(source, cut, unfinished), output: unfinished }, signal);
    const { init, media } = splitInit(await readFile(unfinished));
    const sound = { start: (firstAudioFrame(cut.from) + RUN_UP) * AAC_FRAME, firstLasts: AAC_FRAME };
    const count = setTimes(media, [{ start: Math.round(cut.from * TICKS) }, sound]);
    return { piece: { init, media }, count };
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Counted in frames of AAC from the recording's start: pieces lie on one grid, so that none overlaps the next. */
function firstAudioFrame(time: number): number {
  return Math.max(0, Math.ceil((time * RATE) / AAC_FRAME)) - RUN_UP;
}

function argumentsFor(source: Source, cut: Cut, output: string): string[] {
  const { path, start, hasSound } = source;
  return [
    ...['-copyts', '-noaccurate_seek', ...(cut.enter > 0 ? ['-ss', cut.enter.toFixed(6)] : [])],
    // Counted from the first frame that comes, which may be before `enter`. The filters end it; this does where sound has ended.
    ...[
      '-t',
      (cut.to - cut.enter + MOST_BEFORE).toFixed(6),
      '-i',
      `file:${path}`,
      '-map',
      '0:v:0',
      '-sn',
      '-dn',
    ],
    ...pictureArguments(source, cut),
    ...(hasSound ? ['-map', '0:a:0', ...soundArguments(start, cut)] : []),
    ...['-map_metadata', '-1', '-map_chapters', '-1', '-movflags', 'empty_moov+default_base_moof'],
    ...['-frag_duration', '600000000', '-f', 'mp4', `file:${output}`],
  ];
}

function pictureArguments({ width, height, start }: Source, { from, to, last }: Cut): string[] {
  const size = fitted(width, height);
  const filters = [
    `trim=start=${(from + start - ROUNDING).toFixed(6)}:end=${(to + start - ROUNDING).toFixed(6)}`,
    `setpts=PTS-(${start})/TB`,
    `scale=${size.width}:${size.height}:flags=fast_bilinear`,
    ...['setsar=1', 'format=yuv420p'],
  ];
  return [
    ...['-vf', filters.join(','), '-fps_mode', 'passthrough', '-enc_time_base:v', `1:${TICKS}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'fastdecode', '-profile:v', 'baseline'],
    ...['-level', '3.1', '-crf', '26', '-g', String(GROUP), '-bf', '0', '-sc_threshold', '0'],
    ...['-bsf:v', `setts=duration=if(eq(N\\,${last.count - 1})\\,${last.ticks}\\,DURATION)`],
    ...['-video_track_timescale', String(TICKS)],
  ];
}

function soundArguments(start: number, { from, to }: Cut): string[] {
  const first = firstAudioFrame(from);
  const [begin, end] = [(first + 1) * AAC_FRAME, firstAudioFrame(to) + RUN_UP];
  const filters = [
    `asetpts=PTS-(${start})/TB`,
    `aresample=${RATE}:async=1:first_pts=${begin}`,
    // A frame of AAC is made out of the samples of the next one, too.
    `apad=whole_len=${(end + 1) * AAC_FRAME - begin}`,
    `atrim=end_pts=${(end + 1) * AAC_FRAME}`,
    'aformat=channel_layouts=stereo',
  ];
  const [keepFrom, keepTo] = [(first + RUN_UP) * AAC_FRAME, end * AAC_FRAME];
  return [
    ...['-af', filters.join(','), '-c:a', 'aac', '-b:a', '96k'],
    ...['-bsf:a', `noise=drop=lt(pts\\,${keepFrom})+gte(pts\\,${keepTo})`],
  ];
}

/** Even numbers within what the level decodes. */
function fitted(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, MOST_LINES / height, MOST_COLUMNS / width);
  const even = (side: number) => Math.max(2, 2 * Math.round((side * scale) / 2));
  return { width: even(width), height: even(height) };
}
