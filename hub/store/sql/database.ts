import type { AdbreakError } from '@adbreak/shared/errors.js';
import type { Statement } from './queries.js';

/** What the store needs of a database: whole transactions, and rows. All of it fails with coded errors. */
export interface Database {
  /** Where it is, for people. */
  readonly name: string;
  /** Why nothing can be written just now, of a database that may be gone for a while. What was begun before ends by itself. */
  readonly trouble?: AdbreakError | null;
  /** All of the statements or none; durable when the promise resolves. Of one process only one is under way at a time. */
  transact(statements: Iterable<Statement> | AsyncIterable<Statement>): Promise<{ readonly changed: number }>;
  rows(statement: Statement): Promise<unknown[]>;
  /**
   * Many reads of one moment, that of the call, while writes go on: what is committed later is in none of them. Rows come a few
   * at a time, so a table may be larger than memory. Ends when `work` does, and rejects as it does.
   */
  snapshot<T>(work: (rows: (statement: Statement) => AsyncIterable<unknown>) => Promise<T>): Promise<T>;
  /** Takes up what writing needs, once the tables are known to be ours; without it the first write does. */
  prepare?(): Promise<void>;
  close(): Promise<void>;
}
