import { isAbsolute, join } from 'node:path';
import { MODEL_NAME } from '@adbreak/shared/contract/manifest.js';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { type Adapter, Low } from 'lowdb';
import { z } from 'zod';
import { urlProblem } from './sql/postgres-url.js';

export const SETTINGS_FILE = 'settings.json';
const LIMIT = 64 * 1024;

/** What people set once for a hub; read at its start. */
const settingsSchema = z.strictObject({
  /** How long after its end a device's certificate may still be renewed. */
  certificateGraceDays: z.number().min(0).max(3650).default(30),
  /** How long window reports are kept as they came; what was added up from them stays. */
  rawReportDays: z.number().min(1).max(3650).default(30),
  /** How many months (UTC) the sums of hours are kept. Two at least: windows are taken seven weeks late. */
  rollupHourMonths: z.int().min(2).max(1200).default(13),
  /** The same of the sums of days; null keeps them for ever. */
  rollupDayMonths: z.int().min(2).max(1200).nullable().default(null),
  /** The model that a tag brings, such as { "use=sports": "sports-ad-detector" }; the first that fits decides. */
  modelByTag: z
    .record(z.string().regex(/^[a-z0-9_-]{1,60}=.{1,60}$/, 'must be key=value'), z.string().regex(MODEL_NAME))
    .refine((rules) => Object.keys(rules).length <= 100, 'has more than 100 rules')
    .default({}),
  /** Trainings on the hub's own machine, docs/operations/training.md. */
  training: z
    .strictObject({
      /** The folder whose data sets jobs may name; null: no trainings here. */
      datasets: z
        .string()
        .min(1)
        .max(1000)
        .refine(isAbsolute, 'must be an absolute path')
        .nullable()
        .default(null),
      /** MiB that the hub's volume keeps for the hub itself: a job that leaves less is ended. */
      keepFreeMiB: z.int().min(0).max(10_000_000).default(512),
    })
    .prefault({}),
  /** postgres://USER@HOST/DATABASE; without it the hub's memory is SQLite in its state folder. */
  store: z
    .string()
    .max(2048)
    .superRefine((url, context) => {
      const message = urlProblem(url);
      if (message !== null) context.addIssue({ code: 'custom', message });
    })
    .optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

/** The settings of a hub, started or not; nothing is written. */
export async function readSettings(folder: string): Promise<Settings> {
  return (await read(join(folder, SETTINGS_FILE))) ?? usual();
}
const usual = () => check(settingsSchema, {}, 'the settings');
async function read(path: string): Promise<Settings | null> {
  const bytes = await readLimited(path, LIMIT);
  return bytes === undefined ? null : parseSettings(bytes, path);
}

/** Settings out of a file that lies elsewhere, such as a backup. */
export function parseSettings(bytes: Uint8Array, what: string): Settings {
  try {
    return parseJson(settingsSchema, bytes, LIMIT, what);
  } catch (error) {
    // The cause of a text that is no JSON quotes it, and it may hold a password.
    if (error instanceof AdbreakError) throw new AdbreakError(error.code, error.message);
    throw error;
  }
}

/** As they lie in a state folder. */
export function settingsText(settings: Settings): string {
  return `${JSON.stringify(settings, null, 2)}\n`;
}

/** The hub's settings: a small document by lowdb, written with what is usual where there is none, for people to edit. */
export async function openSettings(folder: string): Promise<Settings> {
  const path = join(folder, SETTINGS_FILE);
  const adapter: Adapter<Settings> = {
    read: () => read(path),
    // lowdb's own adapter renames without fsync; a power cut may then leave an empty file.
    write: (settings) => writeAtomic(path, settingsText(settings), { mode: 0o600 }),
  };
  const db = new Low<Settings>(adapter, usual());
  const known = await adapter.read();
  if (known === null) await db.write();
  else db.data = known;
  return db.data;
}
