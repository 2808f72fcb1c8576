import { accounts } from '@adbreak/shared/contract/http/accounts.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { type Account, sessionsOf } from '../accounts/sessions.js';
import { nameOf } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import type { Register } from './route.js';

/** Accounts of people, as administrators see and change them. */
export function userRoutes(register: Register, { store, now, people }: HttpContext): void {
  const view = (account: Account) => {
    const { name, role, created, changed, lastSignIn, removed } = account;
    const standing = removed === undefined ? ('active' as const) : ('removed' as const);
    return {
      name,
      role,
      created,
      changed,
      lastSignIn,
      standing,
      sessions: sessionsOf(store.state, name, now()),
    };
  };
  const told = (name: string) => {
    const account = ownValue(store.state.accounts, name);
    if (account === undefined) throw new AdbreakError('not_found', `There is no account ${name}`);
    return view(account);
  };

  register(accounts.list, () => ({ users: Object.values(store.state.accounts).map(view) }));
  register(accounts.add, async ({ who, body: { name, role, password } }) => {
    const shown = await people.accounts.add({ name, who: nameOf(who), role }, password);
    return { ...told(name), password: shown };
  });
  register(accounts.setRole, async ({ who, params: { name }, body: { role } }) => {
    await people.accounts.setRole({ name, who: nameOf(who), role });
    return told(name);
  });
  register(accounts.reset, async ({ who, params: { name }, body: { password } }) => {
    const shown = await people.accounts.reset({ name, who: nameOf(who) }, password);
    return { ...told(name), password: shown };
  });
  register(accounts.remove, async ({ who, params: { name } }) => {
    await people.accounts.remove({ name, who: nameOf(who) });
    return told(name);
  });
}
