import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { startFailure } from '@adbreak/shared/video/frames.js';
import { formatLabels, type Span } from '@adbreak/shared/video/labels.js';
import { beginRecording } from './recordings.js';

const run = promisify(execFile);

export interface Piece {
  /** Path without ending. */
  readonly output: string;
  readonly start: number;
  readonly end: number;
}

/** Shares of a recording: training, validation, test, and the rest for those who watch it live. No second is in two. */
const SHARES = { train: 0.35, val: 0.1, test: 0.1 } as const;

/** Where to cut: at the beginnings of labelled spans, so that no scene is divided. */
export function planCuts(spans: readonly Span[], output: string, live: readonly string[]): Piece[] {
  const total = spans.at(-1)?.end ?? 0;
  const liveShare = (1 - SHARES.train - SHARES.val - SHARES.test) / Math.max(1, live.length);
  const pieces = [
    ...Object.entries(SHARES).map(([split, share]) => ({ output: join(output, split, 'recording'), share })),
    ...live.map((name) => ({ output: name, share: liveShare })),
  ];
  let until = 0;
  let wanted = 0;
  return pieces.map(({ output: path, share }, i) => {
    wanted += share * total;
    const start = until;
    until = i === pieces.length - 1 ? total : (spans.find((span) => span.start >= wanted)?.start ?? total);
    if (until <= start)
      throw new AdbreakError(
        'labels_invalid',
        `Cannot cut the recording: ${spans.length} labelled spans over ${total.toFixed(0)} s are too few for ${pieces.length} parts`,
        { remedy: 'Give a longer recording, or label it span by span.' },
      );
    return { output: path, start, end: until };
  });
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
    const encoding = [
      '-hide_banner',
      '-loglevel',
      'error',
      '-nostdin',
      '-y',
      '-ss',
      String(piece.start),
      '-i',
      `file:${video}`,
      '-t',
      String(piece.end - piece.start),
      '-map',
      '0:v:0',
      '-map',
      '0:a:0?',
      '-vf',
      'scale=640:-2',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-crf',
      '23',
      '-f',
      'matroska',
      `file:${unfinished}`,
    ];
    await run('ffmpeg', encoding, { killSignal: 'SIGKILL', ...(signal && { signal }) }).catch(
      async (cause: unknown) => {
        await rm(unfinished, { force: true });
        signal?.throwIfAborted();
        const error = startFailure(cause, 'ffmpeg');
        throw error.code === 'ffmpeg_missing'
          ? error
          : new AdbreakError('video_unreadable', `Cannot cut ${video}`, { cause });
      },
    );
    await rename(unfinished, `${piece.output}.mkv`);
    const own = spans.filter(({ start, end }) => end > piece.start && start < piece.end);
    await writeAtomic(
      `${piece.output}.csv`,
      formatLabels(
        own.map(({ start, end, label }) => ({
          start: Math.max(0, start - piece.start),
          end: Math.min(end, piece.end) - piece.start,
          label,
        })),
      ),
    );
    onPiece(piece);
  }
}
