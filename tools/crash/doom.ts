import { Broker } from '@adbreak/hub/broker/broker.js';
import { Intake } from '@adbreak/hub/fleet/ingest.js';
import { Postgres } from '@adbreak/hub/store/sql/postgres.js';
import { Sqlite } from '@adbreak/hub/store/sql/sqlite.js';
import { SqlStore } from '@adbreak/hub/store/sql-store.js';
import { DOOM, isStep, STEPS, type Step } from './steps.js';

/**
 * Loaded before the hub's own command by `node --import`: puts itself between the hub and its ports, and kills the process at
 * a passage of a step. The product knows nothing of it: no option, no hook, and nothing of this folder is shipped.
 */
const [, passage, name] = /^(\d+) (.+)$/.exec(process.env[DOOM] ?? '') ?? [];
if (passage === undefined || name === undefined || !isStep(name))
  throw new Error(`${DOOM} must be "N STEP": it is ${process.env[DOOM]}`);
let left = Number(passage);

function pass(step: Step): void {
  if (step !== name || --left > 0) return;
  process.kill(process.pid, 'SIGKILL');
}

type Method = (this: unknown, ...parameters: never[]) => unknown;
/** Puts `around` in a method's place; `go` is the method as it was. */
function wrap(
  type: { readonly prototype: object },
  method: string,
  around: (go: (...all: unknown[]) => unknown, parameters: unknown[]) => unknown,
): void {
  const before: Method = Reflect.get(type.prototype, method);
  Reflect.set(type.prototype, method, function (this: unknown, ...parameters: unknown[]) {
    return around((...all) => Reflect.apply(before, this, all), parameters);
  });
}

// — a report's way through the intake, and desired states on their way out —

wrap(Intake, 'take', async (go, parameters) => {
  if (parameters[1] !== 'windows') return go(...parameters);
  pass('report arrived');
  const taken = await go(...parameters);
  pass('report kept, not acknowledged');
  // Aedes writes the PUBACK in the turns after this one.
  setImmediate(() => setImmediate(() => pass('report acknowledged')));
  return taken;
});
wrap(Broker, 'publish', (go, parameters) => {
  pass('desired state on its way out');
  return go(...parameters);
});

// — the store's port: what a transaction is, is seen by what its edit does —

interface Draft {
  readonly outbox: Readonly<Record<string, unknown>>;
  readonly devices: Readonly<Record<string, { readonly desired: { readonly revision: number } | null }>>;
}
type Edit = (state: Draft, writing: object) => unknown;

const BEFORE: Readonly<Record<string, Step>> = {
  report: 'report before its commit',
  started: 'start before its commit',
  assigned: 'assignment before its commit',
  decision: 'decision before its commit',
  desired: 'desired states before their commit',
  effect: 'effect carried out, not struck out',
};
const AFTER: Readonly<Record<string, Step>> = {
  report: 'report committed',
  started: 'start committed',
  assigned: 'assignment committed',
  decision: 'decision committed, before its effects',
  desired: 'desired states committed, not published',
  effect: 'effect struck out',
};

/** The edit, and what it turned out to be; run again it says so anew. */
function watched(edit: Edit, kinds: Set<string>): Edit {
  return (state, writing) => {
    kinds.clear();
    const revisions = () =>
      Object.values(state.devices)
        .map(({ desired }) => desired?.revision ?? 0)
        .join();
    const [effects, given] = [Object.keys(state.outbox).length, revisions()];
    const heard = new Proxy(writing, {
      get: (target, member) => {
        const method: unknown = Reflect.get(target, member);
        if (typeof method !== 'function') return method;
        return (...all: unknown[]) => {
          if (member === 'report') kinds.add('report');
          if (member === 'event') kinds.add(String(Reflect.get(Object(all[1]), 'kind')));
          return Reflect.apply(method, target, all);
        };
      },
    });
    const value = edit(state, heard);
    const left = Object.keys(state.outbox).length;
    if (left < effects) kinds.add('effect');
    // A decision without effects leaves nothing between it and them.
    if (left <= effects) kinds.delete('decision');
    if (revisions() !== given) kinds.add('desired');
    passAll(BEFORE, kinds);
    return value;
  };
}
function passAll(steps: Readonly<Record<string, Step>>, kinds: ReadonlySet<string>): void {
  for (const kind of kinds) {
    const step = steps[kind];
    if (step !== undefined) pass(step);
  }
}

// — the database's port: some statements of a transaction are written, and no more —

function* halfOf(statements: readonly unknown[], step: Step): Generator<unknown> {
  for (const [i, statement] of statements.entries()) {
    if (i === Math.ceil(statements.length / 2)) pass(step);
    yield statement;
  }
}
const decides = (statements: readonly unknown[]) =>
  statements.some((one) => {
    const sql: unknown = Reflect.get(Object(one), 'sql');
    return /^insert into "?outbox/.test(
      String(typeof sql === 'string' ? sql : Reflect.get(Object(sql), 'sqlite')),
    );
  });

const { part } = STEPS[name];
if (part === 'store')
  wrap(SqlStore, 'change', async (go, [edit, ...others]) => {
    const kinds = new Set<string>();
    const value = await go(watched(edit as Edit, kinds), ...others);
    passAll(AFTER, kinds);
    return value;
  });
if (part === 'database')
  for (const database of [Sqlite, Postgres])
    wrap(database, 'transact', (go, [statements]) => {
      if (!Array.isArray(statements) || statements.length < 2) return go(statements);
      const step = decides(statements)
        ? 'in the middle of the commit of a decision'
        : 'in the middle of a commit';
      return go(halfOf(statements, step));
    });
