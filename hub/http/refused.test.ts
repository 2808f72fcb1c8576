import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, BUDGET, RefusedAttempts } from './refused.js';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const HOUR = 3_600_000;
const at = (offset: number) => new Date(START + offset);
const attempt = (change: Partial<Attempt> = {}): Attempt => ({
  who: null,
  from: '192.0.2.1',
  request: 'r',
  asked: 'POST /api/v1/claims',
  code: 'unauthorized',
  ...change,
});

test('the first attempts have a line each; those beyond the budget are counted, and told when their hour is over', () => {
  const refused = new RefusedAttempts();
  const lines = Array.from({ length: 30 }, (_, i) => refused.take(attempt(), at(i * 1000))).flat();
  assert.equal(lines.length, BUDGET.each);
  assert.deepEqual(lines[0], {
    who: 'nobody known',
    what: 'refused',
    subject: 'POST /api/v1/claims',
    after: { code: 'unauthorized' },
    from: '192.0.2.1',
    request: 'r',
  });
  assert.deepEqual(refused.settle(at(HOUR - 1)), []);
  assert.deepEqual(refused.settle(at(HOUR)), [
    {
      who: 'nobody known',
      what: 'refused.more',
      subject: '192.0.2.1',
      after: {
        attempts: 30 - BUDGET.each,
        first: at(BUDGET.each * 1000).toISOString(),
        last: at(29_000).toISOString(),
      },
      from: '192.0.2.1',
    },
  ]);
  assert.equal(refused.take(attempt(), at(HOUR)).length, 1, 'a new hour has a new budget');
});

test('a flood from many addresses takes no more lines than the budget of all, and hides nobody who is known', () => {
  const refused = new RefusedAttempts();
  const flood = Array.from({ length: 20_000 }, (_, i) =>
    refused.take(attempt({ from: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }), at(0)),
  ).flat();
  assert.equal(flood.length, BUDGET.all);
  const known = refused.take(attempt({ who: 'token:eye', code: 'forbidden' }), at(0));
  assert.deepEqual(
    known.map(({ who, after }) => [who, after]),
    [['token:eye', { code: 'forbidden' }]],
  );
  const sums = refused.settle(at(HOUR));
  assert.equal(sums.length, BUDGET.sums + 1);
  const counted = sums.reduce((sum, { after }) => sum + (after as { attempts: number }).attempts, 0);
  assert.equal(counted + BUDGET.all, 20_000, 'each attempt is in a line or in a sum');
});

test('one household counts as one address, and what a stopping hub has counted is told at once', () => {
  const refused = new RefusedAttempts();
  for (let i = 0; i < BUDGET.each + 5; i++) refused.take(attempt({ from: `2001:db8:1:2::${i}` }), at(0));
  const [sum, ...others] = refused.settle(at(1000), true);
  assert.deepEqual([sum?.from, others], ['2001:db8:1:2', []]);
  assert.deepEqual(refused.settle(at(HOUR)), [], 'it is told once');
});
