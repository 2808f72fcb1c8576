import { z } from 'zod';
import { AdbreakError } from '../errors.js';
import { instantSchema } from './instant.js';

/**
 * What all commands over MQTT have in common, those of operators and those to devices: a name, a deadline, one answer.
 * docs/protocol/operators.md, docs/protocol/device-commands.md, docs/decisions/021.
 */

/** Drawn by who commands, last level of the topic: what comes twice under one name is one command. A UUID fits. */
export const COMMAND_ID = /^[a-z0-9][a-z0-9-]{7,63}$/;
/** Bytes of a command; its answer may have MESSAGE_LIMIT. */
export const COMMAND_LIMIT = 8 * 1024;

const instant = instantSchema();
const MOST_WORDS = 2000;

/** As docs/errors.md lists them. A later hub may know more of them, so a code is no enumeration here. */
export const commandFault = z.object({
  code: z
    .string()
    .regex(/^[a-z][a-z_]{0,39}$/)
    .describe('A code of docs/errors.md.'),
  message: z.string().max(MOST_WORDS).describe('What is wrong with which thing, for people.'),
  remedy: z.string().max(MOST_WORDS).describe('What to do, for people.'),
});

/** The answer to a command that was not carried out. */
export const refusedReply = z.object({
  outcome: z.literal('refused').describe('Nothing was changed.'),
  at: instant.describe('When it was answered, by the clock of who answers.'),
  error: commandFault.describe('Why not.'),
});
type RefusedReply = z.infer<typeof refusedReply>;

export function refusedBy({ code, message, remedy }: AdbreakError, now: Date): RefusedReply {
  const error = { code, message: message.slice(0, MOST_WORDS), remedy: remedy.slice(0, MOST_WORDS) };
  return { outcome: 'refused', at: now.toISOString(), error };
}

/**
 * Null while a command may be begun, else why not; pure.
 * @param what as people say it after "Cannot": `promote base-ad-detector 2.0.0`
 * @param mostMs how far ahead a deadline may lie, milliseconds
 */
export function deadlineRefusal(
  { deadline }: { readonly deadline: string },
  { now, what, mostMs }: { readonly now: Date; readonly what: string; readonly mostMs: number },
): AdbreakError | null {
  const left = Date.parse(deadline) - now.getTime();
  const clock = `by the clock here it is ${now.toISOString()}`;
  if (left <= 0)
    return new AdbreakError('command_expired', `Cannot ${what}: its deadline was ${deadline}, and ${clock}`);
  return left <= mostMs
    ? null
    : new AdbreakError(
        'input_invalid',
        `Cannot ${what}: its deadline must be within ${mostMs / 3_600_000} hours: it is ${deadline}, and ${clock}`,
      );
}

/**
 * One text for one command, in whatever order its keys came. Kept (or hashed) beside the name and the answer, it tells
 * the same command that comes again from another one under a name that was used.
 * @param command as its schema has parsed it, so that defaults are filled in
 */
export function canonicalCommand(command: unknown): string {
  return JSON.stringify(command, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
