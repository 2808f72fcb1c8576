import { sessions } from '@adbreak/shared/contract/http/accounts.js';
import { AdbreakError, ERROR_CODES } from '@adbreak/shared/errors.js';
import { TooSoon } from '../identity/guesses.js';
import type { HttpContext } from './context.js';
import type { Sent } from './media.js';
import type { Register } from './route.js';
import { cookieOf, NO_COOKIE } from './session-cookie.js';
import { accountPage, firstPage, securePage, signInPage } from './session-pages.js';

/**
 * `same-origin` and not `no-referrer`, for which a browser would send `Origin: null` with the forms; the code
 * of the first link goes to no other host either way.
 */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** The pages on which people sign in and out. They need no script. */
export function sessionRoutes(
  register: Register,
  { people: { signIn, first }, httpsPort }: HttpContext,
): void {
  /** A form in the clear could not work: there stands where it can. */
  const formOr = (way: Way, path: string, form: (told: Refused) => string) => (told: Refused) =>
    way.from.secure ? form(told) : securePage(`https://${way.hostname}:${httpsPort() ?? 443}${path}`, told);

  register(sessions.show, ({ who }) => ({ person: who && { name: who.id, role: who.role } }));

  register(sessions.signInPage, ({ who, ...way }) =>
    who === null ? page(formOr(way, '/sign-in', signInPage)({})) : leadOn('/account'),
  );
  register(sessions.signIn, ({ who, body, ...way }) =>
    orPage(
      formOr(way, '/sign-in', (told) => signInPage({ ...told, name: body.name })),
      async () => {
        refusePlain(way.from);
        const coming = { address: way.from.address, before: who };
        return leadOn('/', cookieOf(await signIn.begin(body, coming)));
      },
    ),
  );
  register(sessions.signOut, async ({ who }) => {
    if (who !== null) await signIn.end(who);
    return leadOn('/sign-in', NO_COOKIE);
  });

  register(sessions.accountPage, ({ who }) =>
    who === null ? leadOn('/sign-in') : page(accountPage(who, {})),
  );
  register(sessions.changePassword, ({ who, body, from }) => {
    if (who === null) return leadOn('/sign-in');
    return orPage(
      (told) => accountPage(who, told),
      async () => {
        refuseMistyped(body);
        const secret = await signIn.changePassword(who, body, from.address);
        const done = 'The password is changed; all other sessions have ended.';
        return page(accountPage(who, { done }), { 'set-cookie': cookieOf(secret) });
      },
    );
  });

  register(sessions.firstPage, ({ query: { code }, ...way }) =>
    orPage(formOr(way, '/sign-in', signInPage), async () => {
      await first.check(code);
      const path = `/first?code=${encodeURIComponent(code)}`;
      return page(formOr(way, path, () => firstPage({ code }))({}));
    }),
  );
  register(sessions.first, ({ who, body, ...way }) =>
    orPage(
      formOr(way, '/sign-in', (told) => firstPage({ ...told, code: body.code, name: body.name })),
      async () => {
        refusePlain(way.from);
        await first.check(body.code);
        refuseMistyped(body);
        const coming = { address: way.from.address, before: who };
        return leadOn('/', cookieOf(await signIn.beginFirst(body, coming)));
      },
    ),
  );
}

/** How a request came. */
interface Way {
  readonly hostname: string;
  readonly from: { readonly address: string; readonly secure: boolean };
}
/** Why, in words; nothing where nothing was refused. */
interface Refused {
  readonly why?: string;
}

function page(body: string, more: Readonly<Record<string, string>> = {}): Sent {
  return { body, headers: { ...HEADERS, ...more } };
}
/** RFC 9110 section 15.4.4: a reload of the next page sends no form again. */
function leadOn(location: string, cookie?: string): Sent {
  const headers = { ...HEADERS, location, ...(cookie !== undefined && { 'set-cookie': cookie }) };
  return { status: 303, body: '', headers };
}

/** A refusal is told on the page that asked; a fault of the hub goes the way of all faults. */
async function orPage(again: (told: Refused) => string, work: () => Sent | Promise<Sent>): Promise<Sent> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AdbreakError)) throw error;
    const { status } = ERROR_CODES[error.code];
    if (status >= 500) throw error;
    const wait = error instanceof TooSoon ? { 'retry-after': String(error.wait) } : {};
    const why = `${error.message}. ${error.remedy}`;
    return { ...page(again({ why }), wait), status, fault: error.code };
  }
}

/** A new password that was mistyped would keep its holder out. */
function refuseMistyped({ password, again }: { readonly password: string; readonly again: string }): void {
  if (password !== again)
    throw new AdbreakError('input_invalid', 'Cannot set the password: the two differ', {
      remedy: 'Type the same one into both fields.',
    });
}

function refusePlain({ secure }: { readonly secure: boolean }): void {
  if (secure) return;
  throw new AdbreakError('forbidden', 'Cannot sign in over plain HTTP: the password would go in the clear', {
    remedy: 'Open the hub’s https address; on this port pages and scripts take a token.',
  });
}
