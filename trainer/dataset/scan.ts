import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import type { LabelFormat } from '@adbreak/shared/video/label-files.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { PICTURE_ENDING } from './picture.js';

export const LABELS = ['ad', 'content'] as const satisfies readonly Label[];
export const VIDEO_ENDING = /\.(mkv|mp4|m4v|ts|m2ts|mov|avi|webm|mpe?g)$/i;
/** Beside NAME.mkv. */
export const LABEL_ENDINGS = { csv: '.csv', edl: '.edl', comskip: '.txt' } as const satisfies Record<
  LabelFormat,
  string
>;

/** A picture file by its path below the source, with forward slashes. */
export interface PictureFile {
  readonly path: string;
  readonly label: Label;
}
export interface RecordingFile {
  readonly path: string;
  readonly labels: string;
}
export interface Scan {
  readonly pictures: readonly PictureFile[];
  readonly recordings: readonly RecordingFile[];
  /** Recordings that have no labels beside them. */
  readonly unlabelled: readonly string[];
  /** Files below ad/ and content/ that are no pictures by their ending: how many of each ending. */
  readonly others: ReadonlyMap<string, number>;
}

/**
 * What a folder offers: pictures below ad/ and content/, at any depth, and recordings with labels beside them anywhere else.
 * Everything in the order of its path by code units, so that it is the same on every machine. Hidden files are none.
 */
export async function scan(folder: string, format: LabelFormat): Promise<Scan> {
  const paths = await filesBelow(folder);
  const known = new Set(paths);
  const pictures: PictureFile[] = [];
  const recordings: RecordingFile[] = [];
  const unlabelled: string[] = [];
  const others = new Map<string, number>();
  for (const path of paths) {
    const label = LABELS.find((name) => path.startsWith(`${name}/`));
    if (label !== undefined) {
      if (PICTURE_ENDING.test(path)) pictures.push({ path, label });
      else others.set(endingOf(path), (others.get(endingOf(path)) ?? 0) + 1);
    } else if (VIDEO_ENDING.test(path)) {
      const labels = path.replace(VIDEO_ENDING, LABEL_ENDINGS[format]);
      if (known.has(labels)) recordings.push({ path, labels });
      else unlabelled.push(path);
    }
  }
  return { pictures, recordings, unlabelled, others };
}

/** Regular files, also behind links; folders behind links are left alone, as they may lead back here. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    const code = systemCode(cause);
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    if (!isMissing) throw cause;
    throw new AdbreakError('not_found', `Cannot read ${folder}: there is no such folder`, {
      remedy: 'Name the folder that holds ad/ and content/, or recordings with labels beside them.',
    });
  });
  const paths: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const below = relative(folder, path).split(sep).join('/');
    if (below.split('/').some((part) => part.startsWith('.'))) continue;
    if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) paths.push(below);
  }
  return paths.sort(byCodeUnits);
}

async function isFile(path: string): Promise<boolean> {
  // A link that leads nowhere is a picture that cannot be read, and is counted as one.
  return stat(path).then(
    (info) => info.isFile(),
    () => true,
  );
}

function endingOf(path: string): string {
  return /\.[^./]+$/.exec(path)?.[0].toLowerCase() ?? 'no ending';
}

/** The order that every machine has, whatever its language. */
export function byCodeUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
