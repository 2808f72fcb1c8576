import { newPassword } from '@adbreak/shared/contract/http/accounts.js';
import { newAccount } from '@adbreak/shared/contract/http/common.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';
import { network, TooSoon } from '../identity/guesses.js';
import { nameOf, type SignedIn } from '../identity/secrets.js';
import { type HubState, KNOWN_NETWORKS } from '../store/state.js';
import type { Store } from '../store/store.js';
import { addAccount, freshAccount } from './accounts.js';
import type { First } from './first.js';
import { Pace } from './pace.js';
import type { Passwords } from './passwords.js';
import { type Account, activeAccount, beginSession, endSessions, openSession } from './sessions.js';

/** How often a session's use is written down. */
const NOTED_MS = 5 * 60_000;
/** Refused sign-ins of one address in the audit log: what fills no disk, and hides nobody. */
const TOLD = { burst: 20, perSecond: 1 / 60 };

interface Parts {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly first: First;
  readonly now: () => Date;
  /** By which a session that has ended is forgotten. */
  readonly settled: () => Date;
  readonly report: Log;
}
interface Typed {
  readonly name: string;
  readonly password: string;
}
/** Of the request. */
interface Coming {
  readonly address: string;
  /** The session that it came with, which the new one takes the place of. */
  readonly before: SignedIn | null;
}

/** Sessions of people: how they begin, whom they are of, and how they end. */
export class SignIn {
  readonly #parts: Parts;
  readonly #pace = new Pace();
  readonly #told = new TokenBuckets(TOLD, 10_000);
  /** When the use of a session was last to be written down, by its hash; those alone that still wait. */
  readonly #noting = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Who holds a session; null where it has ended, or never was. */
  holder(secret: string): SignedIn | null {
    const { store, now } = this.#parts;
    const found = openSession(store.state, sha256(secret), now());
    if (found === null) return null;
    const { session, account } = found;
    this.#note(session.hash, Date.parse(session.used));
    return { kind: 'person', id: account.name, role: account.role, session: session.hash };
  }

  /**
   * The secret of a new session. Throws TooSoon, or `unauthorized`, which says as little, and as late, of a
   * name that there is none of.
   */
  async begin({ name, password }: Typed, { address, before }: Coming): Promise<string> {
    const { store, passwords } = this.#parts;
    const account = activeAccount(store.state, name);
    this.#take(name, account, address);
    const stored = account?.password ?? null;
    if (!(await passwords.fits(stored, password, network(address)))) {
      await this.#refused(account, address);
      throw wrong();
    }
    return this.#open(address, before, (state) => {
      const current = activeAccount(state, name);
      // It was changed while we looked at it.
      if (current === undefined || current.password !== stored) throw wrong();
      return current;
    });
  }

  /** The same for the first administrator, by the code of the one-time link. */
  async beginFirst({ code, ...typed }: Typed & { code: string }, coming: Coming): Promise<string> {
    const { passwords, first, now } = this.#parts;
    await first.check(code);
    const name = check(newAccount, typed.name, 'the name');
    const password = await passwords.hash(
      check(newPassword, typed.password, 'the password'),
      network(coming.address),
    );
    const secret = await this.#open(
      coming.address,
      coming.before,
      (state) => {
        // Of two who use it at once, one is the first.
        first.refuseSecond(state);
        addAccount(state, freshAccount({ name, role: 'admin', password }, now()));
        const made = activeAccount(state, name);
        if (made === undefined) throw new Error('an account was made and is not there');
        return made;
      },
      'user.first',
    );
    await first.close();
    return secret;
  }

  /** Changes one's own password; the secret of the one session that is left. */
  async changePassword(
    who: SignedIn,
    { current, password }: { readonly current: string; readonly password: string },
    address: string,
  ): Promise<string> {
    const { store, passwords, now, settled } = this.#parts;
    const account = activeAccount(store.state, who.id);
    this.#take(who.id, account, address);
    const stored = account?.password ?? null;
    if (!(await passwords.fits(stored, current, nameOf(who)))) {
      await this.#refused(account, address);
      throw new AdbreakError('forbidden', 'Cannot change the password: the current one is wrong', {
        remedy: 'Type the password with which you have signed in.',
      });
    }
    const hash = await passwords.hash(check(newPassword, password, 'the new password'), nameOf(who));
    return store.change(
      (state) => {
        const known = activeAccount(state, who.id);
        if (known === undefined || known.password !== stored) throw wrong();
        Object.assign(known, { password: hash, changed: now().toISOString() });
        endSessions(state, who.id);
        return beginSession(state, who.id, now(), settled());
      },
      { who: nameOf(who), what: 'user.password', subject: who.id, after: { address } },
    );
  }

  async end(who: SignedIn): Promise<void> {
    await this.#parts.store.change(({ sessions }) => void delete sessions[who.session], {
      who: nameOf(who),
      what: 'session.end',
      subject: who.id,
    });
  }

  /** One transaction: whose session it is, and the session. */
  #open(
    address: string,
    before: SignedIn | null,
    whose: (state: HubState) => Account,
    what = 'session.begin',
  ): Promise<string> {
    const { store, now, settled } = this.#parts;
    return store.change((state, writing) => {
      const account = whose(state);
      const { name } = account;
      if (before !== null) delete state.sessions[before.session];
      const here = network(address);
      account.lastSignIn = now().toISOString();
      account.networks = [here, ...account.networks.filter((one) => one !== here)].slice(0, KNOWN_NETWORKS);
      writing.audit({ who: nameOf({ kind: 'person', id: name }), what, subject: name, after: { address } });
      return beginSession(state, name, now(), settled());
    });
  }

  #take(name: string, account: Account | undefined, address: string): void {
    const attempt = { name, network: network(address), known: account?.networks ?? null };
    const wait = this.#pace.take(attempt, performance.now());
    if (wait > 0)
      throw new TooSoon(`Cannot sign in: too many wrong passwords; the next one in ${wait} s`, wait);
  }

  /** Names that there are none of are not written down: people type passwords into the wrong field. */
  async #refused(account: Account | undefined, address: string): Promise<void> {
    if (this.#told.take(network(address), 1, performance.now()) > 0) return;
    const subject = account?.name ?? 'a name that is none';
    const { store } = this.#parts;
    await store.change(() => undefined, {
      who: 'nobody',
      what: 'session.refused',
      subject,
      after: { address },
    });
  }

  #note(hash: string, used: number): void {
    const { store, now, report } = this.#parts;
    const at = now().getTime();
    if (at - Math.max(used, this.#noting.get(hash) ?? 0) < NOTED_MS) return;
    this.#noting.set(hash, at);
    store
      .change(({ sessions }) => {
        const session = ownValue(sessions, hash);
        if (session !== undefined) session.used = new Date(at).toISOString();
      })
      .then(
        () => void this.#noting.delete(hash),
        // It is tried again in five minutes; till then the entry stays.
        (error: unknown) => report(`sessions: ${explain(error)}`, { error }),
      );
  }
}

function wrong(): AdbreakError {
  return new AdbreakError('unauthorized', 'Cannot sign in: the name or the password is wrong', {
    remedy: 'Try again. Who has forgotten it asks an administrator: `adbreak users reset NAME`.',
  });
}
