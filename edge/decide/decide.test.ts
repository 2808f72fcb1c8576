import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_DECIDER, decide, INITIAL_DECIDER } from '@adbreak/shared/decide/decider.js';
import { seeded } from '@adbreak/shared/random.js';
import { BETWEEN, DEFAULT_EPISODES, segment, signatureOf } from './episodes.js';
import { formatSegments } from './formats.js';
import { segmentsOf } from './segments.js';

const run = (probabilities: readonly number[]) =>
  probabilities.map((probability, i) => ({ time: i / 2, probability }));
const repeat = (value: number, count: number) => Array<number>(count).fill(value);

describe('decision', () => {
  test('one certain frame does not flip the state', () => {
    const segments = segmentsOf(run([...repeat(0.05, 40), 0.99, ...repeat(0.05, 40)]), DEFAULT_DECIDER, 0.5);
    assert.deepEqual(
      segments.map(({ label }) => label),
      ['content'],
    );
  });
  test('a break is dated to where it began, not to where the doubt ended', () => {
    const segments = segmentsOf(
      run([...repeat(0.1, 60), ...repeat(0.9, 60), ...repeat(0.1, 60)]),
      DEFAULT_DECIDER,
      0.5,
    );
    assert.deepEqual(
      segments.map(({ label }) => label),
      ['content', 'ad', 'content'],
    );
    assert.ok(
      Math.abs((segments[1]?.start ?? 0) - 30) <= 2 && Math.abs((segments[1]?.end ?? 0) - 60) <= 2,
      JSON.stringify(segments),
    );
  });
  test('noisy frames make few changes', () => {
    const random = seeded('noise');
    const truth = (i: number) => Math.floor(i / 120) % 2 === 1;
    const noisy = Array.from({ length: 960 }, (_, i) => (random.uniform() < 0.85 === truth(i) ? 0.75 : 0.25));
    const segments = segmentsOf(run(noisy), DEFAULT_DECIDER, 0.5);
    assert.ok(segments.length <= 16, `${segments.length} segments for 8 true ones`);
    const right = noisy.filter(
      (_, i) =>
        (segments.find(({ start, end }) => i / 2 >= start && i / 2 < end)?.label === 'ad') === truth(i),
    ).length;
    assert.ok(right / noisy.length > 0.95, `${right / noisy.length} of the frames right`);
  });
  test('segments cover the recording without gap or overlap', () => {
    const random = seeded('cover');
    const segments = segmentsOf(
      run(Array.from({ length: 500 }, () => random.uniform())),
      DEFAULT_DECIDER,
      0.5,
    );
    assert.equal(segments[0]?.start, 0);
    assert.equal(segments.at(-1)?.end, 250);
    segments.slice(1).forEach((one, i) => assert.equal(one.start, segments[i]?.end));
  });
  test('an ad from the first frame on starts at zero', () =>
    assert.equal(segmentsOf(run(repeat(0.95, 40)), DEFAULT_DECIDER, 0.5)[0]?.label, 'ad'));
  test('time that stands still or jumps back breaks nothing', () => {
    let state = INITIAL_DECIDER;
    for (const time of [0, 5, 5, 3, 900]) state = decide(DEFAULT_DECIDER, state, time, 0.9).state;
    assert.ok(state.posterior > 0 && state.posterior < 1);
  });
  test('no recording has no segment', () =>
    assert.deepEqual(
      segmentsOf([], DEFAULT_DECIDER, 0.5).filter(({ end }) => end > 0.5),
      [],
    ));
});

describe('episodes', () => {
  const flat = (level: number) => signatureOf(new Uint8Array(32 * 32 * 3).fill(level), 32, 32);
  const ends = (levels: readonly number[]) => {
    let state = BETWEEN;
    return levels.flatMap((level, i) => {
      const step = segment(DEFAULT_EPISODES, state, i / 2, flat(level));
      state = step.state;
      return step.ends ? [i / 2] : [];
    });
  };
  test('end at black', () =>
    assert.deepEqual(ends([...repeat(100, 10), 0, ...repeat(120, 10), 2, 2, 100]), [5, 10.5]));
  test('end at a cut when they are old enough, and only then', () => {
    assert.deepEqual(ends([...repeat(40, 4), ...repeat(120, 4), ...repeat(220, 4)]), []);
    assert.deepEqual(ends([...repeat(40, 20), ...repeat(160, 4)]), [10]);
  });
  test('end when they are too long', () => assert.deepEqual(ends(repeat(90, 100)), [40]));
  test('signatures are the tiles’ means', () => {
    const pixels = new Uint8Array(16 * 16 * 3);
    pixels.fill(200, 0, 16 * 3 * 8);
    const signature = signatureOf(pixels, 16, 16);
    assert.equal(signature[0], 200);
    assert.equal(signature.at(-1), 0);
  });
});

describe('formats', () => {
  const segments = [
    { start: 0, end: 61.5, label: 'content', confidence: 0.9 },
    { start: 61.5, end: 90, label: 'ad', confidence: 0.8 },
  ] as const;
  const about = { source: 'a.mkv', model: 'm 1.0.0' };
  test('csv', () =>
    assert.equal(
      formatSegments(segments, 'csv', about),
      'start,end,label,confidence\n0.00,61.50,content,0.900\n61.50,90.00,ad,0.800',
    ));
  test('edl for Kodi holds breaks only', () =>
    assert.equal(formatSegments(segments, 'edl', about), '61.50\t90.00\t3'));
  test('json', () =>
    assert.deepEqual(JSON.parse(formatSegments(segments, 'json', about)).segments[1], {
      start: 61.5,
      end: 90,
      label: 'ad',
      confidence: 0.8,
    }));
  test('text for people', () =>
    assert.match(formatSegments(segments, 'text', about), /00:01:01\.5 – 00:01:30\.0 {2}▓ AD/));
});
