import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { Browser } from '../testing/browser.js';
import { BIN, runAt } from '../testing/command.js';
import { type TestHub, testHub } from '../testing.js';
import { callBy } from './client.js';

const PASSWORD = 'five quiet herons wade';

/** A command that is given lines on standard input; with a terminal through script(1). */
async function typing(hub: TestHub, lines: readonly string[], args: readonly string[], terminal = false) {
  const env = {
    ...process.env,
    ADBREAK_HUB: hub.hub,
    ADBREAK_TOKEN: hub.token,
    ADBREAK_CA: join(hub.folder, 'identity/ca.pem'),
  };
  const command = [process.execPath, BIN, ...args];
  const [program = '', ...rest] = terminal ? ['script', '-qec', command.join(' '), '/dev/null'] : command;
  const child = spawn(program, rest, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const questions = [/Password of .*: $/, /Once more: $/];
  const left = [...lines];
  let words = '';
  const hear = (text: string) => {
    words += text;
    // A person types when they are asked.
    if (terminal && questions[0]?.test(words)) {
      questions.shift();
      child.stdin.write(`${left.shift()}\n`);
    }
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
  if (!terminal) child.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const [code] = await once(child, 'close');
  return { code, words };
}
async function signsIn(hub: TestHub, name: string, password: string): Promise<boolean> {
  return (await new Browser(hub).post('/sign-in', { name, password })).status === 303;
}

test('accounts are made, listed, changed and removed from the command line', async (t) => {
  const hub = await testHub(t);
  const made = await runAt(hub, 'users', 'add', 'anna', '--role', 'viewer', '--generate');
  const password = /^([a-z2-9]{5}-){3}[a-z2-9]{5}$/m.exec(made.out)?.[0] ?? assert.fail(made.error);
  assert.equal(made.out, `${password}\n`, 'nothing else, for a pipe');
  assert.ok(await signsIn(hub, 'anna', password));
  assert.match(
    (await runAt(hub, 'users', 'list')).out,
    /^anna {2}viewer {2}password of \S+, signed in last \S+, 1 open$/m,
  );
  assert.match((await runAt(hub, 'users', 'role', 'anna', 'admin')).out, /^anna {2}admin {2}.* 0 open$/m);
  const reset = await runAt(hub, 'users', 'reset', 'anna', '--generate');
  assert.equal(await signsIn(hub, 'anna', password), false);
  assert.ok(await signsIn(hub, 'anna', reset.out.trim()));
  assert.equal((await runAt(hub, 'users', 'remove', 'anna')).out, 'anna  admin  removed\n');
  const again = await runAt(hub, 'users', 'add', 'anna', '--role', 'viewer', '--generate');
  assert.match(again.error, /error conflict: Cannot make an account for anna: the name is taken/);
  assert.match((await runAt(hub, 'users', 'reset', 'bert', '--generate')).error, /error not_found/);
});

test('a password comes by a pipe, or from a terminal that does not show it', async (t) => {
  const hub = await testHub(t);
  const add = (name: string) => ['users', 'add', name, '--role', 'viewer'];
  const piped = await typing(hub, [PASSWORD], add('anna'));
  assert.equal(piped.code, 0, piped.words);
  assert.ok(await signsIn(hub, 'anna', PASSWORD));
  const typed = await typing(hub, [PASSWORD, PASSWORD], add('bert'), true);
  assert.equal(typed.code, 0, typed.words);
  assert.ok(!typed.words.includes('herons'), 'the terminal shows it');
  assert.ok(await signsIn(hub, 'bert', PASSWORD));
  const differ = await typing(hub, [PASSWORD, `${PASSWORD}s`], add('carl'), true);
  assert.match(differ.words, /error input_invalid: Cannot set the password of carl: the two differ/);
  assert.match((await typing(hub, [], add('carl'))).words, /Cannot set the password of carl: there is none/);
  assert.match((await typing(hub, ['short'], add('carl'))).words, /password: must be at least 15 characters/);
  assert.match((await typing(hub, ['a'.repeat(20)], add('carl'))).words, /at least 6 different characters/);
});

test('somebody who may administer the hub is always left: by an account, or by a token', async (t) => {
  const hub = await testHub(t);
  await runAt(hub, 'users', 'add', 'anna', '--role', 'admin', '--generate');
  await runAt(hub, 'users', 'add', 'bert', '--role', 'admin', '--generate');
  // The tokens’ own rule keeps the last of them; both of these may go.
  assert.equal((await runAt(hub, 'users', 'remove', 'anna')).code, 0);
  assert.equal((await runAt(hub, 'users', 'role', 'bert', 'viewer')).code, 0);
  const { tokens: all } = await callBy(hub, tokens.list, {});
  assert.deepEqual(
    all.map(({ id, standing }) => `${id} ${standing}`),
    ['first valid'],
  );
});

test('the last administrator’s account stays where every token of one has expired', async (t) => {
  let now = Date.parse('2026-01-01T00:00:00.000Z');
  const hub = await testHub(t, { now: () => new Date(now) });
  const { out } = await runAt(hub, 'users', 'add', 'anna', '--role', 'admin', '--generate');
  now += 366 * 24 * 3_600_000;
  const browser = new Browser(hub);
  assert.equal((await browser.post('/sign-in', { name: 'anna', password: out.trim() })).status, 303);
  const headers = { origin: hub.hub, 'content-type': 'application/json' };
  const removed = await browser.ask('POST', '/api/v1/users/anna/remove', headers, '{}');
  assert.match(removed.body, /Cannot remove anna: nobody else may administer the hub/);
  const demoted = await browser.ask('PUT', '/api/v1/users/anna/role', headers, '{"role":"viewer"}');
  assert.match(demoted.body, /Cannot change the role of anna: nobody else may administer the hub/);
});
