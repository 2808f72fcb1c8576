import type { Log } from '@adbreak/shared/log.js';
import type { Store } from '../store/store.js';
import { Accounts } from './accounts.js';
import { First } from './first.js';
import { Passwords } from './passwords.js';
import { SignIn } from './sign-in.js';

/** All that concerns people who sign in. */
export interface People {
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly first: First;
}
interface Parts {
  readonly folder: string;
  readonly store: Store;
  /** By which sessions and links end. */
  readonly now: () => Date;
  /** By which what has ended is forgotten. */
  readonly settled: () => Date;
  readonly report: Log;
}

export async function openPeople({ folder, store, now, settled, report }: Parts): Promise<People> {
  const passwords = new Passwords();
  const first = await First.open(folder, store.state, now);
  return {
    accounts: new Accounts({ store, passwords, now }),
    signIn: new SignIn({ store, passwords, first, now, settled, report }),
    first,
  };
}
