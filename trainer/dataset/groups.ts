import { UnionFind } from '@adbreak/shared/union-find.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import type { FitSplit } from './ratio.js';
import { byCodeUnits } from './scan.js';
import { mayFollow, type Signature } from './signature.js';

/** A picture as the split sees it. */
export interface Candidate {
  readonly label: Label;
  readonly signature: Signature;
  /** The set of near-duplicates that it is in. */
  readonly near: number;
  /** A name that no other has: its path below the source, or recording and second. */
  readonly origin: string;
  /** The recording that it is known to be of. */
  readonly recording: string | null;
  /** Where the recording itself is split by time: the split and the scene it falls in. */
  readonly scene: { readonly split: FitSplit; readonly name: string } | null;
}

/** What never crosses a split. */
export interface Group<C extends Candidate = Candidate> {
  readonly name: string;
  readonly members: readonly C[];
  /** Where it must go; null where the ratio decides. */
  readonly split: FitSplit | null;
}

/**
 * Groups: all that is known to be of one recording; of pictures whose recording nobody knows, near-duplicates and frames that
 * follow each other within a scene.
 */
export function groupsOf<C extends Candidate>(candidates: readonly C[]): Group<C>[] {
  const together = new UnionFind(candidates.length);
  const firstOf = new Map<string, number>();
  const join = (key: string, index: number) => {
    const first = firstOf.get(key);
    if (first === undefined) firstOf.set(key, index);
    else together.union(first, index);
  };
  candidates.forEach((candidate, index) => {
    const { recording, scene, near } = candidate;
    if (scene !== null) join(`scene ${scene.split} ${scene.name}`, index);
    else if (recording !== null) join(`recording ${recording}`, index);
    else join(`near ${near}`, index);
  });
  for (const [before, after] of neighbours(candidates)) together.union(before, after);
  return together.sets().map((indices) => {
    const members = indices.flatMap((index) => candidates[index] ?? []);
    const [first] = members;
    const name = first?.scene?.name ?? first?.recording ?? first?.origin ?? '';
    return { name, members, split: first?.scene?.split ?? null };
  });
}

/**
 * By index: pictures whose recording nobody knows, one behind the other in a folder, that look alike enough for a scene that
 * goes on. Numbers count as numbers: frame_10 follows frame_9, and not frame_1.
 */
function neighbours(candidates: readonly Candidate[]): (readonly [number, number])[] {
  const row = candidates
    .map((candidate, index) => ({ candidate, index, key: countingKey(candidate.origin) }))
    .filter(({ candidate: { scene, recording } }) => scene === null && recording === null)
    .sort((a, b) => byCodeUnits(a.key, b.key));
  return row.flatMap((after, i) => {
    const before = row[i - 1];
    const follows =
      before !== undefined &&
      folderOf(before.candidate.origin) === folderOf(after.candidate.origin) &&
      mayFollow(before.candidate.signature, after.candidate.signature);
    return follows ? [[before.index, after.index] as const] : [];
  });
}

/** A path whose order by code units is that of the numbers in it; of more digits than that, as text. */
function countingKey(path: string): string {
  return path.replace(/\d+/g, (digits) => digits.padStart(16, '0'));
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export const RECORDING_SOURCES = ['auto', 'folder', 'name', 'none'] as const;
/** What tells the recording of a picture: the folder below ad/ and content/, its name before the number, or nothing. */
export type RecordingSource = (typeof RECORDING_SOURCES)[number];

/** A label needs a recording for each split. With fewer, folders and names are more likely `frame`, `ad` or a subject. */
const FEWEST_RECORDINGS = 3;

/**
 * The recording of each picture below ad/ and content/, null where nothing tells. `auto` takes folders where there are any, else
 * names, `evening_0001.jpg` and `evening_0002.jpg`; and neither where a label has less than three.
 */
export function recordingsOfPictures(
  files: readonly { readonly path: string; readonly label: Label }[],
  source: RecordingSource,
): readonly (string | null)[] {
  const folders = files.map(({ path }) => path.split('/').slice(1, -1).join('/') || null);
  const names = files.map(({ path }) => nameBeforeNumber(path));
  switch (source) {
    case 'folder':
      return folders;
    case 'name':
      return names;
    case 'none':
      return files.map(() => null);
    case 'auto': {
      const likely = folders.some((folder) => folder !== null) ? folders : severalOf(names);
      const recordings = { ad: new Set<string>(), content: new Set<string>() };
      files.forEach(({ label }, i) => {
        const name = likely[i];
        if (name) recordings[label].add(name);
      });
      const isEnough = Object.values(recordings).every(({ size }) => size >= FEWEST_RECORDINGS);
      return isEnough ? likely : files.map(() => null);
    }
  }
}

/** Names that only one picture has say nothing. */
function severalOf(names: readonly (string | null)[]): (string | null)[] {
  const counts = new Map<string | null, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return names.map((name) => ((counts.get(name) ?? 0) > 1 ? name : null));
}

function nameBeforeNumber(path: string): string | null {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return /^(.*?[^\W\d_].*?)[-_ @.]+\d[\d.]*s?\.\w+$/u.exec(file)?.[1] ?? null;
}
