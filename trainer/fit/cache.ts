import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** What no run has used for so long is of other data and other networks. */
export const UNUSED_DAYS = 90;
/** Whoever was writing it is gone. */
const UNFINISHED_DAYS = 1;
const DAY_MS = 86_400_000;

/** What a cache consists of: rows in folders of their own, the rest beside them. Nothing else is touched. */
const OURS = /^([0-9a-f]{32}\/)?[0-9a-f]{32}\.(rows|index|pictures|network|epochs|observed)$/;
/** Of the same, what a run that was killed left (`writeAtomic`). */
const UNFINISHED = /^([0-9a-f]{32}\/)?\.[0-9a-f]{32}\.[a-z]+\.\d+\.part$/;

/**
 * Removes from a cache what was not used for long, by the times of its files, and says how many bytes that
 * were. Others may read and write there meanwhile.
 */
export async function collectCache(folder: string, now: Date): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let removed = 0;
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const days = entry.isFile() ? mostDays(relative(folder, path)) : null;
    const facts = days === null ? null : await stat(path).catch(() => null);
    if (days === null || facts === null || now.getTime() - facts.mtimeMs < days * DAY_MS) continue;
    await rm(path, { force: true });
    removed += facts.size;
    // Only where that was the last of a folder.
    if (dirname(path) !== folder) await rmdir(dirname(path)).catch(() => undefined);
  }
  return removed;
}

/** How long a file of a cache is kept without use; null for what is none of ours. */
function mostDays(name: string): number | null {
  if (OURS.test(name)) return UNUSED_DAYS;
  return UNFINISHED.test(name) ? UNFINISHED_DAYS : null;
}
