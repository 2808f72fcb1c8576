import { network } from '../identity/guesses.js';
import type { AuditEntry } from '../store/store.js';

/** Somebody who was not let in, or whose role did not allow it. */
export interface Attempt {
  /** As the audit log names who asked; null where nobody knows. */
  readonly who: string | null;
  readonly from: string;
  readonly request: string;
  /** `POST /api/v1/claims`. */
  readonly asked: string;
  readonly code: string;
}
interface Sum {
  readonly who: string;
  readonly from: string;
  /** Of them, those that have a line of their own. */
  told: number;
  more: number;
  first: string;
  last: string;
}

/**
 * What an hour may cost at most, for those who are known and for strangers apart, so that nobody's noise hides
 * what a known one tries: lines of one name at one address, lines in all, and lines that sum up the rest. With
 * 400 bytes a line that is 150 KB an hour, whoever asks how often.
 */
export const BUDGET = { each: 10, all: 100, sums: 50 } as const;
/** Names and addresses that are told apart in an hour; the others share one sum. */
const TOLD_APART = 1000;
const HOUR_MS = 3_600_000;
const NOBODY = 'nobody known';
/** For whom there is no sum of their own. */
const OTHERS = { who: 'others', from: 'other addresses' } as const;

/** Refused attempts as lines of the audit log: the first ones each, then sums by name, address and hour. Pure but for what it counts. */
export class RefusedAttempts {
  #hour = Number.NaN;
  #told = { known: 0, strangers: 0 };
  readonly #sums = { known: new Map<string, Sum>(), strangers: new Map<string, Sum>() };

  /** What is to be written because of one more: sums of an hour that is over, and a line of its own while there is budget. */
  take(attempt: Attempt, now: Date): AuditEntry[] {
    const over = this.settle(now);
    const kind = attempt.who === null ? 'strangers' : 'known';
    const sum = this.#sumOf(kind, attempt, now);
    sum.last = now.toISOString();
    if (sum.told >= BUDGET.each || this.#told[kind] >= BUDGET.all) {
      if (sum.more === 0) sum.first = sum.last;
      sum.more += 1;
      return over;
    }
    sum.told += 1;
    this.#told[kind] += 1;
    const { asked, code, from, request } = attempt;
    return [...over, { who: sum.who, what: 'refused', subject: asked, after: { code }, from, request }];
  }

  /** The sums of an hour that is over, or of this one where the hub is being stopped (`all`). */
  settle(now: Date, all = false): AuditEntry[] {
    const hour = Math.floor(now.getTime() / HOUR_MS);
    // A clock that was set back ends an hour as well: none is counted twice.
    if (hour === this.#hour && !all) return [];
    const entries = [...entriesOf(this.#sums.known), ...entriesOf(this.#sums.strangers)];
    this.#hour = hour;
    this.#told = { known: 0, strangers: 0 };
    this.#sums.known.clear();
    this.#sums.strangers.clear();
    return entries;
  }

  #sumOf(kind: 'known' | 'strangers', { who, from }: Attempt, now: Date): Sum {
    const sums = this.#sums[kind];
    const named = { who: who ?? NOBODY, from: network(from) };
    const key = JSON.stringify(named);
    const isNew = !sums.has(key);
    const [own, name] = isNew && sums.size >= TOLD_APART ? [OTHERS, OTHERS.who] : [named, key];
    const at = now.toISOString();
    const sum = sums.get(name) ?? { ...own, told: 0, more: 0, first: at, last: at };
    sums.set(name, sum);
    return sum;
  }
}

/** The largest ones each, the rest together. */
function entriesOf(sums: ReadonlyMap<string, Sum>): AuditEntry[] {
  const beyond = [...sums.values()].filter(({ more }) => more > 0).sort((a, b) => b.more - a.more);
  const lines = beyond.slice(0, BUDGET.sums).map(entryOf);
  const rest = beyond.slice(BUDGET.sums);
  if (rest.length === 0) return lines;
  // Instants of one form sort as texts.
  const [first = ''] = rest.map((one) => one.first).sort();
  const last =
    rest
      .map((one) => one.last)
      .sort()
      .at(-1) ?? first;
  const more = rest.reduce((sum, one) => sum + one.more, 0);
  return [...lines, entryOf({ ...OTHERS, told: 0, more, first, last })];
}

function entryOf({ who, from, more, first, last }: Sum): AuditEntry {
  return { who, what: 'refused.more', subject: from, after: { attempts: more, first, last }, from };
}
