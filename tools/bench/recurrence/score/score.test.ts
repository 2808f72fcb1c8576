import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Recurrence } from '@adbreak/shared/contract/labelling.js';
import type { Truth } from '../truth.js';
import { added, bucketOf, quantile, score, told } from './score.js';

const FRAME = 1 / 25;
const place = (recording: string, start: number, seconds = 20) => ({
  recording,
  start,
  end: start + seconds,
});
const on = (recording: string, start: number, seconds?: number) => ({
  ...place(recording, start, seconds),
  isCut: false,
});
const item = (id: string, family: string, ...airings: Truth['items'][number]['airings']) => ({
  id,
  family,
  class: 'spot' as const,
  airings,
});
const truth: Truth = {
  recordings: ['a.mkv', 'b.mkv'].map((file) => ({
    file,
    channel: 'one',
    duration: 900,
    fps: 25,
    breaks: [],
  })),
  items: [
    item('s1', 's1', on('a.mkv', 10), on('a.mkv', 100), on('b.mkv', 30)),
    item('s1/first', 's1', on('a.mkv', 300, 10), on('b.mkv', 300, 10)),
    item('s2', 's2', on('a.mkv', 31), on('b.mkv', 51)),
    item('once', 'once', on('b.mkv', 500)),
    { ...item('r', 'r', on('a.mkv', 400, 90), on('b.mkv', 600, 90)), class: 'repeat' as const },
  ],
};

type Airing = { recording: string; start: number; end: number };
const spot = (id: string, airings: readonly Airing[], of: 'spot' | 'repeat' = 'spot') => ({
  id,
  class: of,
  confidence: 1,
  why: '',
  airings: airings.map(({ recording, start, end }) => ({ recording, start, end, confidence: 1 })),
});
const perfect: Recurrence = {
  spots: truth.items
    .filter(({ airings }) => airings.length > 1)
    .map(({ id, class: of, airings }) => spot(id, airings, of === 'repeat' ? 'repeat' : 'spot')),
};
const without = (...ids: string[]) => perfect.spots.filter(({ id }) => !ids.includes(id));
const airingsOf = (id: string) => perfect.spots.find((one) => one.id === id)?.airings ?? [];

test('who finds everything is right in everything, wherever the files lie', () => {
  const moved = perfect.spots.map((one) => ({
    ...one,
    airings: one.airings.map((airing) => ({ ...airing, recording: `/some/where/${airing.recording}` })),
  }));
  const result = score({ spots: moved }, truth);
  assert.deepEqual(told(result), {
    precision: 1,
    recall: 1,
    any_precision: 1,
    any_recall: 1,
    purity: 1,
    border_frames_p50: 0,
    border_frames_p95: 0,
  });
  assert.deepEqual(result.byAirings['3-5'], { promised: 3, found: 3 });
  assert.equal(result.confusion['repeat']?.['repeat'], 2);
});

test('who finds nothing is precise and recalls nothing', () => {
  const { precision, recall } = told(score({ spots: [] }, truth));
  assert.deepEqual([precision, recall], [1, 0]);
});

test('borders that are shifted are told in frames', () => {
  const shifted = perfect.spots.map((one) => ({
    ...one,
    airings: one.airings.map((airing) => ({
      ...airing,
      start: airing.start + 2 * FRAME,
      end: airing.end + 2 * FRAME,
    })),
  }));
  const result = told(score({ spots: shifted }, truth));
  assert.equal(result.border_frames_p50, 2);
  assert.equal(result.recall, 1);
});

test('two neighbours taken for one are wrong, both of them', () => {
  const merged = spot('s1+s2', [place('a.mkv', 10, 41), place('b.mkv', 30, 41)]);
  const result = score({ spots: [...without('s1', 's2'), merged] }, truth);
  assert.equal(result.verdicts.nowhere, 2);
  assert.deepEqual([result.called, result.calledRight], [4, 2]);
  assert.deepEqual([result.promised, result.promisedFound], [7, 2]);
});

test('a cluster of two families is not pure; those of the smaller one are wrong', () => {
  const both = spot('both', [...airingsOf('s1'), ...airingsOf('s2')]);
  const result = score({ spots: [...without('s1', 's2'), both] }, truth);
  assert.equal(result.verdicts.merged, 2);
  assert.equal(told(result).purity, 0.7778, '2 of 9 are not');
});

test('a spot in two clusters is found in one of them alone', () => {
  const [first, ...rest] = airingsOf('s1');
  assert.ok(first !== undefined);
  const result = score({ spots: [...without('s1'), spot('x', [first]), spot('y', rest)] }, truth);
  assert.equal(result.verdicts.split, 1);
  assert.equal(result.promised - result.promisedFound, 1);
});

test('a cut-down may be in a cluster of its own or in that of its family', () => {
  const family = spot('s1', [...airingsOf('s1'), ...airingsOf('s1/first')]);
  assert.equal(told(score({ spots: [...without('s1', 's1/first'), family] }, truth)).precision, 1);
  assert.equal(told(score({ spots: [...without('s1', 's1/first'), family] }, truth)).recall, 1);
});

test('what airs once must not be said to recur; what is called a spot and is none is wrong', () => {
  const once = spot('s1', [...airingsOf('s1'), place('b.mkv', 500)]);
  assert.equal(score({ spots: [...without('s1'), once] }, truth).verdicts.merged, 1);
  const alone = [...perfect.spots, spot('once', [place('b.mkv', 500)])];
  assert.ok(told(score({ spots: alone }, truth)).precision < 1);
  assert.equal(score({ spots: alone }, truth).verdicts.merged, 1);
  const called = score({ spots: [...without('r'), spot('r', airingsOf('r'))] }, truth);
  assert.deepEqual([called.called, called.calledRight], [9, 7]);
  assert.equal(called.confusion['repeat']?.['spot'], 2);
});

test('an airing told twice counts once', () => {
  const [first] = airingsOf('s2');
  assert.ok(first !== undefined);
  const result = score({ spots: [...without('s2'), spot('s2', [...airingsOf('s2'), first])] }, truth);
  assert.equal(result.verdicts.twice, 1);
  assert.equal(told(result).recall, 1);
});

test('scores of two scans add up', () => {
  const sum = added(score(perfect, truth), score({ spots: [] }, truth));
  assert.equal(told(sum).recall, 0.5);
  assert.equal(sum.byAirings['2'].promised, 8);
});

test('buckets and quantiles', () => {
  assert.deepEqual([2, 3, 5, 6, 10, 11].map(bucketOf), ['2', '3-5', '3-5', '6-10', '6-10', '11+']);
  assert.equal(quantile([5, 1, 3, 2, 4], 0.5), 3);
  assert.equal(quantile([], 0.95), 0);
});
