import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import type { TakenFacts } from '../monitoring/fold.js';
import type { Rollups } from '../monitoring/rollup-port.js';
import type { RolloutEvent } from '../rollouts/events.js';
import type { Link } from './chain.js';
import type { HubTime } from './hub-time.js';
import type { HubState } from './state.js';

export interface AuditEntry {
  readonly who: string;
  readonly what: string;
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Where it came from, where that is not the origin of who asks (origin.ts). */
  readonly from?: string;
  readonly request?: string;
}

/** A window report as it came, kept for a while. */
export interface RawReport {
  readonly device: string;
  readonly sequence: number;
  readonly start: string;
  readonly body: string;
}

/** What an edit writes beside the state, in the same transaction. */
export interface Writing {
  /** Appends to a rollout's log, in the order of these calls; the event's number. */
  event(rollout: string, event: RolloutEvent): number;
  audit(entry: AuditEntry): void;
  /** Keeps a report as it came, and adds it to the rollups. */
  report(raw: RawReport, report: WindowReport, facts: TakenFacts): void;
  /**
   * Runs once all of it is on disk, after what earlier transactions have asked for: adds to the state in memory what a start
   * would compute again from the events.
   */
  after(fold: (state: HubState) => void): void;
}

/** The port behind which the hub's memory lives. */
export interface Store {
  /** What is committed; never ahead of the disk. Rows are replaced and not changed, but for rollouts' evidence. */
  readonly state: Readonly<HubState>;
  /**
   * One transaction. The edit is synchronous, works on a draft that sees all transactions before it, and may run twice; where
   * it throws it leaves nothing and rejects alone. Transactions that come together are one commit. Resolves with what the edit gave when
   * that is on disk and visible; where the commit fails all of them reject, coded, and nothing has changed.
   */
  change<T>(edit: (state: HubState, writing: Writing) => T, audit?: AuditEntry): Promise<T>;
  /** Changes rollouts in memory alone: what people read of a look that decided nothing. Kept at the close. */
  amend(edit: (state: HubState) => void): void;
  /** A rollout's log after an event, as it was written; the reader checks the chain. */
  events(rollout: string, after?: number): AsyncGenerator<Link>;
  /** The newest event of a rollout as the store counts them: a log that ends elsewhere was cut. */
  newest(rollout: string): Pick<Link, 'number' | 'hash'>;
  /** The audit log, oldest first. */
  audited(): AsyncGenerator<Link>;
  /** Of it the entries before a number, the newest first, at most `limit`. */
  auditedBefore(number: number, limit: number): Promise<Link[]>;
  /** What reports add up to. */
  readonly rollups: Rollups;
  /** Forgets raw reports of before an instant, a few hundred at a time; whether there may be more. */
  purgeReports(before: Date): Promise<boolean>;
  /** Writes down what the hub knows of the time. */
  keepTime(time: HubTime): Promise<void>;
  close(): Promise<void>;
}
