import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPassword } from '@adbreak/shared/contract/http/accounts.js';
import { TooSoon } from '../identity/guesses.js';
import { madeUp, Passwords } from './passwords.js';

const WORDS = 'five quiet herons wade';

test('a password fits its own hash alone, which is Argon2id at the cost that OWASP names, and salted', async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash(WORDS);
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.notEqual(await passwords.hash(WORDS), hash);
  assert.equal(await passwords.fits(hash, WORDS), true);
  assert.equal(await passwords.fits(hash, `${WORDS} `), false);
  assert.equal(await passwords.fits(null, WORDS), false);
  assert.equal(await passwords.fits(null, ''), false);
});

test('a letter is the same one however a keyboard has put it together', async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash('f\u00fcnf stille Reiher waten');
  assert.equal(await passwords.fits(hash, 'fu\u0308nf stille Reiher waten'), true);
});

test('no account takes as long as an account', async (t) => {
  const passwords = new Passwords();
  const hash = await passwords.hash(WORDS);
  const times = { account: [] as number[], nobody: [] as number[] };
  for (let i = 0; i < 15; i++)
    for (const [kind, stored] of [
      ['account', hash],
      ['nobody', null],
    ] as const) {
      const begun = performance.now();
      await passwords.fits(stored, 'another one altogether');
      times[kind].push(performance.now() - begun);
    }
  const middle = (all: number[]) => all.sort((a, b) => a - b)[7] ?? 0;
  const [account, nobody] = [middle(times.account), middle(times.nobody)];
  t.diagnostic(`${account.toFixed(1)} ms for an account, ${nobody.toFixed(1)} ms for none`);
  // A comparison without the hash would take a thousandth of it.
  assert.ok(nobody > account / 3 && nobody < account * 3, `${account} ms, ${nobody} ms`);
});

test('of many at once those beyond twenty are told to come again, and the others are answered', async () => {
  const passwords = new Passwords();
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => passwords.fits(null, WORDS)));
  const refused = outcomes.filter((one) => one.status === 'rejected' && one.reason instanceof TooSoon);
  assert.equal(refused.length, 10);
  assert.equal(await passwords.fits(null, WORDS), false);
});

test('a password that the hub makes up is one that it would take, and never the same', () => {
  const made = Array.from({ length: 100 }, madeUp);
  assert.equal(new Set(made).size, 100);
  for (const one of made) {
    assert.match(one, /^([a-z2-9]{5}-){3}[a-z2-9]{5}$/);
    newPassword.parse(one);
  }
});
