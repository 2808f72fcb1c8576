import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { frameAt, middleOf, snapped, stepped, timeOf } from './frames.js';

/** A variable rate: what counts is the list. */
const TIMES = Float64Array.of(0.02, 0.06, 0.1, 1.1, 1.14);
const END = 1.2;

describe('frames by their own times', () => {
  test('the frame that is on is the last that has begun', () => {
    const asked = [0, 0.02, 0.059, 0.0599, 0.5, 1.0996, 9];
    assert.deepEqual(
      asked.map((time) => frameAt(TIMES, time)),
      [0, 0, 0, 1, 2, 3, 4],
      'a time rounded to milliseconds still means its frame',
    );
    assert.equal(frameAt(new Float64Array(), 1), -1);
  });

  test('a seek goes to the middle of its frame, and comes back to it', () => {
    for (let frame = 0; frame < TIMES.length; frame++)
      assert.equal(frameAt(TIMES, middleOf(TIMES, frame, END)), frame);
    assert.equal(
      middleOf(TIMES, 2, END),
      0.1 + 0.5,
      'no further than half a second into a frame that stands',
    );
  });

  test('borders are between frames, and the end is one', () => {
    assert.equal(snapped(TIMES, 0.07, END), 0.06);
    assert.equal(snapped(TIMES, 0.9, END), 1.1);
    assert.equal(snapped(TIMES, 5, END), END);
    assert.equal(timeOf(TIMES, 5, END), END);
    assert.equal(
      snapped(new Float64Array(), 5, END),
      END,
      'without a list any moment of the recording will do',
    );
  });

  test('a border moves by one frame, whatever that is', () => {
    assert.equal(stepped(TIMES, 0.1, 1, END), 1.1);
    assert.equal(stepped(TIMES, 1.1, -1, END), 0.1);
    assert.equal(stepped(TIMES, 1.14, 1, END), END);
    assert.equal(stepped(TIMES, END, -1, END), 1.14);
    assert.equal(stepped(TIMES, END, 1, END), END);
    assert.equal(stepped(TIMES, 0.02, -1, END), 0.02);
  });
});
