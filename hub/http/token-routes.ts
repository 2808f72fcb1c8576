import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { nameOf, newToken, standingOf, type Token } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import type { Register } from './route.js';

/** Revoked and expired ones are remembered: the audit log tells by their names who has changed what. */
const TOKENS_LIMIT = 10_000;

/** Bearer tokens of people and scripts. */
export function tokenRoutes(register: Register, { store, judged: now }: HttpContext): void {
  const told = (token: Token) => tokenView(token, now());

  register(tokens.list, () => ({ tokens: store.state.tokens.map(told) }));
  register(tokens.create, async ({ who, body: { id, role, days } }) => {
    const { secret, row } = newToken(id, role, now(), days);
    await store.change(
      (state) => {
        if (state.tokens.some((token) => token.id === id))
          throw new AdbreakError('conflict', `Cannot create token ${id}: there is one of this name`, {
            remedy: 'Choose another name: one that was revoked or has expired stays taken.',
          });
        if (state.tokens.length >= TOKENS_LIMIT)
          throw new AdbreakError('conflict', `Cannot create token ${id}: there are ${TOKENS_LIMIT} of them`);
        state.tokens.push(row);
      },
      {
        who: nameOf(who),
        what: 'token.create',
        subject: id,
        after: { role, expires: row.expires },
      },
    );
    return { id, role, token: secret, expires: row.expires };
  });
  register(tokens.revoke, async ({ who, params: { id } }) => {
    const at = now();
    const revoked = await store.change(
      (state) => {
        const token = state.tokens.find((one) => one.id === id);
        if (token === undefined)
          throw new AdbreakError('not_found', `Cannot revoke token ${id}: there is none of this name`, {
            remedy: 'See `adbreak tokens list`.',
          });
        refuseLast(state.tokens, token, at);
        // Once more, it stays revoked since then.
        token.revoked ??= at.toISOString();
        return { ...token };
      },
      { who: nameOf(who), what: 'token.revoke', subject: id },
    );
    return told(revoked);
  });
}

/** Nobody could make another one but on the hub's own machine, with the hub stopped. */
function refuseLast(all: readonly Token[], token: Token, now: Date): void {
  const opens = (one: Token) => one.role === 'admin' && ['valid', 'endless'].includes(standingOf(one, now));
  if (!opens(token) || all.some((one) => one !== token && opens(one))) return;
  throw new AdbreakError(
    'conflict',
    `Cannot revoke token ${token.id}: it is the last one of an administrator`,
    {
      remedy: 'Make another first: `adbreak tokens create NAME --role admin`.',
    },
  );
}

function tokenView(token: Token, now: Date) {
  const { id, role, created, expires, revoked } = token;
  return {
    id,
    role,
    created,
    expires: expires ?? null,
    revoked: revoked ?? null,
    standing: standingOf(token, now),
  };
}
