import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Browser } from '../testing/browser.js';
import { run } from '../testing/command.js';
import { auditLines, storedState } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';
import { writeFirst } from './first.js';

const PASSWORD = 'five quiet herons wade';
const ANNA = { name: 'anna', password: PASSWORD, again: PASSWORD };
const START = Date.parse('2026-01-01T00:00:00.000Z');
const HOUR = 3_600_000;

function codeOf({ running }: TestHub): string {
  return running.invitation?.code ?? assert.fail('there is no invitation');
}
const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

test('the link of the first start makes an administrator who is signed in, once', async (t) => {
  const hub = await testHub(t);
  const code = codeOf(hub);
  const browser = new Browser(hub);
  const { body } = await browser.get(`/first?code=${code}`);
  assert.ok(body.includes(`<input type="hidden" name="code" value="${code}">`));
  const short = await browser.post('/first', { code, ...ANNA, password: 'short', again: 'short' });
  assert.deepEqual([short.status, /at least 15 characters/.test(short.body)], [400, true]);
  assert.equal((await browser.post('/first', { code, ...ANNA, name: 'constructor' })).status, 400);
  assert.equal((await browser.post('/first', { code, ...ANNA })).status, 303);
  assert.equal((await browser.get('/api/v1/users')).status, 200, 'it is an administrator’s session');

  const second = await new Browser(hub).post('/first', { code, ...ANNA, name: 'bert' });
  assert.deepEqual([second.status, /the link was used/.test(second.body)], [401, true]);
  assert.equal((await new Browser(hub).get(`/first?code=${code}`)).status, 401);
  assert.deepEqual(Object.keys((await storedState(hub.folder)).accounts), ['anna']);
  assert.match((await auditLines(hub.folder)).join('\n'), /"who":"person:anna","what":"user\.first"/);
});

test('of two who use the link at once one is the first administrator', async (t) => {
  const hub = await testHub(t);
  const code = codeOf(hub);
  const statuses = await Promise.all(
    ['anna', 'bert', 'carl'].map(
      async (name) => (await new Browser(hub).post('/first', { code, ...ANNA, name })).status,
    ),
  );
  assert.deepEqual(statuses.sort(), [303, 401, 401]);
  assert.equal(Object.keys((await storedState(hub.folder)).accounts).length, 1);
});

test('another code opens nothing, and neither does the link after an hour', async (t) => {
  let now = START;
  const hub = await testHub(t, { now: () => new Date(now) });
  const code = codeOf(hub);
  for (const wrong of ['', 'x', `adbreak_first_${'0'.repeat(40)}`])
    assert.equal((await new Browser(hub).post('/first', { code: wrong, ...ANNA })).status, 401);
  now = START + HOUR;
  assert.equal((await new Browser(hub).post('/first', { code, ...ANNA })).status, 401);
  assert.deepEqual(Object.keys((await storedState(hub.folder)).accounts), []);
});

test('a password that was typed differently the second time makes no account, and the link stays', async (t) => {
  const hub = await testHub(t);
  const code = codeOf(hub);
  const { status, body } = await new Browser(hub).post('/first', { code, ...ANNA, again: `${PASSWORD}s` });
  assert.deepEqual([status, /Cannot set the password: the two differ/.test(body)], [400, true]);
  assert.ok(body.includes(`value="${code}"`) && body.includes('name="again"'), 'it is asked again');
  assert.deepEqual(Object.keys((await storedState(hub.folder)).accounts), []);
  assert.equal((await new Browser(hub).post('/first', { code, ...ANNA })).status, 303);
});

test('the link of a terminal lives through a restart, and nothing on the disk opens anything', async (t) => {
  const folder = await temporaryFolder();
  const before = await testHub(t, { folder });
  const code = codeOf(before);
  await before.running[Symbol.asyncDispose]();
  const path = join(folder, 'first-administrator.txt');
  assert.doesNotMatch(await readFile(path, 'utf8'), /adbreak_first_/);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const hub = await testHub(t, { folder });
  assert.equal((await new Browser(hub).post('/first', { code, ...ANNA })).status, 303);
  assert.equal(await isThere(path), false);
});

test('`hub first-link` makes another one beside a hub that runs or is stopped, until there is an account', async (t) => {
  const folder = await temporaryFolder();
  const before = await testHub(t, { folder });
  const lost = codeOf(before);
  const make = (...args: string[]) => run(['hub', 'first-link', '--state', folder, ...args]);
  const linked = ({ out, error }: { readonly out: string; readonly error: string }) =>
    /^ {2}https:\S+\/first\?code=(adbreak_first_[0-9a-f]{40})$/m.exec(out)?.[1] ?? assert.fail(out + error);
  const beside = linked(await make());
  assert.equal((await new Browser(before).get(`/first?code=${beside}`)).status, 200, 'no restart is needed');
  assert.equal((await new Browser(before).get(`/first?code=${lost}`)).status, 401, 'the one before is none');
  await before.running[Symbol.asyncDispose]();
  const stopped = await make('--url', 'https://hub.example:8443/');
  assert.match(stopped.out, /^ {2}https:\/\/hub\.example:8443\/first\?code=/m);
  const hub = await testHub(t, { folder });
  assert.equal((await new Browser(hub).post('/first', { code: linked(stopped), ...ANNA })).status, 303);
  const late = await make();
  assert.deepEqual([late.code, /error conflict: .*there is an account/.test(late.error)], [1, true]);
  const elsewhere = await run(['hub', 'first-link', '--state', join(folder, 'none')]);
  assert.match(elsewhere.error, /error not_found: Cannot make a link: no hub has been started on /);
  assert.match((await make('--url', 'hub.example')).error, /must be an address such as/);
});

test('a hub that is started again within the hour knows the link of its file, which is gone once it was used', async (t) => {
  const folder = await temporaryFolder();
  const before = await testHub(t, { folder });
  const invitation = before.running.invitation ?? assert.fail();
  const path = await writeFirst(folder, before.hub, invitation, '  export …');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await before.running[Symbol.asyncDispose]();
  const hub = await testHub(t, { folder });
  assert.equal(hub.running.invitation, null, 'no later start invites');
  assert.equal((await new Browser(hub).post('/first', { code: invitation.code, ...ANNA })).status, 303);
  await until('its file is gone', async () => !(await isThere(path)));
});

test('a file that has ended, or says nothing, is taken away at the start', async (t) => {
  const folder = await temporaryFolder();
  const before = await testHub(t, { folder, now: () => new Date(START) });
  const path = await writeFirst(folder, before.hub, before.running.invitation ?? assert.fail(), '');
  await before.running[Symbol.asyncDispose]();
  const late = await testHub(t, { folder, now: () => new Date(START + HOUR) });
  assert.equal(await isThere(path), false);
  await late.running[Symbol.asyncDispose]();
  await writeFile(join(folder, 'first-administrator.txt'), 'code=../../x\nuntil tomorrow\n');
  await testHub(t, { folder });
  assert.equal(await isThere(path), false);
});
