import type { HubState } from '../store/state.js';
import type { AuditEntry, Store, Writing } from '../store/store.js';

interface Witness {
  readonly deeds: readonly string[];
  readonly write: (state: HubState) => void;
}

/**
 * Writes down that a command was carried out in the very transaction that does so: a hub that is killed has either done
 * both or neither. The transaction is known by its audit entry, by who asked and what was done; who commands over MQTT
 * has one command at a time.
 */
export class Witnesses {
  readonly #by = new Map<string, Witness>();

  /**
   * While `work` runs, each transaction of `who` that is one of these deeds (`rollout.pause`) also writes what `write`
   * writes. `write` sees the state as the deed leaves it, and may run twice, as an edit may.
   */
  async during<T>(
    who: string,
    deeds: readonly string[],
    write: (state: HubState) => void,
    work: () => Promise<T>,
  ): Promise<T> {
    this.#by.set(who, { deeds, write });
    try {
      return await work();
    } finally {
      this.#by.delete(who);
    }
  }

  /** The store for those who carry commands out. */
  over(store: Store): Store {
    const change: Store['change'] = (edit, audit) => {
      // Reports pass here, too.
      if (this.#by.size === 0) return store.change(edit, audit);
      return store.change((state, writing) => {
        const heard: AuditEntry[] = audit === undefined ? [] : [audit];
        const result = edit(
          state,
          overheard(writing, (entry) => heard.push(entry)),
        );
        for (const witness of this.#of(heard)) witness.write(state);
        return result;
      }, audit);
    };
    return {
      get state() {
        return store.state;
      },
      get rollups() {
        return store.rollups;
      },
      change,
      amend: (edit) => store.amend(edit),
      events: (rollout, after) => store.events(rollout, after),
      newest: (rollout) => store.newest(rollout),
      audited: () => store.audited(),
      auditedBefore: (number, limit) => store.auditedBefore(number, limit),
      purgeReports: (before) => store.purgeReports(before),
      keepTime: (time) => store.keepTime(time),
      close: () => store.close(),
    };
  }

  #of(entries: readonly AuditEntry[]): ReadonlySet<Witness> {
    const found = entries.map(({ who, what }) => {
      const witness = this.#by.get(who);
      return witness?.deeds.includes(what) === true ? witness : null;
    });
    return new Set(found.filter((witness) => witness !== null));
  }
}

/** What an edit writes, with an ear for its audit entries. */
function overheard(writing: Writing, hear: (entry: AuditEntry) => void): Writing {
  return {
    event: (rollout, event) => writing.event(rollout, event),
    audit: (entry) => {
      hear(entry);
      writing.audit(entry);
    },
    report: (raw, report, facts) => writing.report(raw, report, facts),
    after: (fold) => writing.after(fold),
  };
}
