import { createReadStream } from 'node:fs';
import { access, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain, printable, systemCode } from '@adbreak/shared/errors.js';
import { readLimited, syncFolder } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { rowsOfHours } from '../monitoring/legacy.js';
import { EVENT_LIMIT, type RolloutEvent, rolloutEvent } from '../rollouts/events.js';
import { isOfFirstGate } from '../rollouts/log/log-file.js';
import type { Effect } from '../rollouts/moves.js';
import { ROLLOUT_ID } from '../rollouts/rollout.js';
import { start, step } from '../rollouts/step.js';
import { type Head, link, NO_LINKS } from './chain.js';
import { DOCUMENT_LIMIT, type Document, type DocumentRollout, readDocument } from './document.js';
import { keepEffects } from './effects.js';
import { statementsOfAll } from './rows.js';
import type { Database } from './sql/database.js';
import { put, type Statement } from './sql/queries.js';
import { AUDIT, auditRow, eventRow, rolloutChain } from './sql-store.js';
import type { StoredRollout } from './state.js';

/** What hubs before 0.3 kept in files, and where it is afterwards, for people to read. */
const OLD = { document: 'hub.json', audit: 'audit.jsonl', logs: 'rollouts' } as const;
export const BEFORE = '.before';
/** Of a line that is no entry, characters that are kept. */
const REMAINS_LIMIT = 10_000;
const ORIGIN = { sql: "select value from meta where key = 'origin'", parameters: [] };
const origins = z.array(z.object({ value: z.string() }));

/**
 * The memory of an earlier hub into an empty database, in one transaction; its files are renamed only then. Killed before the
 * commit, the next start begins anew; killed after it, it renames the rest.
 */
export async function takeOver(
  folder: string,
  database: Database,
  now: Date,
  say: (line: string) => void,
): Promise<void> {
  const [origin] = origins.parse(await database.rows(ORIGIN));
  if (origin === undefined) await fill(folder, database, now, say);
  const from = origin?.value ?? origins.parse(await database.rows(ORIGIN))[0]?.value;
  if (from !== 'files') return;
  for (const name of Object.values(OLD)) await refuseTwo(folder, name);
  for (const name of Object.values(OLD)) await moveAway(folder, name);
}

async function fill(
  folder: string,
  database: Database,
  now: Date,
  say: (line: string) => void,
): Promise<void> {
  const path = join(folder, OLD.document);
  const bytes = await readLimited(path, DOCUMENT_LIMIT);
  if (bytes === undefined) {
    await database.transact([put('meta', { key: 'origin' }, { value: 'new' })]);
    return;
  }
  await database.transact(everything(folder, readDocument(bytes, path), now, say));
  say(
    `${path}, its event logs and its audit log are in ${database.name} now; the old files stay beside it as *${BEFORE}`,
  );
}

async function* everything(
  folder: string,
  { state, rollouts, hours }: Document,
  now: Date,
  say: (line: string) => void,
): AsyncGenerator<Statement> {
  const logs = join(folder, OLD.logs);
  const named = (await readdir(logs).catch(unlessMissing)) ?? [];
  const ids = named.filter((name) => name.endsWith('.jsonl')).map((name) => name.slice(0, -6));
  const heads = new Map<string, Head>();
  for (const known of rollouts)
    if (!ids.includes(known.id))
      say(
        `rollout ${known.id}: it is ${known.status}, and its log is gone; what is decided from here on cannot be replayed`,
      );
  for (const { id, path } of await byStart(logs, ids, rollouts)) {
    const known = rollouts.find((one) => one.id === id);
    if (known === undefined && (await isOfFirstGate(path))) continue;
    const log = await readLog(path, known);
    if (log === null || state.models[log.rollout.model]?.versions[log.rollout.to.version] === undefined) {
      say(`${path} is the log of no rollout that this hub knows; it is left alone`);
      continue;
    }
    let head = NO_LINKS;
    for (const event of log.events) {
      const one = link(head, JSON.stringify(event));
      yield eventRow(id, event, one);
      head = { number: one.number, hash: one.hash };
    }
    heads.set(rolloutChain(id), head);
    state.rollouts.push({ ...log.rollout, seen: head.number });
    keepEffects(state, log.rollout, head.number, log.effects);
  }
  // In the order of the document; what the logs alone know came last.
  const logged = new Map(state.rollouts.map((one) => [one.id, one]));
  const inOrder = rollouts.map((one): StoredRollout => logged.get(one.id) ?? { ...one, seen: 0 });
  state.rollouts = [...inOrder, ...state.rollouts.filter(({ id }) => !rollouts.some((one) => one.id === id))];
  for (const { id, pending } of rollouts)
    for (const [i, kind] of pending.entries()) state.outbox[`${id} before ${i}`] = { kind, rollout: id };
  yield* statementsOfAll(state);
  yield* rowsOfHours(hours);
  yield* audit(join(folder, OLD.audit), heads);
  for (const [chain, head] of heads) yield put('head', { chain }, { ...head });
  yield put('meta', { key: 'origin' }, { value: 'files' });
  yield put('meta', { key: 'taken over' }, { value: now.toISOString() });
}

/** Logs in the order in which their rollouts began: of two that set the production version, the later one has the last word. */
async function byStart(folder: string, ids: readonly string[], rollouts: readonly DocumentRollout[]) {
  const began: { readonly id: string; readonly path: string; readonly at: number }[] = [];
  for (const id of ids.filter((one) => ROLLOUT_ID.test(one))) {
    const path = join(folder, `${id}.jsonl`);
    const known = rollouts.find((one) => one.id === id);
    began.push({ id, path, at: Date.parse(known?.startedAt ?? (await startedAt(path)) ?? '') || 0 });
  }
  return began.sort((a, b) => a.at - b.at);
}

const startForm = z.object({ kind: z.literal('started'), at: z.iso.datetime() });
async function startedAt(path: string): Promise<string | null> {
  for await (const { line } of lines(path)) return startForm.safeParse(readJson(line)).data?.at ?? null;
  return null;
}
function readJson(line: string): unknown {
  try {
    return parseJson(z.unknown(), line, EVENT_LIMIT, 'a line');
  } catch {
    return null;
  }
}

/** A rollout's events, and its state with those that the document had not seen. A decision whose record was cut is written now. */
async function readLog(path: string, known: DocumentRollout | undefined) {
  const events: RolloutEvent[] = [];
  const effects: Effect[] = [];
  let rollout: StoredRollout | null = known === undefined ? null : { ...known, seen: 0 };
  // Before positions were kept, state and log were written at the same time: the state is believed.
  const seen = known === undefined ? 0 : (known.seen ?? Number.POSITIVE_INFINITY);
  let unwritten: RolloutEvent | null = null;
  try {
    for await (const { line, ends } of lines(path)) {
      const event = parseJson(rolloutEvent, line, EVENT_LIMIT, `a line of ${path}`);
      events.push(event);
      if (ends <= seen) continue;
      if (event.kind === 'decision') unwritten = null;
      else if (event.kind === 'started') rollout = { ...start(event), seen: 0 };
      else if (rollout !== null) {
        const result: ReturnType<typeof step> = step(rollout, event);
        rollout = { ...result.state, seen: 0 };
        effects.push(...result.effects);
        unwritten = result.decision === null ? null : { kind: 'decision', entry: result.decision };
      }
    }
  } catch (cause) {
    throw new AdbreakError('state_corrupt', `Cannot take over ${path}: ${explain(cause)}`, {
      cause,
      remedy:
        'Restore the file from a backup, or move it away with hub.json restored to the time before; nothing was overwritten.',
    });
  }
  if (unwritten !== null) events.push(unwritten);
  return rollout === null ? null : { events, effects, rollout };
}

/** Whole lines, and where they end in bytes. A last one that a power cut left unfinished is left out. */
async function* lines(path: string): AsyncGenerator<{ readonly line: string; readonly ends: number }> {
  let ends = 0;
  let last: string | null = null;
  const file = createReadStream(path);
  try {
    for await (const line of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (last !== null) {
        ends += Buffer.byteLength(last) + 1;
        if (last.trim() !== '') yield { line: last, ends };
      }
      last = line;
    }
  } finally {
    file.destroy();
  }
  if (last === null || readJson(last) === null) return;
  yield { line: last, ends: ends + Buffer.byteLength(last) + 1 };
}

async function* audit(path: string, heads: Map<string, Head>): AsyncGenerator<Statement> {
  let head = NO_LINKS;
  try {
    for await (const { line } of lines(path)) {
      const entry = readJson(line);
      const one = link(head, entry === null ? remains(line) : line);
      const at = z.object({ at: z.string() }).safeParse(entry).data?.at ?? '';
      yield auditRow(at, one);
      head = { number: one.number, hash: one.hash };
    }
  } catch (error) {
    unlessMissing(error);
  }
  if (head.number > 0) heads.set(AUDIT, head);
}

/** A power cut may leave a hole of NUL bytes, which no database keeps in a text: what else stood there stays readable. */
function remains(line: string): string {
  const whole = printable(line.replace(/\0+/g, ({ length }) => `(${length} bytes 0)`));
  return whole.slice(0, REMAINS_LIMIT);
}

/** Taken over before, and there again: an older hub has run on the folder since. */
async function refuseTwo(folder: string, name: string): Promise<void> {
  const there = (path: string) =>
    access(path).then(
      () => true,
      (error: unknown) => unlessMissing(error) !== null,
    );
  const path = join(folder, name);
  if (!(await there(path)) || !(await there(`${path}${BEFORE}`))) return;
  throw new AdbreakError(
    'conflict',
    `Cannot open ${folder}: ${name} was taken over before, and an older hub has written another one since`,
    {
      remedy: `Nothing was changed. To go on with the database, move ${name} away; to go on with ${name}, move hub.db and all *${BEFORE} away.`,
    },
  );
}

async function moveAway(folder: string, name: string): Promise<void> {
  await rename(join(folder, name), join(folder, `${name}${BEFORE}`)).catch(unlessMissing);
  await syncFolder(folder);
}

function unlessMissing(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}
