import type { Role } from '@adbreak/shared/contract/http/access.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { standingOf } from '../identity/secrets.js';
import type { HubState } from '../store/state.js';
import type { Store, Writing } from '../store/store.js';
import { madeUp, type Passwords } from './passwords.js';
import { type Account, activeAccount, endSessions } from './sessions.js';

/** Removed ones are remembered: the audit log tells by their names who has changed what. */
const MOST_ACCOUNTS = 1000;

interface Parts {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly now: () => Date;
}
/** Who orders it, as the audit log names them. */
interface Order {
  readonly name: string;
  readonly who: string;
}

/** What administrators do with the accounts of people. */
export class Accounts {
  readonly #store: Store;
  readonly #passwords: Passwords;
  readonly #now: () => Date;

  constructor({ store, passwords, now }: Parts) {
    this.#store = store;
    this.#passwords = passwords;
    this.#now = now;
  }

  /**
   * Makes one; without a password the hub makes one up, which is what this gives: null otherwise. Throws
   * `conflict` where the name was given before.
   */
  async add(
    { name, who, role }: Order & { readonly role: Role },
    password: string | null,
  ): Promise<string | null> {
    const { hash, shown } = await this.#newPassword(password, who);
    await this.#store.change(
      (state) => addAccount(state, freshAccount({ name, role, password: hash }, this.#now())),
      { who, what: 'user.add', subject: name, after: { role } },
    );
    return shown;
  }

  /** Throws `not_found`, or `conflict` where nobody would be left to administer the hub. */
  setRole({ name, who, role }: Order & { readonly role: Role }): Promise<void> {
    return this.#change({ name, who }, 'change the role of', (account, writing) => {
      const before = { role: account.role };
      account.role = role;
      writing.audit({ who, what: 'user.role', subject: name, before, after: { role } });
    });
  }

  /** Gives it another password, or one that the hub makes up: what this gives, null otherwise. */
  async reset({ name, who }: Order, password: string | null): Promise<string | null> {
    const { hash, shown } = await this.#newPassword(password, who);
    await this.#change({ name, who }, 'reset', (account, writing) => {
      Object.assign(account, { password: hash, changed: this.#now().toISOString() });
      writing.audit({ who, what: 'user.password', subject: name });
    });
    return shown;
  }

  /** Ends it, for good. Throws as `setRole` does. */
  remove({ name, who }: Order): Promise<void> {
    return this.#change({ name, who }, 'remove', (account, writing) => {
      Object.assign(account, { password: null, networks: [], removed: this.#now().toISOString() });
      writing.audit({ who, what: 'user.remove', subject: name, before: { role: account.role } });
    });
  }

  /** One transaction on an account, with which its sessions end. */
  #change({ name }: Order, doing: string, edit: (account: Account, writing: Writing) => void): Promise<void> {
    return this.#store.change((state, writing) => {
      const account = activeAccount(state, name);
      if (account === undefined)
        throw new AdbreakError('not_found', `Cannot ${doing} ${name}: there is no such account`, {
          remedy: 'See `adbreak users list`.',
        });
      edit(account, writing);
      endSessions(state, name);
      if (!hasAdministrator(state, this.#now()))
        throw new AdbreakError('conflict', `Cannot ${doing} ${name}: nobody else may administer the hub`, {
          remedy: 'Make another administrator first: `adbreak users add NAME --role admin`.',
        });
    });
  }

  async #newPassword(password: string | null, who: string): Promise<{ hash: string; shown: string | null }> {
    const shown = password === null ? madeUp() : null;
    return { hash: await this.#passwords.hash(password ?? shown ?? '', who), shown };
  }
}

export function freshAccount(
  { name, role, password }: Pick<Account, 'name' | 'role' | 'password'>,
  now: Date,
): Account {
  const at = now.toISOString();
  return { name, role, password, created: at, changed: at, lastSignIn: null, networks: [] };
}

/** Throws `conflict` where the name is taken, or there are too many. */
export function addAccount(state: HubState, account: Account): void {
  const { name } = account;
  if (Object.hasOwn(state.accounts, name))
    throw new AdbreakError('conflict', `Cannot make an account for ${name}: the name is taken`, {
      remedy: 'Choose another name: one that was removed keeps it.',
    });
  if (Object.keys(state.accounts).length >= MOST_ACCOUNTS)
    throw new AdbreakError('conflict', `Cannot make an account for ${name}: there are ${MOST_ACCOUNTS}`);
  state.accounts[name] = account;
}

function hasAdministrator({ accounts, tokens }: HubState, now: Date): boolean {
  return (
    Object.values(accounts).some(({ role, removed }) => role === 'admin' && removed === undefined) ||
    tokens.some((one) => one.role === 'admin' && ['valid', 'endless'].includes(standingOf(one, now)))
  );
}
