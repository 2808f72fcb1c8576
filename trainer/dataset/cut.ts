import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { formatLabels, type Span } from '@adbreak/shared/video/labels.js';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';
import { divide, divideByRatio } from './by-time.js';
import { DEFAULT_RATIO, SPLITS, type SplitRatio } from './ratio.js';
import { beginRecording, type Dataset } from './recordings.js';

export interface Piece {
  /** Path without ending. */
  readonly output: string;
  readonly start: number;
  readonly end: number;
}

/** What is kept for those who watch it live, where there are any; the rest is divided by the ratio. */
const LIVE_SHARE = 0.45;

/** Where to cut: at the beginnings of labelled spans, so that no scene is divided, and no second is in two pieces. */
export function planCuts(
  spans: readonly Span[],
  output: string,
  live: readonly string[],
  ratio: SplitRatio = DEFAULT_RATIO,
): Piece[] {
  const own = live.length === 0 ? 1 : 1 - LIVE_SHARE;
  return divide(spans, [
    ...SPLITS.map((split) => ({ name: join(output, split, 'recording'), share: own * ratio[split] })),
    ...live.map((name) => ({ name, share: LIVE_SHARE / live.length })),
  ]).map(({ name, start, end }) => ({ output: name, start, end }));
}

/** One recording as three by time, whole spans each, where training reads it as it is. */
export function datasetOfOne(video: string, spans: readonly Span[], ratio: SplitRatio): Dataset {
  const [train, val, test] = divideByRatio(spans, ratio).map(({ start, end }) => [
    { name: 'recording', video, spans: spans.filter((span) => span.start >= start && span.start < end) },
  ]);
  return { train: train ?? [], val: val ?? [], test: test ?? [] };
}

/** Cuts frame-exactly (by decoding) and moves the labels along. A piece appears under its name only when it is whole. */
export async function cutRecording(
  video: string,
  spans: readonly Span[],
  pieces: readonly Piece[],
  onPiece: (piece: Piece) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (const piece of pieces) {
    await beginRecording(piece.output);
    const unfinished = `${piece.output}.mkv.part`;
    const args = [
      ...['-ss', String(piece.start), '-i', `file:${video}`, '-t', String(piece.end - piece.start)],
      ...['-map', '0:v:0', '-map', '0:a:0?', '-vf', 'scale=640:-2'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '23', '-f', 'matroska', `file:${unfinished}`],
    ];
    const output = `a piece of ${video} to ${piece.output}.mkv`;
    await runFfmpeg({ args, output }, signal).catch(async (cause: unknown) => {
      await rm(unfinished, { force: true });
      throw cause;
    });
    await rename(unfinished, `${piece.output}.mkv`);
    const own = spans.filter(({ start, end }) => end > piece.start && start < piece.end);
    const moved = own.map(({ start, end, label }) => ({
      start: Math.max(0, start - piece.start),
      end: Math.min(end, piece.end) - piece.start,
      label,
    }));
    await writeLabels(piece.output, moved);
    onPiece(piece);
  }
}

/** The labels beside `output`.mkv. Where they cannot be written, the recording goes too: alone it is no part. */
export async function writeLabels(output: string, spans: readonly Span[]): Promise<void> {
  try {
    await writeAtomic(`${output}.csv`, formatLabels(spans));
  } catch (error) {
    await rm(`${output}.mkv`, { force: true });
    throw error;
  }
}
