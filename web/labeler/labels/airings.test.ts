import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Spot } from '@adbreak/shared/contract/labelling.js';
import { isAiring, spotAt, spotNames } from './airings.js';

const place = (recording: string, start: number) => ({ recording, start, end: start + 20 });
const spot = (id: string, ...airings: (readonly [string, number])[]): Spot => ({
  id,
  class: 'spot',
  confidence: 0.9,
  why: '',
  airings: airings.map(([recording, start]) => ({ ...place(recording, start), confidence: 0.9 })),
});
const spots = [
  spot('spot-late', ['b', 10], ['a', 300]),
  spot('spot-early', ['b', 5], ['a', 40]),
  spot('spot-other', ['b', 0]),
];

describe('airings of spots', () => {
  test('are found by their place, a few frames more or less', () => {
    assert.equal(isAiring(spots, place('a', 40.2)), true);
    assert.equal(isAiring(spots, place('a', 42)), false);
    assert.equal(isAiring(spots, place('c', 40)), false);
    assert.equal(isAiring(spots, { recording: 'a', start: 40, end: 70 }), false, 'longer is another');
  });

  test('an id that means another spot since a new scan finds none', () => {
    assert.equal(spotAt(spots, 'spot-early', place('a', 40))?.id, 'spot-early');
    assert.equal(spotAt(spots, 'spot-late', place('a', 40)), null);
  });

  test('are numbered as they air first, whatever their ids are', () => {
    const names = spotNames(spots, ['a', 'b']);
    assert.deepEqual(
      [...names],
      [
        ['spot-early', 'S1'],
        ['spot-late', 'S2'],
        ['spot-other', 'S3'],
      ],
    );
    assert.equal(spotNames(spots, ['b', 'a']).get('spot-other'), 'S1');
  });
});
