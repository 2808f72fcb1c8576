import type { ErrorCode } from '@adbreak/shared/errors.js';
import { explain } from '@adbreak/shared/errors.js';
import type { Ground, Rogue } from './ground.js';
import { difference } from './state.js';

/** Where the attacker, or whoever looks into the hub's log, reads why it was refused. */
export type Heard =
  /** In an answer of the hub, whose code this is. */
  | { readonly code: string }
  /** In a line of its log that also holds this: the device or the address. */
  | { readonly about: string };

/**
 * One row of the table: what is tried, and the code that must refuse it. What must not change is the hub's
 * whole state.
 */
export interface Attack {
  readonly name: string;
  readonly refused: ErrorCode;
  /** What comes before, and may change something: a session, an honest report. */
  readonly prepare?: (ground: Ground, rogue: Rogue) => Promise<void>;
  /** Tries it; throws where anything of it was let through. The rogue is enrolled for this row alone. */
  readonly attempt: (ground: Ground, rogue: Rogue) => Promise<Heard>;
}

export interface Outcome {
  readonly attacks: number;
  readonly refused: number;
  readonly broken: readonly string[];
  /** The longest that a device which does nothing wrong waited meanwhile: p99, milliseconds. */
  readonly p99_ms: number | null;
}

/** Tries one row after the other; a row that is broken, and why, is told and named in the outcome. */
export async function attack(
  ground: Ground,
  rows: readonly Attack[],
  say: (line: string) => void,
): Promise<Outcome> {
  const broken: string[] = [];
  let longest: number | null = null;
  for (const row of rows) {
    const begun = performance.now();
    const why = await tried(ground, row).catch((error: unknown) => explain(error));
    if (why !== null) broken.push(row.name);
    const measured = ground.measured();
    if (measured !== null) longest = Math.max(longest ?? 0, Math.round(measured.p99));
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const took = `${row.name}, ${seconds} s${measured === null ? '' : `; ${measured.waited}`}`;
    say(why === null ? `${row.refused.padEnd(17)} ${took}` : `BROKEN            ${took}: ${why}`);
  }
  return { attacks: rows.length, refused: rows.length - broken.length, broken, p99_ms: longest };
}

/** Null where the row was refused as it must be, else what is wrong. */
async function tried(ground: Ground, { refused, prepare, attempt }: Attack): Promise<string | null> {
  if (!ground.isThere) return 'the hub has ended';
  const rogue = await ground.enrol();
  await prepare?.(ground, rogue);
  const before = await ground.unchanging();
  const mark = ground.mark();
  try {
    const heard = await attempt(ground, rogue);
    if ('code' in heard) {
      if (heard.code !== refused) return `it was refused with ${heard.code} instead of ${refused}`;
    } else await ground.logged(mark, refused, heard.about);
  } finally {
    rogue.leave();
  }
  await ground.answers();
  const after = await ground.unchanging();
  return before === after ? null : `it changed the hub's state:\n  ${difference(before, after)}`;
}
