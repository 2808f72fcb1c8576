import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import type { LabelAction } from '@adbreak/shared/contract/labelling.js';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import type { Label, LabelWords, Span } from '@adbreak/shared/video/labels.js';
import { recordingName } from '../dataset/found.js';
import { PICTURE_ENDING } from '../dataset/picture.js';
import { readLabels } from '../dataset/recordings.js';
import { byCodeUnits, LABELS } from '../dataset/scan.js';
import type { Labels } from './fold.js';
import { spansOfPictures } from './frame-names.js';
import type { FrameTimes } from './frame-times.js';
import { LABEL_STUDIO_LIMIT, parseLabelStudio, spansOfRanges } from './label-studio.js';
import type { Recording } from './library.js';

/** Labels of one recording out of a file. */
export interface Imported {
  readonly recording: string;
  readonly file: string;
  readonly spans: readonly Span[];
}
interface ImportContext {
  readonly recordings: readonly Recording[];
  readonly frames: (id: string) => Promise<FrameTimes>;
  readonly words: LabelWords;
  /** The recording that a file is of, whatever its own name is. */
  readonly recording: string | undefined;
  readonly say: (line: string) => void;
}

const LABELS_FILE = /\.(csv|edl|txt|json)$/i;

/**
 * Labels of a file, or of a folder: CSV, EDL and comskip by the recording's name, Label Studio's JSON by what it says
 * itself, pictures in ad/ and content/ by the recording and the second in their names. Throws `not_found` where a recording
 * is not here, `labels_invalid` with the line.
 */
export async function readImport(path: string, context: ImportContext): Promise<Imported[]> {
  const info = await stat(path).catch((cause: unknown) => {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    throw new AdbreakError('not_found', `Cannot import ${path}: it does not exist`);
  });
  if (info.isDirectory()) return importFolder(path, context);
  return importFile(path, basename(path), context);
}

async function importFolder(folder: string, context: ImportContext): Promise<Imported[]> {
  const names = await filesBelow(folder);
  const pictures = names.filter((name) => PICTURE_ENDING.test(name) && labelOfPath(name) !== undefined);
  if (pictures.length > 0) return importPictures(folder, pictures, context);
  const all: Imported[] = [];
  for (const name of names.filter((name) => LABELS_FILE.test(name))) {
    if (
      !/\.json$/i.test(name) &&
      find(recordingName(name.replace(LABELS_FILE, '')), context.recordings) === null
    )
      context.say(`${name} is left out: no recording here has its name`);
    else all.push(...(await importFile(join(folder, name), name, context)));
  }
  return all;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => !name.split('/').some((part) => part.startsWith('.')))
    .sort(byCodeUnits);
}

async function importFile(path: string, name: string, context: ImportContext): Promise<Imported[]> {
  if (/\.json$/i.test(path)) return importLabelStudio(path, context);
  const wanted = context.recording ?? name.replace(/\.[^.]+$/, '');
  const recording = need(wanted, context.recordings, path);
  const spans = await readLabels(path, { video: recording.path, words: context.words });
  return [{ recording: recording.id, file: path, spans }];
}

async function importLabelStudio(path: string, context: ImportContext): Promise<Imported[]> {
  const bytes = await readLimited(path, LABEL_STUDIO_LIMIT);
  const tasks = parseLabelStudio(new TextDecoder().decode(bytes), context.words);
  const all: Imported[] = [];
  for (const [index, { video, ranges }] of tasks.entries()) {
    const recording = need(
      context.recording ?? videoName(video, context.recordings),
      context.recordings,
      path,
    );
    const { times } = await context.frames(recording.id);
    const spans = spansOfRanges(
      ranges,
      times,
      recording.facts?.duration ?? 0,
      `task ${index + 1} of ${path}`,
    );
    all.push({ recording: recording.id, file: path, spans });
  }
  return all;
}

/** Label Studio keeps what it was given under /data/upload/1/8hex-NAME, or as an address; locally as ?d=PATH. */
function videoName(video: string, recordings: readonly Recording[]): string {
  if (find(video, recordings) !== null || !URL.canParse(video, 'file:///')) return video;
  const { pathname, searchParams } = new URL(video, 'file:///');
  const plain = searchParams.get('d') ?? decoded(pathname);
  return /\/upload\//.test(plain) ? basename(plain).replace(/^[0-9a-f]{8}-/, '') : plain.replace(/^\//, '');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A percent sign that is the name's own.
    return path;
  }
}

async function importPictures(
  folder: string,
  names: readonly string[],
  context: ImportContext,
): Promise<Imported[]> {
  const found = new Map<string, { name: string; label: Label }[]>();
  for (const name of names) {
    const label = labelOfPath(name);
    const inner = name.split('/').slice(1, -1).join('/');
    const by =
      context.recording ?? (inner === '' ? basename(name).replace(/[-_ @]+\d[\d.]*s?\.\w+$/, '') : inner);
    if (label !== undefined) found.set(by, [...(found.get(by) ?? []), { name, label }]);
  }
  return [...found].map(([by, pictures]) => {
    const recording = need(by, context.recordings, join(folder, pictures[0]?.name ?? ''));
    const spans = spansOfPictures(pictures, recording.facts?.duration ?? 0);
    return { recording: recording.id, file: folder, spans };
  });
}

function labelOfPath(name: string): Label | undefined {
  return LABELS.find((label) => name.startsWith(`${label}/`));
}

function need(wanted: string, recordings: readonly Recording[], path: string): Recording {
  const found = find(wanted, recordings);
  if (found !== null && found.facts !== null) return found;
  const why =
    found === null
      ? `no recording here is called ${JSON.stringify(wanted)}`
      : `${found.name}: ${found.problem}`;
  throw new AdbreakError('not_found', `Cannot import ${path}: ${why}`, {
    remedy:
      'Name the folder of the recordings with --video-dir, and the recording with --recording where its name is another.',
  });
}

/** By id, by name with or without its ending and folder; null where several could be meant. */
function find(wanted: string, recordings: readonly Recording[]): Recording | null {
  const forms = (name: string) => [name, recordingName(name), basename(name), recordingName(basename(name))];
  const exact = recordings.filter(({ id, name, aliases }) => [id, name, ...aliases].includes(wanted));
  const near = recordings.filter(({ name, aliases }) => [name, ...aliases].flatMap(forms).includes(wanted));
  const last = recordings.filter(({ name, aliases }) =>
    [name, ...aliases].flatMap(forms).includes(basename(wanted)),
  );
  const [first, ...more] = [exact, near, last].find((some) => some.length > 0) ?? [];
  return first !== undefined && more.length === 0 ? first : null;
}

/** What an import does, each with an id out of what it says: the same file again is taken once, while it was not taken back. */
export function actionsOf(
  labeller: string,
  { recording, spans }: Imported,
  labels: Pick<Labels, 'taken' | 'stepOf'>,
): LabelAction[] {
  return spans.map(({ start, end, label }) => ({
    kind: 'paint',
    id: standingId([labeller, recording, start, end, label], labeller, labels),
    ...{ recording, start, end, label },
    how: 'import',
  }));
}

/** One that stands, or the first that nobody has used: what was taken back is a new action when it comes again. */
function standingId(
  says: readonly (string | number)[],
  labeller: string,
  labels: Pick<Labels, 'taken' | 'stepOf'>,
): string {
  for (let again = 0; ; again++) {
    const id = uuidOf(JSON.stringify(again === 0 ? says : [...says, again]));
    if (labels.taken(id) === undefined || labels.stepOf(labeller, id)?.stands) return id;
  }
}

/** RFC 9562, version 8: of our own making. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
