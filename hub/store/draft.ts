import { createDraft, current, finishDraft, isDraft, setAutoFreeze } from 'immer';
import { emptyState, type HubState, type StoredRollout } from './state.js';

// Rows are never changed by who reads them, and freezing each one costs more than the change itself.
setAutoFreeze(false);

type Records = Pick<
  HubState,
  | 'claims'
  | 'accounts'
  | 'sessions'
  | 'devices'
  | 'models'
  | 'outbox'
  | 'operators'
  | 'operatorCommands'
  | 'deviceCommands'
  | 'trainingJobs'
>;
type Lists = Pick<HubState, 'tokens' | 'evaluations' | 'rollouts'>;

/** What transactions changed: rows by their key (undefined: gone), and lists as a whole. */
export interface Changes {
  readonly records: { readonly [P in keyof Records]: ReadonlyMap<string, Records[P][string] | undefined> };
  readonly lists: Partial<Lists>;
  /** The rollouts that the edits found. */
  readonly found: readonly StoredRollout[];
}

/**
 * Transactions over a state that none of them may touch: each works on a draft that sees what those before it did, and is
 * kept, or dropped without a trace. Only rows that are looked at are drafted, so that a change costs the same in a small fleet
 * and in a large one. Rollouts are not drafted at all, for their evidence is megabytes: who changes one puts another in its
 * place.
 */
export class Drafts {
  readonly #base: Readonly<HubState>;
  readonly #records: { readonly [P in keyof Records]: Map<string, Records[P][string] | undefined> } = {
    claims: new Map(),
    accounts: new Map(),
    sessions: new Map(),
    devices: new Map(),
    models: new Map(),
    outbox: new Map(),
    operators: new Map(),
    operatorCommands: new Map(),
    deviceCommands: new Map(),
    trainingJobs: new Map(),
  };
  readonly #lists: Partial<Lists> = {};
  readonly #found: readonly StoredRollout[];

  constructor(base: Readonly<HubState>) {
    this.#base = base;
    this.#found = base.rollouts;
  }

  /** Runs an edit. Where it throws nothing of it stays. */
  run<T>(edit: (state: HubState) => T): T {
    const [base, over, lists] = [this.#base, this.#records, this.#lists];
    const claims = draftRecord(base.claims, over.claims, draftOf);
    const accounts = draftRecord(base.accounts, over.accounts, draftOf);
    const sessions = draftRecord(base.sessions, over.sessions, draftOf);
    const devices = draftRecord(base.devices, over.devices, draftOf);
    const models = draftRecord(base.models, over.models, draftOf);
    const outbox = draftRecord(base.outbox, over.outbox, draftOf);
    const operators = draftRecord(base.operators, over.operators, draftOf);
    const operatorCommands = draftRecord(base.operatorCommands, over.operatorCommands, draftOf);
    const deviceCommands = draftRecord(base.deviceCommands, over.deviceCommands, draftOf);
    const trainingJobs = draftRecord(base.trainingJobs, over.trainingJobs, draftOf);
    const tokens = draftList(lists.tokens ?? base.tokens, draftOf);
    const evaluations = draftList(lists.evaluations ?? base.evaluations, draftOf);
    const rollouts = draftList(lists.rollouts ?? base.rollouts, null);
    const state: HubState = Object.defineProperties(emptyState(), {
      claims: { get: () => claims.proxy },
      accounts: { get: () => accounts.proxy },
      sessions: { get: () => sessions.proxy },
      devices: { get: () => devices.proxy },
      models: { get: () => models.proxy },
      outbox: { get: () => outbox.proxy },
      operators: { get: () => operators.proxy },
      operatorCommands: { get: () => operatorCommands.proxy },
      deviceCommands: { get: () => deviceCommands.proxy },
      trainingJobs: { get: () => trainingJobs.proxy },
      revisionFloor: { value: base.revisionFloor },
      time: { value: base.time },
      tokens: { get: tokens.get, set: tokens.set },
      evaluations: { get: evaluations.get, set: evaluations.set },
      rollouts: { get: rollouts.get, set: rollouts.set },
    });
    const result = edit(state);
    // All of it is finished before any of it is kept: what an edit put in may be none that can be.
    const keeping = [
      ...[claims, accounts, sessions, devices, models, outbox].map((part) => part.finish()),
      ...[operators, operatorCommands, deviceCommands, trainingJobs].map((part) => part.finish()),
      tokens.finish((list) => Object.assign(lists, { tokens: list })),
      evaluations.finish((list) => Object.assign(lists, { evaluations: list })),
      rollouts.finish((list) => Object.assign(lists, { rollouts: list })),
    ];
    for (const keep of keeping) keep();
    return result;
  }

  get changes(): Changes {
    return { records: this.#records, lists: this.#lists, found: this.#found };
  }
}

/** How a row becomes one that an edit may change; null where it must be replaced. */
type DraftOf = (<T extends object>(row: T) => T) | null;

/** Rows over those of a state (`under`) as earlier edits changed them (`over`). */
function draftRecord<Row extends object>(
  under: Readonly<Record<string, Row>>,
  over: Map<string, Row | undefined>,
  drafted: DraftOf,
) {
  const touched = new Map<string, { readonly row: Row | undefined; readonly draft: Row | null }>();
  const before = (key: string): Row | undefined => (over.has(key) ? over.get(key) : under[key]);
  const get = (key: string | symbol): Row | undefined => {
    if (typeof key === 'symbol') return undefined;
    const known = touched.get(key);
    if (known !== undefined) return known.row;
    const row = before(key);
    if (row === undefined || drafted === null) return row;
    const draft = drafted(row);
    touched.set(key, { row: draft, draft });
    return draft;
  };
  const isThere = (key: string) => (touched.has(key) ? touched.get(key)?.row : before(key)) !== undefined;
  const set = (key: string | symbol, row: Row | undefined) =>
    typeof key === 'string' && touched.set(key, { row, draft: null }) === touched;
  const proxy = new Proxy<Record<string, Row>>(Object.create(null), {
    get: (_, key) => get(key),
    has: (_, key) => typeof key === 'string' && isThere(key),
    set: (_, key, row: Row) => set(key, row),
    deleteProperty: (_, key) => set(key, undefined),
    ownKeys: () => [...new Set([...Object.keys(under), ...over.keys(), ...touched.keys()])].filter(isThere),
    getOwnPropertyDescriptor: (_, key) => {
      const value = get(key);
      return value === undefined
        ? undefined
        : { value, writable: true, enumerable: true, configurable: true };
    },
  });
  const finish = () => {
    const rows = [...touched].map(([key, { row, draft }]) => {
      if (row === undefined) return [key, undefined] as const;
      return [key, draft === row ? finished(row) : drafted === null ? row : plain(row)] as const;
    });
    return () => {
      for (const [key, row] of rows) if (row !== before(key)) over.set(key, row);
    };
  };
  return { proxy, finish };
}

function draftList<Item>(before: Item[], drafted: DraftOf) {
  let list: Item[] | null = null;
  let draft: Item[] | null = null;
  const get = () => {
    if (list !== null) return list;
    draft = drafted === null ? null : drafted(before);
    list = draft ?? [...before];
    return list;
  };
  const set = (next: Item[]) => {
    list = next;
  };
  const finish = (put: (list: Item[]) => void) => {
    if (list === null) return () => undefined;
    const kept = draft === list ? finished(list) : drafted === null ? list : plain(list);
    return () => {
      if (kept !== before && !sameItems(kept, before)) put(kept);
    };
  };
  return { get, set, finish };
}

/** immer's types know what is immutable; ours say so by agreement. */
function draftOf<T extends object>(row: T): T {
  const draft: unknown = createDraft<object>(row);
  return draft as T;
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function finished<T extends object>(draft: T): T {
  const row: unknown = isDraft(draft) ? finishDraft<object>(draft) : draft;
  return row as T;
}

/** What an edit put in itself may hold parts of drafts. */
function plain<T>(value: T): T {
  if (typeof value !== 'object' || value === null || !holdsDraft(value)) return value;
  if (isDraft(value)) {
    const now: unknown = current<object>(value);
    return now as T;
  }
  if (Array.isArray(value)) return value.map(plain) as unknown as T;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)])) as T;
}
function holdsDraft(value: unknown): boolean {
  if (isDraft(value)) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsDraft);
}

/** The changes into the committed state, in place and by row. A rollout that no edit replaced stays as it is by now. */
export function commit(state: HubState, { records, lists, found }: Changes): void {
  for (const [rows, changed] of [
    [state.claims, records.claims],
    [state.accounts, records.accounts],
    [state.sessions, records.sessions],
    [state.devices, records.devices],
    [state.models, records.models],
    [state.outbox, records.outbox],
    [state.operators, records.operators],
    [state.operatorCommands, records.operatorCommands],
    [state.deviceCommands, records.deviceCommands],
    [state.trainingJobs, records.trainingJobs],
  ] as const)
    put<unknown>(rows, changed);
  const rollouts = lists.rollouts?.map((one) =>
    found.includes(one) ? (state.rollouts.find(({ id }) => id === one.id) ?? one) : one,
  );
  Object.assign(state, lists, rollouts && { rollouts });
}
function put<T>(rows: Record<string, T>, changed: ReadonlyMap<string, T | undefined>): void {
  for (const [key, row] of changed) {
    if (row === undefined) delete rows[key];
    else rows[key] = row;
  }
}
