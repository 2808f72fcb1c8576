import { type AuditLine, audit } from '@adbreak/shared/contract/http/audit.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import type { Link } from '../store/chain.js';
import type { HttpContext } from './context.js';
import type { Register } from './route.js';

/** Entries that one call reads at most, so that a question that fits nothing holds nobody up. */
const LOOKED_AT = 5000;
const READ_AT_ONCE = 500;
const LONGEST = 1024 * 1024;
/** The hub's clock may have been set back: the log is in the order of its numbers, and its times are nearly so. */
const CLOCK_STEP_MS = 24 * 3_600_000;

/** Who has changed what. `adbreak audit verify` looks beside the hub whether it is still as it was written. */
export function auditRoutes(register: Register, { store }: HttpContext): void {
  register(audit.list, async ({ query }) => {
    const entries: AuditLine[] = [];
    let before = query.before ?? Number.MAX_SAFE_INTEGER;
    for (let looked = 0; looked < LOOKED_AT; ) {
      const links = await store.auditedBefore(before, READ_AT_ONCE);
      for (const link of links) {
        const entry = entryOf(link);
        if (isLongBefore(entry, query.since)) return { entries, next: null };
        before = entry.number;
        if (!fits(entry, query)) continue;
        entries.push(entry);
        if (entries.length >= query.limit) return { entries, next: before > 1 ? before : null };
      }
      looked += links.length;
      if (links.length < READ_AT_ONCE) return { entries, next: null };
    }
    return { entries, next: before > 1 ? before : null };
  });
}

const written = z.object({
  at: z.string(),
  who: z.string(),
  what: z.string(),
  subject: z.string(),
  from: z.string().nullable().default(null),
  request: z.string().nullable().default(null),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});
function entryOf({ number, body }: Link): AuditLine {
  return {
    number,
    ...parseJson(written, body, LONGEST, `entry ${number} of the audit log`, 'state_corrupt'),
  };
}

interface Asked {
  readonly since?: string | undefined;
  readonly who?: string | undefined;
  readonly what?: string | undefined;
  readonly subject?: string | undefined;
}
function fits(entry: AuditLine, { since, who, what, subject }: Asked): boolean {
  return (
    (since === undefined || Date.parse(entry.at) >= Date.parse(since)) &&
    (who === undefined || entry.who === who || entry.who.endsWith(`:${who}`)) &&
    (what === undefined || isOfKind(entry.what, what)) &&
    (subject === undefined || entry.subject.includes(subject))
  );
}

/** `refused` is `session.refused` and `refused.more` too. */
function isOfKind(kind: string, asked: string): boolean {
  return kind === asked || kind.startsWith(`${asked}.`) || kind.endsWith(`.${asked}`);
}

function isLongBefore({ at }: AuditLine, since: string | undefined): boolean {
  return since !== undefined && Date.parse(at) < Date.parse(since) - CLOCK_STEP_MS;
}
