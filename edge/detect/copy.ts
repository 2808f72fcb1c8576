import { rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { storageError, syncFile, syncFolder } from '@adbreak/shared/storage/atomic.js';
import { inputArguments } from '@adbreak/shared/video/frames.js';
import type { VideoFacts } from '@adbreak/shared/video/probe.js';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';
import type { KeptSpan } from '../decide/kept-spans.js';

/** ffmpeg's muxers by the ending of a file; chapters: whether the container can hold them. */
const CONTAINERS: Readonly<Record<string, { readonly muxer: string; readonly chapters: boolean }>> = {
  '.mkv': { muxer: 'matroska', chapters: true },
  '.webm': { muxer: 'webm', chapters: true },
  '.mp4': { muxer: 'mp4', chapters: true },
  '.m4v': { muxer: 'mp4', chapters: true },
  '.mov': { muxer: 'mov', chapters: true },
  '.ts': { muxer: 'mpegts', chapters: false },
  '.m2ts': { muxer: 'mpegts', chapters: false },
};
const OTHERWISE = '.mkv';
const MATROSKA = 'matroska';

/**
 * The ending of a copy: that of the recording where such a container will do, else Matroska's, which takes
 * everything.
 */
export function endingOfCopy(source: string, { chapters }: { chapters: boolean }): string {
  const ending = extname(source).toLowerCase();
  const container = CONTAINERS[ending];
  return container === undefined || (chapters && !container.chapters) ? OTHERWISE : ending;
}

/** A copy with these chapters (an ffmetadata file) in place of its own; nothing is encoded. */
export async function copyWithChapters(
  source: string,
  chapters: string,
  output: string,
  signal: AbortSignal,
): Promise<void> {
  const inputs = [...inputArguments(source), '-f', 'ffmetadata', '-i', 'pipe:0'];
  await copy(
    { inputs, stdin: chapters, output, mapping: ['-map_metadata', '0', '-map_chapters', '1'] },
    signal,
  );
}

/** A copy of these parts of a file, one after the other; nothing is encoded. */
export async function copyParts(
  path: string,
  { start }: VideoFacts,
  parts: readonly KeptSpan[],
  output: string,
  signal: AbortSignal,
): Promise<void> {
  const file = `file 'file:${resolve(path).replaceAll("'", "'\\''")}'`;
  const lines = parts.flatMap((part) => [
    file,
    `inpoint ${(part.start + start).toFixed(6)}`,
    ...(Number.isFinite(part.end) ? [`outpoint ${(part.end + start).toFixed(6)}`] : []),
  ]);
  const inputs = [
    ...['-f', 'concat', '-safe', '0', '-protocol_whitelist', 'file,pipe,fd'],
    ...['-i', 'pipe:0'],
  ];
  const stdin = `${['ffconcat version 1.0', ...lines].join('\n')}\n`;
  await copy({ inputs, stdin, output, mapping: ['-map_chapters', '-1'] }, signal);
}

interface CopyRequest {
  readonly inputs: readonly string[];
  readonly stdin: string;
  readonly mapping: readonly string[];
  readonly output: string;
}

/** Picture, sound and subtitles; the file appears under its name only when it is whole. */
async function copy(request: CopyRequest, signal: AbortSignal): Promise<void> {
  const { output } = request;
  const unfinished = join(dirname(output), `.${basename(output)}.${process.pid}.part`);
  const muxer = CONTAINERS[extname(output)]?.muxer ?? MATROSKA;
  try {
    const streams = ['-map', '0:v:0', '-map', '0:a?', '-map', '0:s?', ...request.mapping, '-c', 'copy'];
    const args = [...request.inputs, ...streams, '-f', muxer, `file:${unfinished}`];
    await runFfmpeg({ args, output, stdin: request.stdin }, signal);
    await syncFile(unfinished);
    await rename(unfinished, output);
    await syncFolder(dirname(output));
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw storageError(cause, output);
  }
}
