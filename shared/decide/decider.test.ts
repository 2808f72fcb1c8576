import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decision } from '../contract/manifest.js';
import { DEFAULT_DECIDER, decide, evidenceOf, INITIAL_DECIDER } from './decider.js';

const near = (value: number, wanted: number) => assert.ok(Math.abs(value - wanted) < 1e-12, `${value}`);

test('at the threshold a frame speaks for neither side, and at one half it changes nothing', () => {
  for (const threshold of [0.05, 0.4, 0.5, 0.9])
    near(evidenceOf({ ...DEFAULT_DECIDER, threshold }, threshold), 0.5);
  for (const probability of [0.2, 0.37, 0.5, 0.8])
    near(evidenceOf(DEFAULT_DECIDER, probability), probability);
  // The odds of .6 are 1.5, those of the threshold 2/3: together 2.25.
  near(evidenceOf({ ...DEFAULT_DECIDER, threshold: 0.4 }, 0.6), 2.25 / 3.25);
});

test('no frame is believed further than the clamp, the certain ones too', () => {
  for (const threshold of [0.05, 0.5, 0.95])
    assert.deepEqual(
      [0, 1].map((probability) => evidenceOf({ ...DEFAULT_DECIDER, threshold }, probability)),
      [1 - DEFAULT_DECIDER.clamp, DEFAULT_DECIDER.clamp],
    );
});

test('a lower threshold hears an advertisement in what never gets over one half', () => {
  const labelAt = (threshold: number) => {
    let state = INITIAL_DECIDER;
    for (let i = 0; i < 120; i++) state = decide({ ...DEFAULT_DECIDER, threshold }, state, i / 2, 0.48).state;
    return state.label;
  };
  assert.deepEqual([labelAt(0.5), labelAt(0.3)], ['content', 'ad']);
});

test('a manifest may bring these parameters, the usual ones among them, and none that would flutter or fail', () => {
  assert.deepEqual(decision.parse(DEFAULT_DECIDER), DEFAULT_DECIDER);
  for (const wrong of [
    { enter: 0.3, leave: 0.4 },
    { threshold: 0 },
    { threshold: 1 },
    { clamp: 1 },
    { meanSeconds: 0 },
  ])
    assert.equal(decision.safeParse({ ...DEFAULT_DECIDER, ...wrong }).success, false, JSON.stringify(wrong));
});
