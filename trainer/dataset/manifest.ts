import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';
import { CHANGES } from './picture.js';

export const MANIFEST = 'dataset.json';
const LIMIT = 512 * 1024 * 1024;
const MOST_PICTURES = 2_000_000;

const name = z.string().min(1).max(4096);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const split = z.enum(['train', 'val', 'test', 'calibration']);
const share = z.number().positive().lt(1);
/** Below the data set, and never out of it: split, label, one file name. */
const path = z.string().regex(/^(train|val|test|calibration)\/(ad|content)\/(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u);

const entry = z.strictObject({
  path,
  split,
  label: z.enum(['ad', 'content']),
  sha256: digest,
  /** In pixels. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** What never crosses a split: a recording, a scene, a set of near-duplicates. */
  group: name,
  /** The recording's folder, the folder below ad/ or content/, or the source itself. */
  source: name,
  /** Path below the source; of a recording's frame with its second. */
  origin: name,
  /** Seconds of media time, the frame's own timestamp; null of a picture. */
  at: z.number().nonnegative().nullable(),
  changes: z.array(z.enum(CHANGES)).max(CHANGES.length),
});

/** The fingerprint is over paths: what an entry says beside its path must be what the path says. */
const pictureSchema = entry.refine(({ path: at, split, label }) => at.startsWith(`${split}/${label}/`), {
  error: 'its path must be of its split and label',
});
export type PictureEntry = z.infer<typeof pictureSchema>;

const reasons = [
  'unreadable',
  'tiny',
  'too large',
  'both labels',
  'in another split too',
  'not labelled',
] as const;
export type Reason = (typeof reasons)[number];

const manifestSchema = z.strictObject({
  schema: z.literal(1),
  /** SHA-256 over each picture's path, label and digest. */
  fingerprint: digest,
  seed: z.int().positive(),
  splitRatio: z.strictObject({ train: share, val: share, test: share }),
  maxFrames: z.int().positive().nullable(),
  sources: z
    .array(
      z.strictObject({
        /** Path below the source folder; of pictures `ad` and `content`. */
        path: name,
        kind: z.enum(['pictures', 'recording']),
        /** How many pictures or labelled frames it offered. */
        offered: z.int().nonnegative(),
        /** Of a recording and of its labels. */
        sha256: digest.nullable(),
        labelsSha256: digest.nullable(),
      }),
    )
    .max(100_000),
  pictures: z.array(pictureSchema).max(MOST_PICTURES),
  leftOut: z
    .array(z.strictObject({ origin: name, reason: z.enum(reasons), detail: z.string().max(1000) }))
    .max(MOST_PICTURES),
});
/** What a prepared data set is, and of what it was made. */
export type DatasetManifest = z.infer<typeof manifestSchema>;

/** SHA-256 over what a network learns from: it changes with a picture, a label or a split, and with nothing else. */
export function fingerprintOf(pictures: readonly Pick<PictureEntry, 'path' | 'sha256'>[]): string {
  return sha256(pictures.map((picture) => `${picture.sha256} ${picture.path}\n`).join(''));
}

/** Undefined where the folder is no prepared data set. Throws `dataset_invalid` where the manifest is not what it must be. */
export async function readManifest(folder: string): Promise<DatasetManifest | undefined> {
  const manifest = await readJson(manifestSchema, join(folder, MANIFEST), LIMIT, 'dataset_invalid');
  if (manifest === undefined || fingerprintOf(manifest.pictures) === manifest.fingerprint) return manifest;
  throw new AdbreakError(
    'dataset_invalid',
    `Cannot use ${join(folder, MANIFEST)}: its pictures do not give its fingerprint`,
    { remedy: 'It was changed by hand; prepare the data set again.' },
  );
}

export async function writeManifest(folder: string, manifest: DatasetManifest): Promise<void> {
  const { pictures, leftOut, ...head } = manifest;
  const lines = (items: readonly unknown[]) => items.map((item) => `\n    ${JSON.stringify(item)}`).join(',');
  // A picture a line, so that two data sets can be compared by `diff`.
  const text = `${JSON.stringify(head, null, 2).replace(/\n}$/, '')},
  "pictures": [${lines(pictures)}\n  ],
  "leftOut": [${lines(leftOut)}\n  ]\n}\n`;
  await writeAtomic(join(folder, MANIFEST), text);
}

/** A picture's bytes, held to the manifest. Throws `dataset_invalid` with its path where it is gone or another one now. */
export async function readPicture(folder: string, { path: below, sha256: expected }: PictureEntry) {
  const bytes = await readLimited(join(folder, below), LIMIT);
  if (bytes !== undefined && sha256(bytes) === expected) return bytes;
  throw new AdbreakError(
    'dataset_invalid',
    `Cannot use ${join(folder, below)}: it ${bytes === undefined ? 'is gone' : 'has changed since the data set was prepared'}`,
  );
}
