import { type Access, isRole } from '@adbreak/shared/contract/http/access.js';
import { OPERATIONS, type Operation } from '@adbreak/shared/contract/http/all.js';
import type { OpenApi } from '@adbreak/shared/contract/http/openapi.js';
import { titleOf } from '@adbreak/shared/contract/http/problem.js';
import { ERROR_CODES } from '@adbreak/shared/errors.js';

const STYLE = `
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b2330; }
  h2 { margin-top: 2.5rem; border-bottom: 1px solid #c9d0da; text-transform: capitalize; }
  code, pre { font: 13px/1.5 ui-monospace, monospace; }
  section > code { font-weight: 700; overflow-wrap: anywhere; }
  section { margin: 1.2rem 0; }
  section p { margin: .2rem 0; }
  pre { background: #f3f5f8; padding: .8rem; overflow: auto; max-height: 30rem; }
  .who { color: #5b6675; }
  td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
  :target { background: #fff3c4; }
`;

/** The API for people: a page made once, without a script and without anything from elsewhere. */
export function referencePage(document: OpenApi): string {
  const groups = [...new Set(OPERATIONS.map(({ group }) => group))];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Adbreak: the hub's API</title><style>${STYLE}</style></head>
<body>
<h1>The hub's API</h1>
<p>The same as a machine reads it: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a> (OpenAPI 3.1). A call with a role takes <code>Authorization: Bearer TOKEN</code>, which <code>adbreak tokens create</code> makes, or the session of who has signed in. Refusals are problem documents (RFC 9457); their codes are <a href="#errors">below</a>.</p>
${groups.map((name) => groupHtml(name, document)).join('\n')}
<h2 id="errors">Errors</h2>
<table><tr><th>code</th><th>HTTP</th><th>what to do</th></tr>
${Object.entries(ERROR_CODES)
  .map(([code, { status, remedy }]) => errorHtml(code, status, remedy))
  .join('\n')}
</table>
<h2 id="schemas">Schemas</h2>
${schemasHtml(document)}
</body>
</html>
`;
}

function groupHtml(name: string, document: OpenApi): string {
  const own = OPERATIONS.filter(({ group }) => group === name);
  return `<h2>${escaped(name)}</h2>\n${own.map((one) => operationHtml(one, document)).join('\n')}`;
}

function operationHtml({ name, contract }: Operation, document: OpenApi): string {
  const { method, path, access, summary, more = '' } = contract;
  const written = at(document, 'paths', path, method.toLowerCase());
  const details = {
    parameters: at(written, 'parameters'),
    body: at(written, 'requestBody'),
    answers: at(written, 'responses'),
  };
  return `<section id="${escaped(name)}"><code>${method} ${escaped(path)}</code> <span class="who">${whoMay(access)}</span>
<p>${escaped(summary)} ${escaped(more)}</p>
<details><summary>what it takes and gives</summary><pre>${json(details)}</pre></details></section>`;
}

function whoMay(access: Access): string {
  if (isRole(access)) return access;
  return access === 'public' || access === 'visitor' ? 'anybody' : 'a device, by its certificate';
}

function errorHtml(code: string, status: number, remedy: string): string {
  return `<tr id="${code}"><td><code>${code}</code><br>${titleOf(code)}</td><td>${status}</td><td>${escaped(remedy)}</td></tr>`;
}

function schemasHtml(document: OpenApi): string {
  const schemas = at(document, 'components', 'schemas');
  return Object.entries(typeof schemas === 'object' && schemas !== null ? schemas : {})
    .map(
      ([name, schema]) =>
        `<details id="${escaped(name)}"><summary>${escaped(name)}</summary><pre>${json(schema)}</pre></details>`,
    )
    .join('\n');
}

/** A member of a member of JSON; undefined where there is none. */
function at(value: unknown, ...path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  return at(Object.entries(value).find(([key]) => key === name)?.[1], ...rest);
}

function json(value: unknown): string {
  return escaped(JSON.stringify(value, null, 2));
}
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
