import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guesses } from './guesses.js';

const at = (seconds: number) => new Date(Date.parse('2026-01-01T00:00:00.000Z') + 1000 * seconds);

test('twenty at once, then one a second, and each address for itself', () => {
  const guesses = new Guesses();
  for (let i = 0; i < 20; i++) assert.equal(guesses.count('192.0.2.1', at(0)), 0);
  assert.equal(guesses.count('192.0.2.1', at(0)), 1);
  assert.equal(guesses.count('192.0.2.2', at(0)), 0);
  assert.equal(guesses.count('192.0.2.1', at(1)), 0);
  assert.equal(guesses.count('192.0.2.1', at(1)), 1);
  assert.equal(guesses.count('192.0.2.1', at(-3600)), 1, 'a clock set back gives nothing');
});

test('one network of IPv6 is one address; IPv4 in IPv6 is IPv4', () => {
  const guesses = new Guesses();
  for (let i = 0; i < 20; i++) guesses.count(`2001:db8:0:1::${i.toString(16)}`, at(0));
  assert.equal(guesses.count('2001:db8:0:1:ffff:ffff:ffff:ffff', at(0)), 1);
  assert.equal(guesses.count('2001:db8:0:2::1', at(0)), 0);
  for (let i = 0; i < 20; i++) guesses.count('192.0.2.1', at(0));
  assert.equal(guesses.count('::ffff:192.0.2.1', at(0)), 1);
});

test('it remembers a bounded number of addresses', () => {
  const guesses = new Guesses();
  for (let i = 0; i < 25_000; i++) guesses.count(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, at(0));
  assert.equal(guesses.remembered, 10_000);
});
