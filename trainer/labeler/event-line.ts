import { createHash } from 'node:crypto';
import { labelActionSchema, labellerName } from '@adbreak/shared/contract/labelling.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { LabelEvent } from './fold.js';

/** Before the first line. */
export const FIRST_DIGEST = '0'.repeat(16);
/** Characters of one event: a spot of ten thousand airings has about one million. */
export const LINE_LIMIT = 4 * 1024 * 1024;

const eventSchema = z.strictObject({
  sequence: z.int().positive(),
  at: z.iso.datetime(),
  labeller: labellerName,
  action: labelActionSchema,
});

/** A line of the log, with the digest that the next one builds on. */
export interface Line {
  readonly text: string;
  readonly digest: string;
}

/** Each line's digest covers it and the digest before it: a changed, lost or moved line is noticed, and which one. */
export function lineOf(event: LabelEvent, before: string): Line {
  const { sequence, at, labeller, action } = event;
  const body = JSON.stringify({ sequence, at, labeller, action }).slice(0, -1);
  const digest = digestOf(before, body);
  return { text: `${body},"digest":"${digest}"}\n`, digest };
}

function digestOf(before: string, body: string): string {
  return createHash('sha256').update(before).update(body).digest('hex').slice(0, 16);
}

/** One line without its end. Throws `state_corrupt` with the number of the line where it is not what was written. */
export function parseLine(
  text: string,
  before: string,
  { path, line }: { readonly path: string; readonly line: number },
): { event: LabelEvent; digest: string } {
  // JSON leaves U+2028 and U+2029 as they are, which end a line for `.` without `s`.
  const [, body, digest] = /^(\{.*),"digest":"([0-9a-f]{16})"\}$/s.exec(text) ?? [];
  if (body === undefined || digest === undefined) throw changed(path, line, 'it has no digest');
  if (digestOf(before, body) !== digest)
    throw changed(path, line, 'it is not what was written, or a line before it is gone');
  const event = parseEvent(`${body}}`, path, line);
  if (event.sequence !== line) throw changed(path, line, `its sequence is ${event.sequence}`);
  return { event, digest };
}

function parseEvent(text: string, path: string, line: number): LabelEvent {
  try {
    return parseJson(eventSchema, text, LINE_LIMIT, 'the event');
  } catch (error) {
    throw changed(path, line, explain(error));
  }
}

function changed(path: string, line: number, why: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot read the labels: ${path}, line ${line}: ${why}`, {
    remedy:
      `Put the line back as it was (from a backup), or keep the lines before it: \`head -n ${line - 1} labels.events.jsonl > kept\`, ` +
      'and move that to its place. Labels are corrected on the page or with `adbreak label import`, not in this file.',
  });
}
