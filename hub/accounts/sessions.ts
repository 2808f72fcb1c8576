import { ownValue } from '@adbreak/shared/own-value.js';
import { newSecret } from '../identity/secrets.js';
import { SET_RIGHT_MS } from '../store/hub-time.js';
import type { HubState } from '../store/state.js';

export type Account = HubState['accounts'][string];
export type Session = HubState['sessions'][string];

/** A working day, whatever is done meanwhile. */
export const SESSION_MS = 12 * 3_600_000;
/** An open page asks every two seconds: it is a closed one that is idle. */
export const IDLE_MS = 3_600_000;
/** Of one account; one more ends the oldest. */
const MOST_SESSIONS = 10;

/** The account of a name, while it is one. */
export function activeAccount(state: Readonly<HubState>, name: string): Account | undefined {
  const account = ownValue(state.accounts, name);
  return account?.removed === undefined ? account : undefined;
}

/** One that begins later than now was begun by a clock that was ahead: it would be open until that time has come. */
export function isOpen(session: Session, now: Date): boolean {
  return Date.parse(session.begun) <= now.getTime() + SET_RIGHT_MS && !hasEnded(session, now);
}

function hasEnded({ begun, used }: Session, now: Date): boolean {
  return now.getTime() >= Math.min(Date.parse(begun) + SESSION_MS, Date.parse(used) + IDLE_MS);
}

/** The open session of a hash, and whose it is; null where there is none. */
export function openSession(
  state: Readonly<HubState>,
  hash: string,
  now: Date,
): { readonly session: Session; readonly account: Account } | null {
  const session = ownValue(state.sessions, hash);
  if (session === undefined || !isOpen(session, now)) return null;
  const account = activeAccount(state, session.account);
  return account === undefined ? null : { session, account };
}

export function sessionsOf(state: Readonly<HubState>, name: string, now: Date): number {
  return Object.values(state.sessions).filter((one) => one.account === name && isOpen(one, now)).length;
}

/**
 * Puts a new session into the state, and takes out what has ended by a time that is settled. Its secret, which is kept
 * nowhere.
 */
export function beginSession(state: HubState, name: string, now: Date, settled: Date): string {
  for (const one of Object.values(state.sessions))
    if (hasEnded(one, settled)) delete state.sessions[one.hash];
  const own = Object.values(state.sessions).filter(({ account }) => account === name);
  const oldest = own.sort((a, b) => Date.parse(a.begun) - Date.parse(b.begun));
  for (const { hash } of oldest.slice(0, Math.max(0, oldest.length + 1 - MOST_SESSIONS)))
    delete state.sessions[hash];
  const { secret, hash } = newSecret('session');
  const at = now.toISOString();
  state.sessions[hash] = { hash, account: name, begun: at, used: at };
  return secret;
}

/** Ends the sessions of an account. */
export function endSessions(state: HubState, name: string): void {
  for (const { hash, account } of Object.values(state.sessions))
    if (account === name) delete state.sessions[hash];
}
