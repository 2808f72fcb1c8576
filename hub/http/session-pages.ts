import { LEAST_PASSWORD, MOST_PASSWORD } from '@adbreak/shared/contract/http/accounts.js';
import type { SignedIn } from '../identity/secrets.js';
import { escaped } from './reference.js';

/** The colours are the dashboard's. */
const STYLE = `
  :root { --ink: #1b2330; --soft: #5b6675; --line: #d9dee5; --ground: #f3f5f8; --content: #0072b2; color-scheme: light; }
  * { box-sizing: border-box }
  body { margin: 0; font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); background: var(--ground); }
  header { background: #16202e; padding: 14px 24px; }
  header a { color: #fff; font-size: 20px; font-weight: 700; text-decoration: none; }
  main { max-width: 26rem; margin: 32px auto; padding: 0 16px; display: grid; gap: 18px; }
  section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
  h1 { font-size: 16px; margin: 0 0 10px; }
  form { display: grid; gap: 10px; }
  label { display: grid; gap: 2px; color: var(--soft); }
  input { padding: 8px; border: 1px solid var(--line); border-radius: 6px; font: inherit; color: var(--ink); }
  button { padding: 8px 16px; border: 0; border-radius: 6px; background: var(--content); color: #fff; font: inherit; }
  :focus-visible { outline: 3px solid #f0a300; }
  p { margin: 0 0 10px; }
  .quiet { color: var(--soft); }
  [role=alert] { color: #a63d00; font-weight: 700; }
`;

/** What a page has to tell beside its form. */
interface Told {
  /** What was wrong with what was sent. */
  readonly why?: string;
  readonly done?: string;
  /** What was typed as the name. */
  readonly name?: string;
}

export function signInPage(told: Told): string {
  return html(
    'Sign in',
    `${wordsOf(told)}<form method="post" action="/sign-in">
${nameField(told)}
${passwordField('password', 'Password', 'current-password')}
<button>Sign in</button>
</form>
<p class="quiet">With a token: <a href="/">on the first page</a>.</p>`,
  );
}

/** In the clear there is no form: it could not work, and a password must not go that way. */
export function securePage(url: string, { why }: Pick<Told, 'why'> = {}): string {
  return html(
    'Sign in',
    `${wordsOf(why === undefined ? {} : { why })}<p>With a name and a password over https alone: <a href="${escaped(url)}">${escaped(url)}</a></p>
<p class="quiet">With a token: <a href="/">on the first page</a>.</p>`,
  );
}

export function firstPage({ code, ...told }: Told & { readonly code: string }): string {
  return html(
    'The first administrator',
    `${wordsOf(told)}<form method="post" action="/first">
<input type="hidden" name="code" value="${escaped(code)}">
${nameField(told)}
${newPasswordField('password', 'Password')}
<button>Make the account</button>
</form>`,
  );
}

export function accountPage({ id, role }: SignedIn, told: Told): string {
  return html(
    `${id}, ${role}`,
    `${wordsOf(told)}<form method="post" action="/sign-out"><button>Sign out</button></form>
</section><section><h1>Another password</h1>
<form method="post" action="/account/password">
<input type="hidden" autocomplete="username" value="${escaped(id)}">
${passwordField('current', 'The one of now', 'current-password')}
${newPasswordField('password', 'The next one')}
<button>Change it</button>
</form>`,
  );
}

function wordsOf({ why, done }: Told): string {
  if (why !== undefined) return `<p role="alert">${escaped(why)}</p>\n`;
  return done === undefined ? '' : `<p role="status">${escaped(done)}</p>\n`;
}

function nameField({ name = '' }: Told): string {
  const focus = name === '' ? ' autofocus' : '';
  return `<label>Name <input name="name" value="${escaped(name)}" maxlength="40" required autocomplete="username" autocapitalize="none" spellcheck="false"${focus}></label>`;
}
function passwordField(name: string, label: string, kind: 'current-password' | 'new-password'): string {
  return `<label>${label} <input type="password" name="${name}" maxlength="${MOST_PASSWORD}" required autocomplete="${kind}"></label>`;
}
function newPasswordField(name: string, label: string): string {
  return `${passwordField(name, label, 'new-password')}
${passwordField('again', 'Once more', 'new-password')}
<p class="quiet">At least ${LEAST_PASSWORD} characters: a few words in a row are good.</p>`;
}

function html(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Adbreak: ${escaped(title)}</title><style>${STYLE}</style></head>
<body>
<header><a href="/">Adbreak</a></header>
<main><section><h1>${escaped(title)}</h1>
${body}
</section></main>
</body>
</html>
`;
}
