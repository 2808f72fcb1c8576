import { z } from 'zod';
import { count, instant } from './common.js';
import { contract } from './contract.js';

export const AUDIT_PAGE = 500;

/** Who did what, or tried to. */
export const auditEntry = z.object({
  number: z.int().positive(),
  at: instant,
  /** `token:first`, `device:pi-3`, `gate:ROLLOUT`, `claim:HASH`, `hub`. */
  who: z.string(),
  /** `device.set`, `model.promote`, `refused`, … */
  what: z.string(),
  subject: z.string(),
  /** The address that it came from, and the request, as the hub's log names it; null where it was none. */
  from: z.string().nullable(),
  request: z.string().nullable(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});
export type AuditLine = z.infer<typeof auditEntry>;

const list = contract({
  method: 'GET',
  path: '/api/v1/audit',
  access: 'admin',
  doing: 'reading the audit log',
  summary: 'Who has changed what, and who was refused; the newest first, a page at a time.',
  more: 'A call looks through some thousand entries. `next` is what `before` takes to look further; null at the end.',
  query: z.strictObject({
    since: instant.optional(),
    who: z
      .string()
      .max(120)
      .optional()
      .describe('As the entry says it, or its end: `first` is `token:first`'),
    what: z
      .string()
      .max(60)
      .optional()
      .describe(
        'As the entry says it, its begin (`device` is `device.set`), or its end (`refused` is `session.refused`)',
      ),
    subject: z.string().max(200).optional().describe('A part of it'),
    before: z.coerce.number().int().min(1).optional(),
    limit: z.coerce.number().int().min(1).max(AUDIT_PAGE).default(100),
  }),
  answer: z.object({ entries: z.array(auditEntry), next: count.nullable() }),
});

export const audit = { list };
