import { AdbreakError } from '@adbreak/shared/errors.js';
import type pg from 'pg';
import { type Statement, spelled } from './queries.js';

/** Statements that are on their way at once: the server works while the next ones are sent, and no import fills the memory. */
const UNDER_WAY = 1000;

/** The server keeps the plan of a statement by its name, for as long as the session lasts. */
const names = new Map<string, string>();

export function send(client: pg.Client, statement: Statement): Promise<pg.QueryResult> {
  const text = spelled(statement, 'postgres');
  const name = names.get(text) ?? `s${names.size}`;
  names.set(text, name);
  return client.query({ name, text, values: [...statement.parameters] });
}

/**
 * All of the statements or none, `last` at their end. They are sent without waiting for each other's answer, the COMMIT too: after
 * a statement that failed the server answers it with ROLLBACK.
 */
export function transaction(
  client: pg.Client,
  statements: Iterable<Statement> | AsyncIterable<Statement>,
  last: Statement,
) {
  const work = { committing: false, changed: 0, done };
  const answers: Promise<unknown>[] = [];
  const note = (answer: Promise<unknown>) => {
    // Heard of in its turn.
    answer.catch(() => undefined);
    answers.push(answer);
  };
  const run = async (statement: Statement) => {
    note(
      send(client, statement).then(({ rowCount }) => {
        work.changed += rowCount ?? 0;
      }),
    );
    if (answers.length < UNDER_WAY) return;
    await allOf(answers.splice(0));
  };
  async function done(): Promise<void> {
    note(client.query('begin'));
    try {
      if (Symbol.asyncIterator in statements) for await (const one of statements) await run(one);
      else for (const one of statements) await run(one);
      note(send(client, last));
    } catch (error) {
      note(client.query('rollback'));
      await Promise.allSettled(answers);
      throw error;
    }
    work.committing = true;
    const end = client.query('commit');
    note(end);
    await allOf(answers);
    if ((await end).command !== 'COMMIT')
      throw new AdbreakError('internal', 'the server has rolled a transaction back');
  }
  return work;
}

/** The failure of the first statement that has one: those after it are its consequence. */
async function allOf(answers: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(answers)) if (one.status === 'rejected') throw one.reason;
}
