import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreementSchema } from '@adbreak/shared/contract/labelling.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { agreementOf, kappaOf } from './agreement.js';
import { controlsFor } from './control.js';
import { agreedOf } from './final.js';
import type { StandingSpan } from './layers.js';
import { FIRST, SECOND } from './testing.js';

function span(
  start: number,
  end: number,
  label: 'ad' | 'content',
  more: Partial<StandingSpan> = {},
): StandingSpan {
  const action = `00000000-0000-4000-8000-${String(Math.round(start * 10)).padStart(12, '0')}`;
  return { start, end, label, how: 'key', action, sequence: 1, ...more };
}
const passes = (all: Record<string, StandingSpan[]>) => new Map(Object.entries(all));

test('kappa by hand: Cohen’s example of 50 subjects, and where it means nothing', () => {
  // 20 and 15 of 50 alike: observed .7, by chance .5.
  assert.equal(kappaOf({ adAd: 20, adContent: 5, contentAd: 10, contentContent: 15 })?.toFixed(3), '0.400');
  assert.equal(kappaOf({ adAd: 5, adContent: 0, contentAd: 0, contentContent: 5 }), 1);
  assert.equal(kappaOf({ adAd: 9, adContent: 1, contentAd: 0, contentContent: 0 }), null);
});

test('labellers are compared on the seconds that both labelled', () => {
  const agreement = agreementOf(
    ['ann', 'bob', 'cem'],
    new Map([
      [
        FIRST,
        passes({
          ann: [span(0, 20, 'ad'), span(20, 40, 'content')],
          bob: [span(10, 25, 'ad'), span(25, 30, 'content')],
        }),
      ],
      [SECOND, passes({ ann: [span(0, 5, 'ad')] })],
    ]),
    'seed',
  );
  check(agreementSchema, agreement, 'the agreement');
  assert.deepEqual(
    agreement.pairs.map(({ a, b, seconds }) => [a, b, seconds]),
    [['ann', 'bob', 20]],
  );
  // Of 20 s: 10 ad and 5 content alike, 5 content by ann and ad by bob.
  assert.equal(
    agreement.pairs[0]?.kappa?.toFixed(3),
    kappaOf({ adAd: 10, adContent: 0, contentAd: 5, contentContent: 5 })?.toFixed(3),
  );
  assert.deepEqual(agreement.disputes, [
    { recording: FIRST, start: 20, end: 25, says: { ann: 'content', bob: 'ad' } },
  ]);
});

test('a border that is a few frames elsewhere is no dispute, and has no label', () => {
  const both = passes({
    ann: [span(0, 10, 'ad'), span(10, 20, 'content')],
    bob: [span(0, 10.2, 'ad'), span(10.2, 20, 'content')],
  });
  assert.deepEqual(agreementOf(['ann', 'bob'], new Map([[FIRST, both]]), 'seed').disputes, []);
  assert.deepEqual(agreedOf(both).spans, [
    { start: 0, end: 10, label: 'ad' },
    { start: 10.2, end: 20, label: 'content' },
  ]);
});

test('the last word counts before all others, the later of two before the earlier', () => {
  const { spans, disputes } = agreedOf(
    passes({
      ann: [span(0, 10, 'ad')],
      bob: [span(0, 10, 'content'), span(12, 14, 'content')],
      judge: [span(2, 6, 'ad', { how: 'verdict', sequence: 5 })],
      other: [span(4, 6, 'content', { how: 'verdict', sequence: 9 })],
    }),
  );
  assert.deepEqual(spans, [
    { start: 2, end: 4, label: 'ad' },
    { start: 4, end: 6, label: 'content' },
    { start: 12, end: 14, label: 'content' },
  ]);
  assert.deepEqual(
    disputes.map(({ start, end }) => [start, end]),
    [
      [0, 2],
      [6, 10],
    ],
  );
});

test('control items: about a tenth of what others labelled, the same ones again, answered by the own pass alone', () => {
  const others = Array.from({ length: 500 }, (_, i) => span(i * 10, i * 10 + 8, i % 2 ? 'ad' : 'content'));
  const drawn = (own: StandingSpan[], labeller = 'ann') =>
    controlsFor(labeller, new Map([[FIRST, passes({ truth: others, [labeller]: own })]]), 'seed');
  const first = drawn([]);
  assert.ok(first.length > 25 && first.length < 80, `${first.length} of 500`);
  assert.deepEqual(drawn([]), first);
  assert.notDeepEqual(
    drawn([], 'bob').map(({ start }) => start),
    first.map(({ start }) => start),
  );
  assert.ok(first.every(({ answer }) => answer === null));
  const answered = drawn([span(0, 5000, 'ad')]);
  assert.ok(answered.every(({ answer }) => answer === 'ad'));
  const { control } = agreementOf(
    ['ann'],
    new Map([[FIRST, passes({ truth: others, ann: [span(0, 5000, 'ad')] })]]),
    'seed',
  );
  assert.equal(control[0]?.answered, first.length);
  assert.equal(control[0]?.right, first.filter(({ truth }) => truth === 'ad').length);
});
