import { instantSchema } from '@adbreak/shared/contract/instant.js';
import { digest } from '@adbreak/shared/contract/manifest.js';
import { z } from 'zod';

/**
 * A backup: a gzipped tar of `backup.json`, then rows/TABLE/NUMBER.jsonl, then files/PATH, and last `manifest.json`
 * with the length and SHA-256 of all of them. docs/operations/backup.md. The manifest comes last because rows are
 * hashed while they are read, and a file that was cut off has none.
 */
export const FORMAT = 1;
export const HEADER = 'backup.json';
export const MANIFEST = 'manifest.json';

const bytes = z.int().nonnegative();

export const headerSchema = z.object({
  adbreak: z.literal('hub backup'),
  format: z.int().positive(),
  /** Version of the program that wrote it. */
  program: z.string().max(40),
  /** Number of the last migration of the database whose rows these are. */
  schema: z.int().positive(),
  /** The moment that the rows are of. */
  at: instantSchema(),
  /** Whether model artifacts are in it. */
  models: z.boolean(),
});
export type Header = z.infer<typeof headerSchema>;

const entrySchema = z.strictObject({ name: z.string(), bytes, sha256: digest });
export type Entry = z.infer<typeof entrySchema>;
export const manifestSchema = z.strictObject({ entries: z.array(entrySchema) });

/**
 * Names that a restore takes: nothing of a path but what a hub's state folder has. None begins with a dot or leads
 * elsewhere.
 */
const ROWS = /^rows\/([a-z_]{1,40})\/\d{6}\.jsonl$/;
const FILE =
  /^files\/(settings\.json|hub\.begun|(?:identity|registry\/(?:keys|metadata|targets))\/[A-Za-z0-9][A-Za-z0-9._-]{0,199})$/;

/** The table whose rows an entry holds; null for another entry. */
export function tableOf(name: string): string | null {
  return ROWS.exec(name)?.[1] ?? null;
}
/** Where a file belongs, from the state folder; null for another entry. */
export function pathOf(name: string): string | null {
  return FILE.exec(name)?.[1] ?? null;
}
export function rowsEntry(table: string, number: number): string {
  return `rows/${table}/${String(number).padStart(6, '0')}.jsonl`;
}
export function fileEntry(path: string): string {
  return `files/${path}`;
}

const MIB = 1024 * 1024;
/** Rows are written in entries of about this size, so that neither side holds more of them. */
export const CHUNK = 4 * MIB;
const LIMITS = {
  /** One row may be a rollout's snapshot; its quotes are escaped once more. */
  rows: 511 * MIB,
  /** The largest artifact is a model. */
  artifact: 256 * MIB,
  /** Keys, certificates, metadata, settings. */
  file: 5 * MIB,
  header: 64 * 1024,
  manifest: 64 * MIB,
};
/** Entries of a backup at most: 800 GB of rows. */
export const MOST_ENTRIES = 200_000;

/** Bytes that an entry may have. */
export function limitOf(name: string): number {
  if (name === HEADER) return LIMITS.header;
  if (name === MANIFEST) return LIMITS.manifest;
  if (tableOf(name) !== null) return LIMITS.rows;
  return name.startsWith(fileEntry('registry/targets/')) ? LIMITS.artifact : LIMITS.file;
}

/** In the place of a database's URL: the file in the state folder. */
export const SQLITE = 'sqlite';
