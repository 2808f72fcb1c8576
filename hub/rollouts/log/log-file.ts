import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { brokenBy, type Head, NO_LINKS } from '../../store/chain.js';
import { EVENT_LIMIT, type RolloutEvent } from '../events.js';

const startForm = z.object({ kind: z.literal('started'), gate: z.unknown().optional() });
function readJson(line: string): unknown {
  try {
    return parseJson(z.unknown(), line, EVENT_LIMIT, 'the first line');
  } catch {
    return null; // The reader of the log says what is wrong with it, by line.
  }
}

async function firstLine(path: string): Promise<string | null> {
  const file = createReadStream(path);
  try {
    for await (const line of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line.trim() !== '') return line;
    return null;
  } finally {
    file.destroy();
  }
}

/** Logs of the first gate begin without the number of a gate; they are audited by that gate, and go on under none. */
export async function isOfFirstGate(path: string): Promise<boolean> {
  // Parsed for good by whoever reads on; here only which of the two forms it is, however a hand has spaced it.
  const form = startForm.safeParse(readJson((await firstLine(path)) ?? ''));
  return form.success && form.data.gate === undefined;
}

/** An event with its place in the chain, as a hub exports it: the event's own line, and two keys at its end. */
export function chainedLine({ number, hash }: Head, body: string): string {
  return `${body.slice(0, -1)},"number":${number},"hash":"${hash}"}`;
}
const CHAINED = /,"number":(\d{1,15}),"hash":"([0-9a-f]{64})"\}$/;

/** Where a log stands that is read through; null before the first line. */
type Chain = { readonly head: Head } | 'none' | null;

/** The line's event alone, and the chain after it. Logs of before the chain, and those by hand, have none; one that begins with it has it to its end. */
function unchained(
  line: string,
  chain: Chain,
  where: string,
): { readonly body: string; readonly chain: Chain } {
  const found = CHAINED.exec(line);
  const [, number, hash = ''] = found ?? [];
  if (found === null || chain === 'none') {
    if (chain !== null && chain !== 'none')
      throw forged(`${where} has no number and no hash: it was inserted`);
    return { body: line, chain: 'none' };
  }
  const head = chain === null ? NO_LINKS : chain.head;
  const body = `${line.slice(0, found.index)}}`;
  const next = { number: Number(number), body, previous: head.hash, hash };
  const broken = brokenBy(head, next);
  if (broken !== null) throw forged(`event ${next.number}, ${where}, ${broken}`);
  return { body, chain: { head: next } };
}
function forged(what: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot replay: ${what}`, {
    remedy: 'It is not what the hub wrote: fetch the log from the hub again, or from a backup.',
  });
}

/** The events of a log, line by line; an error names the line. A last line that a power cut left unfinished is left out. */
export async function* readEvents<Event = RolloutEvent>(
  lines: AsyncIterable<string>,
  path: string,
  schema: z.ZodType<Event>,
): AsyncGenerator<Event> {
  let number = 0;
  let broken: unknown = null;
  let chain: Chain = null;
  for await (const line of lines) {
    if (broken !== null) throw broken;
    number += 1;
    if (line.trim() === '') continue;
    const own = unchained(line, chain, `line ${number} of ${path}`);
    chain = own.chain;
    try {
      yield parseJson(schema, own.body, EVENT_LIMIT, `line ${number} of ${path}`);
    } catch (error) {
      if (!(error instanceof AdbreakError) || !/it is not JSON/.test(error.message)) throw error;
      broken = error;
    }
  }
}
