import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accounts, SESSION_COOKIE } from '@adbreak/shared/contract/http/accounts.js';
import { audit } from '@adbreak/shared/contract/http/audit.js';
import { FORM } from '@adbreak/shared/contract/http/contract.js';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { Browser } from '../testing/browser.js';
import { auditLines, storedState } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

const PASSWORD = 'five quiet herons wade';
const NEXT = 'six loud herons stand still';
const START = Date.parse('2026-01-01T00:00:00.000Z');
const MINUTE = 60_000;

async function withAnna(hub: TestHub, role: 'viewer' | 'operator' | 'admin' = 'operator'): Promise<void> {
  await callBy(hub, accounts.add, { body: { name: 'anna', role, password: PASSWORD } });
}
async function signedIn(hub: TestHub, password = PASSWORD): Promise<Browser> {
  const browser = new Browser(hub);
  const { status, body } = await browser.post('/sign-in', { name: 'anna', password });
  assert.equal(status, 303, body);
  return browser;
}
/** What the API says to who is signed in: a status, or the code of its refusal. */
async function look(browser: Browser): Promise<number | string> {
  const { status, body } = await browser.get('/api/v1/overview');
  return status < 400 ? status : problem.parse(JSON.parse(body)).code;
}

test('who signs in gets a cookie that no script and no other host sees, and the first page', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const browser = new Browser(hub);
  assert.match((await browser.get('/sign-in')).body, /<form method="post" action="\/sign-in">/);
  const { status, headers } = await browser.post('/sign-in', { name: 'anna', password: PASSWORD });
  assert.deepEqual([status, headers['location']], [303, '/']);
  assert.match(
    String(headers['set-cookie']),
    /^__Host-adbreak=adbreak_session_[0-9a-f]{40}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  );
  assert.equal(await look(browser), 200);
  const told = JSON.parse((await browser.get('/api/v1/session')).body);
  assert.deepEqual(told, { person: { name: 'anna', role: 'operator' } });
  assert.match((await browser.get('/account')).body, /<h1>anna, operator<\/h1>/);
  assert.deepEqual(JSON.parse((await new Browser(hub).get('/api/v1/session')).body), { person: null });
  assert.equal((await new Browser(hub).get('/account')).headers['location'], '/sign-in');
});

test('the hub keeps neither a password nor what opens a session', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const { cookie } = await signedIn(hub);
  assert.ok(cookie !== null);
  const state = await storedState(hub.folder);
  const kept = JSON.stringify(state) + (await auditLines(hub.folder)).join('\n') + hub.log.join('\n');
  assert.ok(!kept.includes(cookie) && !kept.includes(PASSWORD));
  assert.equal(Object.values(state.sessions).length, 1);
});

test('a person does what their role may, over the same routes, and is who the audit log names', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const browser = await signedIn(hub);
  const json = { origin: hub.hub, 'content-type': 'application/json' };
  const claim = await browser.ask('POST', '/api/v1/claims', json, '{}');
  assert.equal(claim.status, 201, claim.body);
  const token = await browser.ask('POST', '/api/v1/tokens', json, '{"id":"x","role":"viewer"}');
  assert.match(token.body, /needs the role admin; the account has operator/);
  assert.match((await auditLines(hub.folder)).join('\n'), /"who":"person:anna","what":"claim\.create"/);
});

test('a wrong password and a wrong name are one refusal, on the page', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const answers = await Promise.all(
    [
      { name: 'anna', password: 'not that one at all' },
      { name: 'bert', password: PASSWORD },
      { name: '__proto__', password: PASSWORD },
    ].map((fields) => new Browser(hub).post('/sign-in', fields)),
  );
  for (const { status, headers, body } of answers) {
    assert.equal(status, 401);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.match(body, /<p role="alert">Cannot sign in: the name or the password is wrong\. Try again\./);
    assert.equal(headers['set-cookie'], undefined);
  }
  const lines = (await auditLines(hub.folder)).join('\n');
  assert.match(lines, /"what":"session\.refused","subject":"anna","after":\{"address":"127\.0\.0\.1"\}/);
  assert.ok(!lines.includes('bert'), 'what was typed as a name may be a password');
});

test('what was typed as a name comes back as text', async (t) => {
  const hub = await testHub(t);
  const { body } = await new Browser(hub).post('/sign-in', { name: '"><script>x', password: 'x' });
  assert.ok(body.includes('value="&#34;&#62;&#60;script&#62;x"'), body);
});

test('wrong passwords are slowed down by address, and nobody else waits for that', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const other = new Browser(hub, '127.0.0.2');
  for (let i = 0; i < 10; i++)
    assert.equal((await other.post('/sign-in', { name: 'anna', password: 'wrong' })).status, 401);
  const { status, headers, body } = await other.post('/sign-in', { name: 'anna', password: PASSWORD });
  assert.equal(status, 429);
  assert.ok(Number(headers['retry-after']) >= 1);
  assert.match(body, /too many wrong passwords; the next one in \d s/);
  await signedIn(hub);
});

test('a session ends with signing out, with another one in its place, and for nobody else', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const [one, two] = [await signedIn(hub), await signedIn(hub)];
  const old = one.cookie;
  await one.post('/sign-in', { name: 'anna', password: PASSWORD });
  assert.notEqual(one.cookie, old);
  const stolen = new Browser(hub);
  stolen.cookie = old;
  assert.equal(await look(stolen), 'unauthorized');
  stolen.cookie = one.cookie;
  const out = await one.post('/sign-out', {});
  assert.deepEqual([out.status, out.headers['location'], one.cookie], [303, '/sign-in', null]);
  assert.deepEqual([await look(stolen), await look(two)], ['unauthorized', 200]);
});

test('a session ends after an hour without use, and after twelve hours however it is used', async (t) => {
  let now = START;
  const hub = await testHub(t, { now: () => new Date(now) });
  await withAnna(hub);
  const [idle, busy] = [await signedIn(hub), await signedIn(hub)];
  for (let minutes = 10; minutes < 12 * 60; minutes += 10) {
    now = START + minutes * MINUTE;
    assert.equal(await look(busy), 200, `after ${minutes} min`);
    // What is noted of its use is on disk before the clock goes on.
    await callHub(hub, '/api/v1/claims', { method: 'POST', json: {} });
    if (minutes === 60) assert.equal(await look(idle), 'unauthorized');
  }
  now = START + 12 * 60 * MINUTE;
  assert.equal(await look(busy), 'unauthorized');
});

test('another password, another role and the end of an account end its sessions', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const name = { params: { name: 'anna' } };
  const changes = [
    () => callBy(hub, accounts.setRole, { ...name, body: { role: 'viewer' } }),
    () => callBy(hub, accounts.reset, { ...name, body: { password: NEXT } }),
    () => callBy(hub, accounts.remove, name),
  ];
  for (const [i, change] of changes.entries()) {
    const browser = await signedIn(hub, i < 2 ? PASSWORD : NEXT);
    assert.equal(await look(browser), 200);
    await change();
    assert.equal(await look(browser), 'unauthorized', `change ${i}`);
  }
  assert.equal((await new Browser(hub).post('/sign-in', { name: 'anna', password: NEXT })).status, 401);
});

test('people change their own password with the one of now, and their other sessions end', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const [own, other] = [await signedIn(hub), await signedIn(hub)];
  const change = (current: string, password: string, again = password) =>
    own.post('/account/password', { current, password, again });
  const wrong = await change('not that one at all', NEXT);
  assert.deepEqual([wrong.status, /the current one is wrong/.test(wrong.body)], [403, true]);
  const short = await change(PASSWORD, 'short');
  assert.deepEqual([short.status, /at least 15 characters long/.test(short.body)], [400, true]);
  assert.match((await change(PASSWORD, NEXT, PASSWORD)).body, /Cannot set the password: the two differ/);
  assert.equal(await look(other), 200);
  assert.match((await change(PASSWORD, NEXT)).body, /The password is changed/);
  assert.deepEqual([await look(own), await look(other)], [200, 'unauthorized']);
  await signedIn(hub, NEXT);
});

test('what a page of elsewhere sends in somebody’s name is refused, and so is what does not say whence it comes', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub, 'admin');
  const browser = await signedIn(hub);
  const json = { 'content-type': 'application/json' };
  for (const headers of [
    {},
    { origin: 'null' },
    { origin: 'https://evil.example' },
    { origin: hub.hub.replace('https', 'http') },
    { origin: hub.hub.replace(/\d+$/, '1') },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  ]) {
    const { status, body } = await browser.ask('POST', '/api/v1/claims', { ...json, ...headers }, '{}');
    assert.deepEqual(
      [status, problem.parse(JSON.parse(body)).code],
      [403, 'forbidden'],
      JSON.stringify(headers),
    );
  }
  const fields = new URLSearchParams({ name: 'anna', password: PASSWORD }).toString();
  const login = await new Browser(hub).ask(
    'POST',
    '/sign-in',
    { origin: 'https://evil.example', 'content-type': FORM },
    fields,
  );
  assert.deepEqual([login.status, login.headers['set-cookie']], [403, undefined]);
  assert.equal((await browser.ask('POST', '/api/v1/claims', { ...json, origin: hub.hub }, '{}')).status, 201);
  const asForm = await browser.ask(
    'POST',
    '/api/v1/claims',
    { origin: hub.hub, 'content-type': FORM },
    'count=1',
  );
  assert.match(asForm.body, /its body is no JSON/);
});

test('what a page refuses stands in the audit log under its own code, and is found with what else was refused', async (t) => {
  const hub = await testHub(t);
  await withAnna(hub);
  const browser = new Browser(hub);
  await browser.post('/sign-in', { name: 'anna', password: 'not that one at all' });
  await browser.get(`/first?code=adbreak_first_${'0'.repeat(40)}`);
  const { entries } = await until('they are written', async () => {
    const found = await callBy(hub, audit.list, { query: { what: 'refused' } });
    return found.entries.length >= 3 && found;
  });
  const told = entries.map(({ what, subject, after }) => [what, subject, Object(after).code ?? null]);
  assert.deepEqual(told.sort(), [
    ['refused', 'GET /first', 'token_invalid'],
    ['refused', 'POST /sign-in', 'unauthorized'],
    ['session.refused', 'anna', null],
  ]);
});

test('in the clear nobody signs in, and a session is none', async (t) => {
  const hub = await testHub(t, { local: { port: 0, asked: true } });
  await withAnna(hub);
  const { cookie } = await signedIn(hub);
  const plain = `http://localhost:${hub.running.localPort}`;
  const headers = { cookie: `${SESSION_COOKIE}=${cookie}` };
  assert.equal(
    (await answerOf({ hub: plain, method: 'GET', path: '/api/v1/overview', headers })).status,
    401,
  );
  const { status, body } = await answerOf({
    hub: plain,
    method: 'POST',
    path: '/sign-in',
    headers: { origin: plain, 'content-type': FORM },
    send: new URLSearchParams({ name: 'anna', password: PASSWORD }).toString(),
  });
  assert.equal(status, 403);
  assert.match(body, /Cannot sign in over plain HTTP.*Open the hub.* https address/s);
  const code = hub.running.invitation?.code ?? '';
  for (const path of ['/sign-in', `/first?code=${code}`]) {
    const page = await answerOf({ hub: plain, method: 'GET', path });
    assert.doesNotMatch(page.body, /<form/, `${path}: a form that cannot work`);
    assert.ok(page.body.includes(`href="https://localhost:${hub.running.httpPort}`), page.body);
  }
});
