import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { LabelFormat } from '@adbreak/shared/video/label-files.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import type { Split } from '../ports.js';
import { type Assignment, assign, draw, refuseEmpty } from './assign.js';
import {
  type Found,
  findFrames,
  findPictures,
  type LeftOut,
  leave,
  type Place,
  recordingName,
} from './found.js';
import {
  type Candidate,
  type Group,
  groupsOf,
  type RecordingSource,
  recordingsOfPictures,
} from './groups.js';
import { inOrder } from './in-order.js';
import { type DatasetManifest, fingerprintOf, type PictureEntry, writeManifest } from './manifest.js';
import { likenessOf } from './near.js';
import type { OnProgress } from './progress.js';
import { SPLITS, type SplitRatio, type Targets } from './ratio.js';
import { fileDigest, readLabels } from './recordings.js';
import { refuseForeign } from './replace.js';
import { byCodeUnits, LABELS, type RecordingFile, type Scan, scan } from './scan.js';
import { stage } from './staging.js';

export interface PrepareRequest {
  /** Holds ad/ and content/, or recordings with labels beside them, or both. */
  readonly source: string;
  readonly output: string;
  readonly ratio: SplitRatio;
  /** Pictures in all; null: as many as there are. */
  readonly maxFrames: number | null;
  /** Frames a second taken from recordings. */
  readonly fps: number;
  readonly seed: number;
  readonly recordings: RecordingSource;
  readonly labelFormat: LabelFormat;
  readonly labelWords: LabelWords;
  /** Replace a data set that was changed by hand. */
  readonly force: boolean;
  readonly onProgress: OnProgress;
  readonly signal?: AbortSignal;
}
export interface Prepared {
  readonly manifest: DatasetManifest;
  readonly targets: Targets;
  readonly largestGroup: { readonly name: string; readonly pictures: number };
  /** Recordings divided by time, as there were too few to keep them whole. */
  readonly divided: readonly string[];
  /** Files below ad/ and content/ that are no pictures by their ending. */
  readonly others: ReadonlyMap<string, number>;
  /** How many pictures `maxFrames` left out. */
  readonly notDrawn: number;
}

/** With fewer, recordings are divided by time: there is none for each split. */
const FEWEST_RECORDINGS = 3;
/** The converter's ranges do not get better with more. */
const CALIBRATION_PICTURES = 200;
const COPIES_AT_ONCE = 8;

/**
 * Makes a data set of pictures and recordings: looks at every picture, finds what belongs together, divides it by the ratio
 * and writes `train/ val/ test/ calibration/` with `ad/ content/` each, and the manifest. The same request gives the same
 * folder, byte for byte. Throws `dataset_invalid` where a split would be without a label, `conflict` where the output is
 * something else than a data set of ours, and an AbortError; the output then stays as it was.
 */
export async function prepare(request: PrepareRequest): Promise<Prepared> {
  refuseInside(request);
  const offers = await scan(request.source, request.labelFormat);
  refuseNothing(request.source, offers);
  await refuseForeign(request.output, request.force);
  return stage(request.output, (folder) => fill(folder, offers, request), request.signal);
}

async function fill(folder: string, offers: Scan, request: PrepareRequest): Promise<Prepared> {
  const spool = join(folder, '.spool');
  await mkdir(spool);
  const random = seeded(`dataset/${request.seed}`);
  const all = await find(offers, request, spool);
  const { candidates, contradictory } = await compare(all.found, request);
  const groups = groupsOf(candidates);
  const drawn = draw(candidates, request.maxFrames ?? candidates.length, random.fork('draw'));
  const kept = groups
    .map((group) => ({ ...group, members: group.members.filter((member) => drawn.has(member)) }))
    .filter(({ members }) => members.length > 0);
  const assignment = assign(kept, request.ratio, random.fork('assign'));
  refuseEmpty(assignment.splits);
  const pictures = await write(folder, kept, assignment, random.fork('calibration'), request);
  await rm(spool, { recursive: true });
  const leftOut = [...all.leftOut, ...contradictory, ...assignment.shared.map(leaveShared)];
  const manifest: DatasetManifest = {
    schema: 1,
    fingerprint: fingerprintOf(pictures),
    seed: request.seed,
    splitRatio: request.ratio,
    maxFrames: request.maxFrames,
    sources: all.sources,
    pictures,
    leftOut: leftOut.sort((a, b) => byCodeUnits(a.origin, b.origin)),
  };
  await writeManifest(folder, manifest);
  return {
    manifest,
    targets: assignment.targets,
    largestGroup: largestOf(kept),
    divided: all.divided,
    others: offers.others,
    notDrawn: candidates.length - drawn.size,
  };
}

function leaveShared({ origin }: Found): LeftOut {
  return leave(origin, 'in another split too', 'a recording of another split has near-duplicates of it');
}

function largestOf(groups: readonly Group<Comparable>[]): { name: string; pictures: number } {
  const [largest] = [...groups].sort((a, b) => b.members.length - a.members.length);
  return { name: largest?.name ?? '', pictures: largest?.members.length ?? 0 };
}

interface Material {
  readonly found: readonly Found[];
  readonly leftOut: readonly LeftOut[];
  readonly sources: DatasetManifest['sources'];
  readonly divided: readonly string[];
}

async function find(offers: Scan, request: PrepareRequest, spool: string): Promise<Material> {
  const { source, onProgress, signal } = request;
  const place: Place = { folder: source, spool, onProgress, ...(signal && { signal }) };
  const known = recordingsOfPictures(offers.pictures, request.recordings);
  const files = offers.pictures.map((file, i) => ({ ...file, recording: known[i] ?? null }));
  const names = new Set([...known, ...offers.recordings.map(({ path }) => recordingName(path))]);
  names.delete(null);
  const isDivided = names.size < FEWEST_RECORDINGS;
  const pictures = await findPictures(files, place);
  const sources: Material['sources'] = LABELS.flatMap((label) => {
    const offered = offers.pictures.filter((file) => file.label === label).length;
    return offered === 0
      ? []
      : [{ path: label, kind: 'pictures' as const, offered, sha256: null, labelsSha256: null }];
  });
  const found = [...pictures.found];
  const divided = new Set<string>();
  for (const recording of offers.recordings) {
    const frames = await framesOf(recording, isDivided ? request.ratio : null, request, place);
    found.push(...frames);
    if (frames.some(({ scene }) => scene !== null)) divided.add(recording.path);
    sources.push({
      path: recording.path,
      kind: 'recording',
      offered: frames.length,
      sha256: await fileDigest(join(source, recording.path)),
      labelsSha256: await fileDigest(join(source, recording.labels)),
    });
  }
  const unlabelled = offers.unlabelled.map((path) => leave(path, 'not labelled', 'no labels beside it'));
  return {
    found,
    leftOut: [...pictures.leftOut, ...unlabelled],
    sources,
    divided: [...divided],
  };
}

async function framesOf(
  { path, labels }: RecordingFile,
  ratio: SplitRatio | null,
  { source, fps, labelWords }: PrepareRequest,
  place: Place,
): Promise<Found[]> {
  const spans = await readLabels(join(source, labels), { video: join(source, path), words: labelWords });
  return findFrames({ path, spans }, fps, ratio, place);
}

type Comparable = Found & Candidate;

/** Finds near-duplicates, and takes pictures out that are there under both labels. */
async function compare(
  found: readonly Found[],
  { onProgress, signal }: PrepareRequest,
): Promise<{ candidates: Comparable[]; contradictory: LeftOut[] }> {
  onProgress('comparing pictures', 0, null);
  const { near, contradictions } = await likenessOf(found, signal);
  const contradictory: LeftOut[] = [];
  const candidates: Comparable[] = [];
  for (const [index, one] of found.entries()) {
    const twin = found[contradictions.get(index) ?? -1];
    if (twin === undefined) candidates.push({ ...one, near: near.find(index) });
    else contradictory.push(leave(one.origin, 'both labels', `${twin.origin} is the same picture`));
  }
  return { candidates, contradictory };
}

/** Writes the pictures in their places, and some of train's once more for the converter. Gives their entries by path. */
async function write(
  folder: string,
  groups: readonly Group<Comparable>[],
  { splits }: Assignment<Comparable>,
  random: Random,
  { onProgress, signal }: PrepareRequest,
): Promise<PictureEntry[]> {
  const names = new Map(groups.flatMap(({ name, members }) => members.map((member) => [member, name])));
  const pictures = [...names.keys()];
  const trained = pictures.filter((picture) => splits.get(picture) === 'train');
  const calibration = draw(trained, CALIBRATION_PICTURES, random);
  // First the copies: the other pictures may be moved away from the spool.
  const wanted: { picture: Comparable; split: Split }[] = [
    ...pictures
      .filter((one) => calibration.has(one))
      .map((picture) => ({ picture, split: 'calibration' as const })),
    ...SPLITS.flatMap((split) =>
      pictures.filter((one) => splits.get(one) === split).map((picture) => ({ picture, split })),
    ),
  ];
  for (const split of [...SPLITS, 'calibration'])
    for (const label of LABELS) await mkdir(join(folder, split, label), { recursive: true });
  const nameIn = uniqueNames();
  const entries = wanted.map(({ picture, split }): PictureEntry & { picture: Comparable } => ({
    path: nameIn(`${split}/${picture.label}`, picture),
    split,
    label: picture.label,
    sha256: picture.sha256,
    width: picture.width,
    height: picture.height,
    group: names.get(picture) ?? picture.origin,
    source: picture.source,
    origin: picture.origin,
    at: picture.at,
    changes: [...picture.changes],
    picture,
  }));
  let done = 0;
  const written = inOrder(entries, COPIES_AT_ONCE, async ({ picture, path, split }) => {
    signal?.throwIfAborted();
    await put(picture, join(folder, path), split === 'calibration');
  });
  for await (const _ of written) onProgress('writing pictures', ++done, entries.length);
  return entries.map(({ picture: _, ...entry }) => entry).sort((a, b) => byCodeUnits(a.path, b.path));
}

async function put({ file, isSpooled, sha256: expected, origin }: Found, path: string, isCopy: boolean) {
  if (isSpooled) return isCopy ? copyFile(file, path) : rename(file, path);
  const bytes = await readFile(file);
  if (sha256(bytes) !== expected)
    throw new AdbreakError('dataset_invalid', `Cannot take ${origin}: it changed while it was looked at`, {
      remedy: 'Run it again when nothing writes to the pictures.',
    });
  await writeFile(path, bytes);
}

/** File names that every file system can hold, each once in its folder, also where case does not count. */
function uniqueNames(): (folder: string, picture: Found) => string {
  const taken = new Set<string>();
  return (folder, { origin, at, file }) => {
    const below = at === null ? origin.slice(origin.indexOf('/') + 1).replace(/\.\w+$/, '') : origin;
    const stem =
      below
        .replace(/[^\p{L}\p{N}@.()+=-]+/gu, '_')
        .slice(-60)
        .replace(/^\.+/, '') || 'picture';
    const ending = /\.\w+$/.exec(file)?.[0].toLowerCase() ?? '';
    for (let n = 1; ; n++) {
      const path = `${folder}/${stem}${n === 1 ? '' : `~${n}`}${ending}`;
      if (taken.has(path.toLowerCase())) continue;
      taken.add(path.toLowerCase());
      return path;
    }
  };
}

function refuseInside({ source, output }: PrepareRequest): void {
  const way = relative(resolve(source), resolve(output));
  const back = relative(resolve(output), resolve(source));
  const isInside = (path: string) => !path.startsWith('..') && !path.startsWith('/');
  if (!isInside(way) && !isInside(back)) return;
  throw new AdbreakError('input_invalid', `Cannot prepare ${output}: it and ${source} lie in each other`, {
    remedy: 'Give the data set a folder of its own, outside of the pictures it is made of.',
  });
}

function refuseNothing(source: string, { pictures, recordings, unlabelled }: Scan): void {
  const missing = LABELS.filter((label) => !pictures.some((picture) => picture.label === label));
  if (recordings.length > 0 || missing.length === 0) return;
  const videos =
    unlabelled.length === 0 ? '' : `, and none of its ${unlabelled.length} recordings has labels beside it`;
  throw new AdbreakError(
    'dataset_invalid',
    `Cannot prepare ${source}: it has no pictures (JPEG, PNG, WebP) in ${missing.map((label) => `${label}/`).join(' and ')}${videos}`,
    { remedy: 'Put pictures into ad/ and content/ below it, or recordings with NAME.csv beside NAME.mkv.' },
  );
}
