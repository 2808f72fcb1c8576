import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queueItemSchema, queueSchema, type Spot } from '@adbreak/shared/contract/labelling.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { MOST_ITEMS, queueOf, type Unlabelled } from './queue.js';
import { stretchesOf, without } from './stretches.js';
import { FIRST, SECOND } from './testing.js';

/** Ten minutes with a border each minute. */
function recording(id: string, more: Partial<Unlabelled> = {}): Unlabelled {
  const borders = Array.from({ length: 9 }, (_, i) => (i + 1) * 60);
  const black = borders.map((at) => [at - 0.1, at + 0.1] as const);
  return { id, duration: 600, cuts: borders, black, silence: [], labelled: [], model: [], ...more };
}
const airing = (id: string, start: number) => ({ recording: id, start, end: start + 20, confidence: 1 });
function spot(id: string, ...airings: Spot['airings']): Spot {
  return { id, class: 'spot', confidence: 0.9, why: 'in breaks', airings };
}
const request = { spots: [], controls: [], seed: '1' };

test('stretches begin at black, and at silence with a cut; long ones are divided at the cut next to their middle', () => {
  const marks = {
    duration: 200,
    cuts: [12, 30, 78, 101, 150],
    black: [[29.9, 30.1]] as const,
    silence: [
      [11.9, 12.2],
      [70, 71],
    ] as const,
  };
  assert.deepEqual(
    stretchesOf(marks).map(({ start, end }) => [start, end]),
    [
      [0, 12],
      [12, 30],
      [30, 78],
      [78, 101],
      [101, 150],
      [150, 200],
    ],
  );
  assert.deepEqual(
    stretchesOf({ duration: 100, cuts: [], black: [], silence: [] }).length,
    2,
    'without any mark, in halves',
  );
});

test('hours of black and thousands of borders are stretches that end', () => {
  assert.equal(
    stretchesOf({ duration: 7200, cuts: [], black: [[0, 7200]], silence: [[0, 7200]] }).length,
    128,
  );
  const black = Array.from({ length: 20_000 }, (_, i) => [i / 5, i / 5 + 0.1] as const);
  const many = stretchesOf({ duration: 4000, cuts: [], black, silence: [] });
  assert.ok(many.every(({ start, end }) => end - start >= 0.99));
});

test('what is taken is left out, and crumbs with it', () => {
  assert.deepEqual(
    without({ start: 0, end: 10 }, [
      { start: 2, end: 4 },
      { start: 4.5, end: 20 },
    ]),
    [{ start: 0, end: 2 }],
  );
});

test('gain is P(wrong) x airings: a spot that airs often comes before a single doubt, a doubt before what is sure', () => {
  const model = Array.from({ length: 600 }, (_, t) => [t, t < 60 ? 0.45 : 0.98] as [number, number]);
  const spots = [spot('s1', airing(FIRST, 70), airing(FIRST, 130), airing(SECOND, 250))];
  const items = queueOf({ ...request, recordings: [recording(FIRST, { model }), recording(SECOND)], spots });
  const [first, ...rest] = items;
  check(queueSchema, { items, control: false }, 'the queue');
  assert.ok(rest.every(({ gain }, i) => gain <= (rest[i - 1]?.gain ?? Number.POSITIVE_INFINITY)));
  const doubt = items.find(({ recording, start }) => recording === FIRST && start === 0);
  assert.equal(doubt?.gain.toFixed(2), '0.45');
  assert.equal(doubt?.guess, 'content');
  assert.ok(
    first !== undefined &&
      doubt.gain > (items.find(({ recording, start }) => recording === FIRST && start === 300)?.gain ?? 1),
  );
  const sure = items.find(({ spot }) => spot === 's1');
  assert.equal(sure?.airings, 3);
  assert.equal(sure?.guess, 'ad');
});

test('without a model the most airings come first, then what is far from what is labelled', () => {
  const spots = [
    spot('seldom', airing(FIRST, 70)),
    spot('often', airing(FIRST, 130), airing(FIRST, 190), airing(SECOND, 10)),
  ];
  const labelled = [{ start: 0, end: 60 }];
  const items = queueOf({
    ...request,
    recordings: [recording(FIRST, { labelled }), recording(SECOND)],
    spots,
  });
  assert.equal(items[0]?.spot, 'often');
  assert.equal(items[1]?.recording, SECOND, 'nothing is labelled there');
  assert.ok(
    items.every(({ recording, start }) => recording !== FIRST || start >= 60),
    'labelled stretches are over',
  );
});

test('a spot is over once its airings are labelled, wherever; what is left of it counts', () => {
  const spots = [spot('s1', airing(FIRST, 70), airing(FIRST, 130), airing('ffffffffffffffff', 3))];
  const asked = (labelled: Unlabelled['labelled']) =>
    queueOf({ ...request, recordings: [recording(FIRST, { labelled })], spots }).find(
      (item) => item.spot === 's1',
    );
  assert.equal(asked([])?.airings, 2, 'a recording that is not here has none');
  assert.equal(asked([{ start: 70, end: 90 }])?.airings, 1);
  assert.equal(asked([{ start: 60, end: 180 }]), undefined);
});

test('control items are mixed in by the seed, look like others, and come even where nothing else is left', () => {
  const controls = [100, 200, 310].map((start) => ({ recording: FIRST, start, end: start + 9 }));
  const own = recording(FIRST);
  const at = (seed: string) =>
    queueOf({ ...request, recordings: [own, recording(SECOND)], controls, seed }).flatMap(({ start }, i) =>
      start % 60 ? [i] : [],
    );
  assert.equal(at('1').length, 3);
  assert.deepEqual(at('1'), at('1'));
  const orders = new Set(Array.from({ length: 20 }, (_, seed) => at(String(seed)).join()));
  assert.ok(orders.size > 5, 'no rhythm tells them');
  const all = queueOf({
    ...request,
    recordings: [recording(FIRST, { labelled: [{ start: 0, end: 600 }] })],
    controls,
  });
  assert.equal(all.length, 3);
  for (const item of all) check(queueItemSchema, item, 'an item');
});

test('thousands of airings and stretches: the queue is short, and soon there', () => {
  const airings = Array.from({ length: 5000 }, (_, i) => airing(FIRST, i));
  const spots = Array.from({ length: 400 }, (_, i) => spot(`s${i}`, ...airings.slice(i, i + 10)));
  const before = process.cpuUsage();
  const items = queueOf({
    ...request,
    recordings: [recording(FIRST), recording(SECOND, { duration: 36_000 })],
    spots,
  });
  const { user } = process.cpuUsage(before);
  assert.ok(items.length <= MOST_ITEMS);
  assert.ok(user < 3_000_000, `${user / 1000} ms`);
});
