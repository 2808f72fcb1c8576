import { z } from 'zod';
import { ROLES } from './access.js';
import { accountName, instant, newAccount } from './common.js';
import { contract, FORM } from './contract.js';

/** `__Host-` (RFC 6265bis section 4.1.3.2): over TLS, for the whole host, and for no other host. */
export const SESSION_COOKIE = '__Host-adbreak';

/**
 * SP 800-63B-4 section 3.1.1.2: at least 15 characters where a password is all there is. The most is there so
 * that nobody makes the hub hash a book.
 */
export const LEAST_PASSWORD = 15;
export const MOST_PASSWORD = 200;
const LEAST_DIFFERENT = 6;

/** As a form sends it: what is wrong with it the page says. */
const typed = z.string().max(1000);
/** A new password once more: a person who has mistyped it would be kept out. */
const again = typed.describe('The same once more');
export const newPassword = z
  .string()
  .min(LEAST_PASSWORD, `must be at least ${LEAST_PASSWORD} characters long; a few words in a row are good`)
  .max(MOST_PASSWORD, `must be at most ${MOST_PASSWORD} characters long`)
  .refine((text) => new Set(text).size >= LEAST_DIFFERENT, {
    error: `must have at least ${LEAST_DIFFERENT} different characters`,
  });

const accountView = z.object({
  name: z.string(),
  role: z.enum(ROLES),
  created: instant,
  /** When the password was set. */
  changed: instant,
  /** When somebody signed in last; null: never. */
  lastSignIn: instant.nullable(),
  /** Sessions that are open. */
  sessions: z.int().nonnegative(),
  standing: z.enum(['active', 'removed']),
});
/** `password` where the hub has made it up: it is shown once. */
const withPassword = accountView.extend({ password: z.string().nullable() });
const params = z.object({ name: accountName });
/** Null: the hub makes one up. */
const maybePassword = newPassword.nullable().default(null);

const add = contract({
  method: 'POST',
  path: '/api/v1/users',
  access: 'admin',
  summary: 'Makes an account for a person, who signs in with a password.',
  body: z.strictObject({
    /** Nobody else ever gets this name: the audit log tells by it who has changed what. */
    name: newAccount,
    role: z.enum(ROLES),
    password: maybePassword,
  }),
  bodyIs: 'the account',
  answer: withPassword,
  status: 201,
});
const list = contract({
  method: 'GET',
  path: '/api/v1/users',
  access: 'admin',
  summary: 'All accounts.',
  answer: z.object({ users: z.array(accountView) }),
});
const setRole = contract({
  method: 'PUT',
  path: '/api/v1/users/{name}/role',
  access: 'admin',
  summary: 'Changes what a person may do; the sessions of the account end.',
  params,
  body: z.strictObject({ role: z.enum(ROLES) }),
  bodyIs: 'the role',
  answer: accountView,
});
const reset = contract({
  method: 'PUT',
  path: '/api/v1/users/{name}/password',
  access: 'admin',
  summary: 'Gives an account another password; its sessions end.',
  params,
  body: z.strictObject({ password: maybePassword }),
  bodyIs: 'the password',
  answer: withPassword,
});
const remove = contract({
  method: 'POST',
  path: '/api/v1/users/{name}/remove',
  access: 'admin',
  summary: 'Ends an account and its sessions at once. The name stays taken.',
  params,
  answer: accountView,
});

export const accounts = { add, list, setRole, reset, remove };

const page = { media: 'text/html; charset=utf-8', holds: 'a page', forPeople: true } as const;

const show = contract({
  method: 'GET',
  path: '/api/v1/session',
  access: 'visitor',
  summary: 'Who is signed in; null where nobody is.',
  answer: z.object({ person: z.object({ name: z.string(), role: z.enum(ROLES) }).nullable() }),
});
const signInPage = contract({
  method: 'GET',
  path: '/sign-in',
  access: 'visitor',
  summary: 'The page on which people sign in.',
  answer: page,
});
const signIn = contract({
  method: 'POST',
  path: '/sign-in',
  access: 'visitor',
  summary: 'Begins a session, in a cookie.',
  more: 'Wrong passwords are slowed down by account and by address.',
  body: z.strictObject({ name: z.string().max(200), password: typed }),
  bodyIs: 'the sign-in',
  bodyAs: FORM,
  answer: page,
});
const signOut = contract({
  method: 'POST',
  path: '/sign-out',
  access: 'visitor',
  summary: 'Ends the session.',
  bodyAs: FORM,
  answer: page,
});
const accountPage = contract({
  method: 'GET',
  path: '/account',
  access: 'visitor',
  summary: 'The page of who is signed in.',
  answer: page,
});
const changePassword = contract({
  method: 'POST',
  path: '/account/password',
  access: 'visitor',
  summary: 'Changes one’s own password; all other sessions of the account end.',
  body: z.strictObject({ current: typed, password: typed, again }),
  bodyIs: 'the password',
  bodyAs: FORM,
  answer: page,
});
const code = z.string().max(200);
const firstPage = contract({
  method: 'GET',
  path: '/first',
  access: 'public',
  summary: 'Where the one-time link for the first administrator leads.',
  query: z.object({ code: code.default('') }),
  answer: page,
});
const first = contract({
  method: 'POST',
  path: '/first',
  access: 'visitor',
  summary: 'Makes the first administrator, once, within an hour from when the link was made.',
  body: z.strictObject({ code, name: z.string().max(200), password: typed, again }),
  bodyIs: 'the first administrator',
  bodyAs: FORM,
  answer: page,
});

export const sessions = {
  show,
  signInPage,
  signIn,
  signOut,
  accountPage,
  changePassword,
  firstPage,
  first,
};
