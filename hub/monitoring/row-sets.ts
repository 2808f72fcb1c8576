import { AdbreakError } from '@adbreak/shared/errors.js';
import { keysAs } from '../store/sql/keys.js';
import { put, type Statement } from '../store/sql/queries.js';
import type { Editable, Key, Place, Rows } from './fold.js';
import { DEVICE_DAY, LABELS, MODEL_DAY, MODEL_HOUR, type RowKind } from './rows.js';

/** The longest JSON of a rollup's row: twelve series of the longest names there are. */
export const ROW_LIMIT = 64 * 1024;

/** Rows as they were written last, the longest unused forgotten first. */
export class RecentRows<Row> {
  readonly #rows = new Map<string, Row>();
  readonly #most: number;
  constructor(most: number) {
    this.#most = most;
  }
  get size(): number {
    return this.#rows.size;
  }
  get(id: string): Row | undefined {
    const row = this.#rows.get(id);
    if (row === undefined) return undefined;
    this.#rows.delete(id);
    this.#rows.set(id, row);
    return row;
  }
  keep(id: string, row: Row): void {
    this.#rows.delete(id);
    this.#rows.set(id, row);
    if (this.#rows.size <= this.#most) return;
    for (const oldest of this.#rows.keys()) {
      this.#rows.delete(oldest);
      return;
    }
  }
  clear(): void {
    this.#rows.clear();
  }
}

/** Rows of one kind that a batch of reports changes: copies, until the batch is kept. */
export class ChangedRows<Row> implements Editable<Row> {
  readonly kind: RowKind<Row>;
  readonly #before: (id: string) => Row | undefined;
  readonly #changed = new Map<string, { readonly place: Place; readonly row: Row }>();

  constructor(kind: RowKind<Row>, before: (id: string) => Row | undefined) {
    this.kind = kind;
    this.#before = before;
  }
  edit(at: Place): Row {
    const known = this.#changed.get(at.id);
    if (known !== undefined) return known.row;
    const before = this.#before(at.id);
    const row = before === undefined ? this.kind.empty() : this.kind.copy(before);
    this.#changed.set(at.id, { place: at, row });
    return row;
  }
  *statements(): Generator<Statement> {
    for (const { place, row } of this.#changed.values()) yield putRow(this.kind, place.key, row);
  }
  get changed(): Iterable<{ readonly place: Place; readonly row: Row }> {
    return this.#changed.values();
  }
}

/** Rows of nobody's yet: what is folded into them is all that they hold. */
export function emptyRows() {
  const nothing = () => undefined;
  return {
    modelHour: new ChangedRows(MODEL_HOUR, nothing),
    modelDay: new ChangedRows(MODEL_DAY, nothing),
    deviceDay: new ChangedRows(DEVICE_DAY, nothing),
    labels: new ChangedRows(LABELS, nothing),
  } satisfies Rows;
}

export function putRow<Row>(
  { table, keys }: Pick<RowKind<Row>, 'table' | 'keys'>,
  key: Key,
  row: Row,
): Statement {
  const body = JSON.stringify(row);
  if (body.length > ROW_LIMIT)
    throw new AdbreakError(
      'input_too_large',
      `Cannot keep ${table} ${key.join(' ')}: it has ${body.length} characters, at most ${ROW_LIMIT}`,
    );
  return put(table, keysAs(keys, key), { body });
}
