import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AD, CONTENT, paint, type Reel, STEPS } from './hour.js';
import { at, byHand, byQueue, COSTS, done, tasksOf } from './labeller.js';
import { examples, f1 } from './learn.js';

/** Ten minutes with a break of four spots of 20 s from 200 s on. */
function reel(file: string, wrong: readonly { start: number; end: number }[] = []): Reel {
  const truth = new Uint8Array(600 * STEPS).fill(CONTENT);
  paint(truth, { start: 200, end: 280 }, AD);
  const model = Float32Array.from(truth, (label) => (label === AD ? 0.9 : 0.1));
  for (const { start, end } of wrong)
    for (let i = start * STEPS; i < end * STEPS; i++) model[i] = 1 - (model[i] ?? 0);
  return { file, truth, black: [200, 220, 240, 260, 280].map((t) => [t - 0.1, t + 0.1]), model };
}
const spot = (id: string, ...airings: [string, number][]) => ({
  id,
  class: 'spot' as const,
  confidence: 1,
  why: '',
  airings: airings.map(([recording, start]) => ({ recording, start, end: start + 20, confidence: 1 })),
});

test('by hand the watching costs its time at the speed, and each border a seek and a key', () => {
  const last = done(byHand([reel('a')], 4));
  const end = byHand([reel('a')], 4).at(-1);
  assert.equal(end?.seconds, 150 + 2 * (COSTS.seek + COSTS.decision));
  assert.equal(end?.right, 1);
  assert.ok((last?.seconds ?? 0) <= (end?.seconds ?? 0));
});

test('a key on a spot labels all its airings, and costs once', () => {
  const all = [reel('a'), reel('b')];
  const spots = [200, 220, 240, 260].map((start) => spot(`s${start}`, ['a', start], ['/x/b', start]));
  const moments = byQueue(all, { spots, hasModel: false });
  assert.equal(moments[1]?.seconds, COSTS.seek + COSTS.glance + COSTS.decision);
  assert.equal(moments[1]?.right.toFixed(4), (40 / 1200).toFixed(4));
  assert.ok((done(moments)?.right ?? 0) >= 0.99);
  const without = done(byQueue(all, { spots: [], hasModel: false }));
  assert.ok((done(moments)?.seconds ?? 0) < (without?.seconds ?? 0));
});

test('with a right model nothing is left to do; where it is wrong and doubts, the place comes first', () => {
  assert.equal(done(byQueue([reel('a')], { spots: [], hasModel: true }))?.seconds, 0);
  const wrong = reel('a', [{ start: 220, end: 240 }]);
  const doubting = { ...wrong, model: wrong.model.map((p, i) => (i >= 880 && i < 960 ? 0.4 : p)) };
  const [first] = tasksOf([doubting], [], true);
  assert.equal(first?.airings[0]?.start, 220);
});

test('a stretch with a border in it is set by hand, for the seconds of it', () => {
  const blind = { ...reel('a'), black: [] };
  const moments = byQueue([blind], { spots: [], hasModel: false });
  assert.ok((done(moments)?.right ?? 0) >= 0.99);
  const visits = (moments.length - 1) * (COSTS.seek + COSTS.glance + COSTS.decision);
  assert.ok(Math.abs((moments.at(-1)?.seconds ?? 0) - visits - 2 * (COSTS.seek + COSTS.decision)) < 1e-9);
  assert.equal(at(moments, 0)?.right, 0);
});

test('a linear head learns what labels tell, and nothing from one label alone', () => {
  const pictures = Array.from({ length: 200 }, (_, i) =>
    new Float32Array(32 * 18 * 3).fill(i % 2 === 0 ? 0.5 : -0.5),
  );
  const labels = Uint8Array.from({ length: 200 * STEPS }, (_, i) =>
    Math.floor(i / STEPS) % 2 === 0 ? AD : CONTENT,
  );
  const all = examples(pictures, labels);
  assert.equal(all.length, 200);
  assert.equal(f1(all, all, '1'), 1);
  assert.equal(
    f1(
      all.filter(({ isAd }) => isAd),
      all,
      '1',
    ),
    0,
  );
});
