import { randomBytes } from 'node:crypto';
import { newToken } from './identity/secrets.js';
import { withStopped } from './stopped.js';

/**
 * A new administrator token, written into the state of a hub that is stopped: for who has lost the one of the first start.
 * Who may write the state folder is the hub's administrator already.
 */
export function makeAdminToken(
  folder: string,
  now: () => Date,
  log: (line: string) => void,
): Promise<{ id: string; token: string }> {
  return withStopped(folder, { what: 'make a token', now, log }, async (store) => {
    const id = `admin-${randomBytes(3).toString('hex')}`;
    const { secret, row } = newToken(id, 'admin', now());
    // By a floor that a wrong clock has left it would have ended before it began: who is here knows the time.
    if (Date.parse(store.state.time?.floor ?? '') > now().getTime())
      await store.keepTime({ floor: now().toISOString(), ahead: null });
    await store.change((state) => void state.tokens.push(row), {
      who: 'hub',
      what: 'token.create',
      subject: id,
      after: { role: 'admin' },
    });
    return { id, token: secret };
  });
}
