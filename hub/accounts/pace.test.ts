import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from './pace.js';

const anna = (network: string, known: readonly string[] = []) => ({ name: 'anna', network, known });

test('one address tries ten passwords, then one in six seconds, whatever the names', () => {
  const pace = new Pace();
  for (let i = 0; i < 10; i++)
    assert.equal(pace.take({ name: `n${i}`, network: '192.0.2.1', known: null }, 0), 0);
  assert.equal(pace.take(anna('192.0.2.1'), 0), 6);
  assert.equal(pace.take(anna('192.0.2.2'), 0), 0, 'another address has its own');
  assert.equal(pace.take(anna('192.0.2.1'), 6000), 0);
  assert.equal(pace.take(anna('192.0.2.1'), 6000), 6);
});

test('many addresses try one name no faster than 30, then one in twenty seconds; its holder is not kept out', () => {
  const pace = new Pace();
  const known = ['203.0.113.7'];
  for (let i = 0; i < 30; i++) assert.equal(pace.take(anna(`192.0.2.${i}`, known), 0), 0);
  assert.equal(pace.take(anna('198.51.100.1', known), 0), 20);
  assert.equal(pace.take(anna('203.0.113.7', known), 0), 0, 'where she has signed in from');
  assert.equal(pace.take(anna('198.51.100.2', known), 20_000), 0);
});

test('a name that there is none of is slowed down like one that there is', () => {
  const pace = new Pace();
  const nobody = (i: number) => ({ name: 'nobody', network: `192.0.2.${i}`, known: null });
  for (let i = 0; i < 30; i++) assert.equal(pace.take(nobody(i), 0), 0);
  assert.equal(pace.take(nobody(99), 0), 20);
});

test('made-up names push no account out of what is remembered', () => {
  const pace = new Pace();
  for (let i = 0; i < 30; i++) pace.take(anna(`192.0.2.${i}`), 0);
  for (let i = 0; i < 25_000; i++) {
    const network = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    pace.take({ name: `made-up-${i}`, network, known: null }, 0);
  }
  assert.equal(pace.take(anna('198.51.100.1'), 0), 20);
});
