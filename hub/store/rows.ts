import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { round } from '../evaluations/round.js';
import { trainingJob } from '../training/job.js';
import type { Changes } from './draft.js';
import { type HubTime, hubTime } from './hub-time.js';
import type { Database } from './sql/database.js';
import { keysAs, unescaped } from './sql/keys.js';
import { all, find, put, type Row, remove, type Statement } from './sql/queries.js';
import {
  account,
  claim,
  device,
  deviceCommandRow,
  emptyState,
  type HubState,
  model,
  operator,
  operatorCommandRow,
  outboxEntry,
  session,
  storedRollout,
  token,
  version,
} from './state.js';

/** The longest JSON of a row. A rollout's snapshot is the longest there is: 2 KB a device. */
const ROW_LIMIT = 256 * 1024 * 1024;

/** How the state lies in tables: a row for what changes together. */
const TABLES = {
  claim: { keys: ['hash'], schema: claim },
  token: { keys: ['id'], schema: token },
  account: { keys: ['name'], schema: account },
  session: { keys: ['hash'], schema: session },
  device: { keys: ['id'], schema: device },
  model: { keys: ['name'], schema: model.omit({ versions: true }) },
  version: { keys: ['model', 'version'], schema: version },
  rollout: { keys: ['id'], schema: storedRollout },
  round: { keys: ['id'], schema: round.omit({ answers: true }) },
  answer: { keys: ['round', 'device'], schema: round.shape.answers.valueType },
  outbox: { keys: ['key'], schema: outboxEntry },
  operator_entry: { keys: ['name'], schema: operator },
  operator_command: { keys: ['key'], schema: operatorCommandRow },
  device_command: { keys: ['key'], schema: deviceCommandRow },
  training_job: { keys: ['id'], schema: trainingJob },
} as const;
type Table = keyof typeof TABLES;

/** The statements that bring the tables from one state to the next. */
export function* statementsOf(
  before: Readonly<HubState>,
  { records, lists }: Changes,
  limit = ROW_LIMIT,
): Generator<Statement> {
  for (const [table, changed] of [
    ['claim', records.claims],
    ['account', records.accounts],
    ['session', records.sessions],
    ['device', records.devices],
    ['outbox', records.outbox],
    ['operator_entry', records.operators],
    ['operator_command', records.operatorCommands],
    ['device_command', records.deviceCommands],
    ['training_job', records.trainingJobs],
  ] as const)
    for (const [key, row] of changed) yield write(table, [key], row, limit);
  for (const [name, row] of records.models) {
    const { versions = {}, ...head } = row ?? {};
    yield write('model', [name], row && head, limit);
    for (const [key, one] of changedIn(before.models[name]?.versions, versions))
      yield write('version', [name, key], one, limit);
  }
  for (const [id, row] of changedById(before.tokens, lists.tokens)) yield write('token', [id], row, limit);
  for (const [id, row] of changedById(before.rollouts, lists.rollouts))
    yield write('rollout', [id], row, limit);
  for (const [id, row, old] of changedById(before.evaluations, lists.evaluations)) {
    const { answers, ...head } = row ?? {};
    yield write('round', [id], row && head, limit);
    for (const [key, one] of changedIn(old?.answers, answers)) yield write('answer', [id, key], one, limit);
  }
}

function write(table: Table, values: readonly string[], body: unknown, limit: number): Statement {
  const keys = keysOf(table, values);
  if (body === undefined) return remove(table, keys);
  refuseUnreadable(table, values, body);
  const text = JSON.stringify(body);
  // What could not be read back at the next start is not written: nobody is told that it is kept.
  if (text.length > limit)
    throw new AdbreakError(
      'input_too_large',
      `Cannot keep ${table} ${values.join(' ')}: it has ${text.length} characters, at most ${limit}`,
    );
  return put(table, keys, { body: text });
}
/** One that no start could read would end the hub for good: who asked for it is refused, alone. */
function refuseUnreadable(table: Table, values: readonly string[], body: unknown): void {
  const row = table === 'rollout' ? withoutBulk(body) : body;
  const read = TABLES[table].schema.safeParse(row);
  if (read.success) return;
  const [issue] = read.error.issues;
  throw new AdbreakError(
    'input_invalid',
    `Cannot keep ${table} ${values.join(' ')}: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

const bulky = z.looseObject({ evidence: z.looseObject({}), drift: z.looseObject({}) });
/** Evidence is megabytes, and sums of reports that were parsed each: the rest of a rollout is looked at. */
function withoutBulk(body: unknown): unknown {
  const found = bulky.safeParse(body);
  if (!found.success) return body;
  const { evidence, drift } = found.data;
  return {
    ...found.data,
    evidence: { ...evidence, devices: {}, open: {}, waiting: {} },
    drift: { ...drift, reference: null, open: {} },
  };
}

function keysOf(table: Table, values: readonly string[]): Row {
  return keysAs(TABLES[table].keys, values);
}

/** What differs by identity: rows are replaced, not changed. */
function* changedIn<T>(
  before: Readonly<Record<string, T>> = {},
  after: Readonly<Record<string, T>> = {},
): Generator<[string, T | undefined]> {
  if (before === after) return;
  for (const [key, one] of Object.entries(after))
    if (!Object.hasOwn(before, key) || before[key] !== one) yield [key, one];
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) yield [key, undefined];
}
function* changedById<T extends { readonly id: string }>(
  before: readonly T[],
  after: readonly T[] | undefined,
): Generator<[string, T | undefined, T | undefined]> {
  if (after === undefined) return;
  const old = new Map(before.map((one) => [one.id, one]));
  for (const one of after) if (old.get(one.id) !== one) yield [one.id, one, old.get(one.id)];
  const kept = new Set(after.map(({ id }) => id));
  for (const one of before) if (!kept.has(one.id)) yield [one.id, undefined, one];
}

/** The statements that write a whole state into empty tables. */
export function statementsOfAll(state: HubState): Iterable<Statement> {
  const records = (rows: Readonly<Record<string, unknown>>) => new Map(Object.entries(rows));
  const { tokens, rollouts, evaluations, claims, accounts, sessions, devices, models, outbox } = state;
  const { operators, operatorCommands, deviceCommands, trainingJobs } = state;
  const changes = {
    claims: records(claims),
    accounts: records(accounts),
    sessions: records(sessions),
    devices: records(devices),
    models: records(models),
    outbox: records(outbox),
    operators: records(operators),
    operatorCommands: records(operatorCommands),
    deviceCommands: records(deviceCommands),
    trainingJobs: records(trainingJobs),
  };
  return statementsOf(emptyState(), {
    records: changes as Changes['records'],
    lists: { tokens, rollouts, evaluations },
    found: [],
  });
}

/** The state as the tables have it; every row parsed. Throws `state_corrupt` with its table and keys. */
export async function readRows(database: Database): Promise<HubState> {
  const state: HubState = {
    ...emptyState(),
    revisionFloor: await readFloor(database),
    time: await readTime(database),
  };
  for await (const [hash, row] of read(database, 'claim', claim)) state.claims[hash] = row;
  for await (const [, row] of read(database, 'token', token)) state.tokens.push(row);
  for await (const [name, row] of read(database, 'account', account)) state.accounts[name] = row;
  for await (const [hash, row] of read(database, 'session', session)) state.sessions[hash] = row;
  for await (const [id, row] of read(database, 'device', device)) state.devices[id] = row;
  for await (const [name, row] of read(database, 'model', TABLES.model.schema))
    state.models[name] = { ...row, versions: {} };
  for await (const [name, row, number = ''] of read(database, 'version', version))
    Object.assign(state.models[name]?.versions ?? {}, { [number]: row });
  for await (const [, row] of read(database, 'rollout', storedRollout)) state.rollouts.push(row);
  for await (const [, row] of read(database, 'round', TABLES.round.schema))
    state.evaluations.push({ ...row, answers: {} });
  const rounds = new Map(state.evaluations.map((one) => [one.id, one]));
  for await (const [id, row, who = ''] of read(database, 'answer', TABLES.answer.schema))
    Object.assign(rounds.get(id)?.answers ?? {}, { [who]: row });
  for await (const [key, row] of read(database, 'outbox', outboxEntry)) state.outbox[key] = row;
  for await (const [name, row] of read(database, 'operator_entry', operator)) state.operators[name] = row;
  for await (const [key, row] of read(database, 'operator_command', operatorCommandRow))
    state.operatorCommands[key] = row;
  for await (const [key, row] of read(database, 'device_command', deviceCommandRow))
    state.deviceCommands[key] = row;
  for await (const [id, row] of read(database, 'training_job', trainingJob)) state.trainingJobs[id] = row;
  return state;
}

/** A restore writes it; where there was none there is none. */
export function putFloor(revision: number): Statement {
  return put('meta', { key: FLOOR }, { value: String(revision) });
}
const FLOOR = 'revision floor';
export function isFloor(key: string): boolean {
  return key === FLOOR;
}
const floorRows = z.array(z.object({ value: z.string().regex(/^\d{1,16}$/) })).max(1);
async function readFloor(database: Database): Promise<number> {
  const found = await database.rows({ sql: `select value from meta where key = '${FLOOR}'`, parameters: [] });
  const [row] = check(floorRows, found, `${FLOOR} of ${database.name}`, 'state_corrupt');
  return Number(row?.value ?? 0);
}

const TIME = 'time';
const TIME_LIMIT = 1024;
export function putTime(time: HubTime): Statement {
  return put('meta', { key: TIME }, { value: JSON.stringify(time) });
}
const timeRow = z.object({ value: z.string() });
async function readTime(database: Database): Promise<HubTime | null> {
  const what = `the ${TIME} of ${database.name}`;
  const [row] = await database.rows(find('meta', [{ key: TIME }]));
  if (row === undefined) return null;
  return parseJson(
    hubTime,
    check(timeRow, row, what, 'state_corrupt').value,
    TIME_LIMIT,
    what,
    'state_corrupt',
  );
}

/**
 * Reads a row of any table as a start would, where a start reads it. Throws `state_corrupt` with its table and keys.
 */
export function refuseBadRow(table: string, found: unknown, name: string): void {
  if (isOfState(table)) readRow<unknown>(table, TABLES[table].schema, found, name);
}
function isOfState(table: string): table is Table {
  return Object.hasOwn(TABLES, table);
}

const stored = z.looseObject({ body: z.string() });
/** The first key, the row, and the keys after the first. */
function readRow<T>(
  table: Table,
  schema: z.ZodType<T>,
  found: unknown,
  name: string,
): [string, T, ...string[]] {
  const { body, ...columns } = check(stored, found, `a row of ${table} of ${name}`, 'state_corrupt');
  const [first = '', ...others] = TABLES[table].keys.map((key) => unescaped(columns[key]));
  const what = `${table} ${[first, ...others].join(' ')} of ${name}`;
  return [first, parseJson(schema, body, ROW_LIMIT, what, 'state_corrupt'), ...others];
}
async function* read<T>(
  database: Database,
  table: Table,
  schema: z.ZodType<T>,
): AsyncGenerator<[string, T, ...string[]]> {
  for (const found of await database.rows(all(table))) yield readRow(table, schema, found, database.name);
}
