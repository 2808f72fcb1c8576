import type { Statement } from './queries.js';

/** What the store needs of a database: whole transactions, and rows. All of it fails with coded errors. */
export interface Database {
  /** Where it is, for people. */
  readonly name: string;
  /** All of the statements or none; durable when the promise resolves. Of one process only one is under way at a time. */
  transact(statements: Iterable<Statement> | AsyncIterable<Statement>): Promise<{ readonly changed: number }>;
  rows(statement: Statement): Promise<unknown[]>;
  close(): Promise<void>;
}
