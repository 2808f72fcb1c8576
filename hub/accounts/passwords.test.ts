import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPassword } from '@adbreak/shared/contract/http/accounts.js';
import { TooSoon } from '../identity/guesses.js';
import { madeUp, Passwords } from './passwords.js';

const BY = '192.0.2.1';
const WORDS = 'five quiet herons wade';

test('a password fits its own hash alone, which is Argon2id at the cost that OWASP names, and salted', async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash(WORDS, BY);
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.notEqual(await passwords.hash(WORDS, BY), hash);
  assert.equal(await passwords.fits(hash, WORDS, BY), true);
  assert.equal(await passwords.fits(hash, `${WORDS} `, BY), false);
  assert.equal(await passwords.fits(null, WORDS, BY), false);
  assert.equal(await passwords.fits(null, '', BY), false);
});

test('a letter is the same one however a keyboard has put it together', async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash('f\u00fcnf stille Reiher waten', BY);
  assert.equal(await passwords.fits(hash, 'fu\u0308nf stille Reiher waten', BY), true);
});

test('no account takes as long as an account', async (t) => {
  const passwords = new Passwords();
  const hash = await passwords.hash(WORDS, BY);
  const times = { account: [] as number[], nobody: [] as number[] };
  for (let i = 0; i < 15; i++)
    for (const [kind, stored] of [
      ['account', hash],
      ['nobody', null],
    ] as const) {
      const begun = performance.now();
      await passwords.fits(stored, 'another one altogether', BY);
      times[kind].push(performance.now() - begun);
    }
  const middle = (all: number[]) => all.sort((a, b) => a - b)[7] ?? 0;
  const [account, nobody] = [middle(times.account), middle(times.nobody)];
  t.diagnostic(`${account.toFixed(1)} ms for an account, ${nobody.toFixed(1)} ms for none`);
  // A comparison without the hash would take a thousandth of it.
  assert.ok(nobody > account / 3 && nobody < account * 3, `${account} ms, ${nobody} ms`);
});

test('a flood of one network fills its own queue alone: another is answered after one of it, and not after all', async () => {
  const passwords = new Passwords();
  let answered = 0;
  const flood = Array.from({ length: 30 }, () => passwords.fits(null, WORDS, BY));
  for (const one of flood) one.then(() => (answered += 1)).catch(() => undefined);
  assert.equal(await passwords.fits(null, WORDS, '198.51.100.1'), false);
  assert.ok(answered <= 3, `${answered} of the flood came first`);
  const refused = (await Promise.allSettled(flood)).filter(
    (one) => one.status === 'rejected' && one.reason instanceof TooSoon,
  );
  assert.equal(refused.length, 19);
  assert.equal(await passwords.fits(null, WORDS, BY), false);
});

test('a password that the hub makes up is one that it would take, and never the same', () => {
  const made = Array.from({ length: 100 }, madeUp);
  assert.equal(new Set(made).size, 100);
  for (const one of made) {
    assert.match(one, /^([a-z2-9]{5}-){3}[a-z2-9]{5}$/);
    newPassword.parse(one);
  }
});
