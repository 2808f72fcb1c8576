import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_DECIDER, decide, INITIAL_DECIDER } from '@adbreak/shared/decide/decider.js';
import { seeded } from '@adbreak/shared/random.js';
import { BETWEEN, DEFAULT_EPISODES, segment, signatureOf } from './episodes.js';
import { formatFrames, formatTimeline } from './formats.js';
import { posteriors } from './hindsight.js';
import { adSecondsKept, keptSpans } from './kept-spans.js';
import { DECISION_MODES, type DecisionMode, posteriorsOf, segmentsOf } from './segments.js';

const run = (probabilities: readonly number[]) =>
  probabilities.map((probability, i) => ({ time: i / 2, probability }));
const repeat = (value: number, count: number) => Array<number>(count).fill(value);

const labels = (segments: readonly { label: string }[]) => segments.map(({ label }) => label);
const timelineOf = (probabilities: readonly number[], decision: DecisionMode) =>
  segmentsOf(run(probabilities), DEFAULT_DECIDER, 0.5, decision);

for (const decision of DECISION_MODES)
  describe(`decision, ${decision}`, () => {
    test('one certain frame does not flip the state', () => {
      const segments = timelineOf([...repeat(0.05, 40), 0.99, ...repeat(0.05, 40)], decision);
      assert.deepEqual(labels(segments), ['content']);
    });
    test('a break is dated to where it began, not to where the doubt ended', () => {
      const segments = timelineOf([...repeat(0.1, 60), ...repeat(0.9, 60), ...repeat(0.1, 60)], decision);
      assert.deepEqual(labels(segments), ['content', 'ad', 'content']);
      assert.ok(
        Math.abs((segments[1]?.start ?? 0) - 30) <= 2 && Math.abs((segments[1]?.end ?? 0) - 60) <= 2,
        JSON.stringify(segments),
      );
    });
    test('noisy frames make few changes', (t) => {
      const SEED = 'noise';
      t.diagnostic(`seed ${SEED}`);
      const random = seeded(SEED);
      const truth = (i: number) => Math.floor(i / 120) % 2 === 1;
      const noisy = Array.from({ length: 960 }, (_, i) =>
        random.uniform() < 0.85 === truth(i) ? 0.75 : 0.25,
      );
      const segments = timelineOf(noisy, decision);
      assert.ok(segments.length <= 16, `${segments.length} segments for 8 true ones`);
      const right = noisy.filter(
        (_, i) =>
          (segments.find(({ start, end }) => i / 2 >= start && i / 2 < end)?.label === 'ad') === truth(i),
      ).length;
      assert.ok(right / noisy.length > 0.95, `${right / noisy.length} of the frames right`);
    });
    test('segments cover the recording without gap or overlap, unsure ones too', (t) => {
      const SEED = 'cover';
      t.diagnostic(`seed ${SEED}`);
      const random = seeded(SEED);
      const frames = run(Array.from({ length: 500 }, () => random.uniform())).map((frame, i) => ({
        ...frame,
        unlike: i % 100 < 20,
      }));
      const segments = segmentsOf(frames, DEFAULT_DECIDER, 0.5, decision);
      assert.equal(segments[0]?.start, 0);
      assert.equal(segments.at(-1)?.end, 250);
      segments.slice(1).forEach((one, i) => assert.equal(one.start, segments[i]?.end));
      assert.equal(segments.filter(({ label }) => label === 'unsure').length, 5);
    });
    test('an ad from the first frame on begins with the recording', () => {
      const segments = timelineOf(repeat(0.95, 40), decision);
      assert.deepEqual(
        segments.map(({ start, label }) => ({ start, label })),
        [{ start: 0, label: 'ad' }],
      );
    });
    test('a picture that comes late begins the timeline late', () => {
      const late = run(repeat(0.1, 40)).map(({ time, probability }) => ({ time: time + 1.5, probability }));
      assert.equal(segmentsOf(late, DEFAULT_DECIDER, 0.5, decision)[0]?.start, 1.5);
    });
    test('no recording has no segment', () => assert.deepEqual(timelineOf([], decision), []));
    test('frames unlike training are no advertisement, however certain the model is', () => {
      const certain = run(repeat(0.99, 80)).map((frame) => ({ ...frame, unlike: true }));
      assert.deepEqual(labels(segmentsOf(certain, DEFAULT_DECIDER, 0.5, decision)), ['unsure']);
      const between = run([...repeat(0.1, 60), ...repeat(0.99, 60), ...repeat(0.1, 60)]);
      const unlike = between.map((frame, i) => ({ ...frame, unlike: i >= 60 && i < 120 }));
      const segments = segmentsOf(unlike, DEFAULT_DECIDER, 0.5, decision);
      assert.deepEqual(labels(segments), ['content', 'unsure', 'content']);
      assert.equal(segments[1]?.confidence, 1);
    });
    test('a few frames unlike training do not break an advertisement', () => {
      const frames = run([...repeat(0.1, 60), ...repeat(0.9, 60), ...repeat(0.1, 60)]);
      const some = frames.map((frame, i) => ({ ...frame, unlike: i >= 80 && i < 86 }));
      assert.deepEqual(labels(segmentsOf(some, DEFAULT_DECIDER, 0.5, decision)), [
        'content',
        'ad',
        'content',
      ]);
    });
  });

test('time that stands still or jumps back breaks nothing', () => {
  let state = INITIAL_DECIDER;
  const times = [0, 5, 5, 3, 900];
  for (const time of times) state = decide(DEFAULT_DECIDER, state, time, 0.9).state;
  assert.ok(state.posterior > 0 && state.posterior < 1);
  const frames = times.map((time) => ({ time, probability: 0.9 }));
  assert.ok(posteriors(DEFAULT_DECIDER, frames).every((posterior) => posterior > 0 && posterior < 1));
});

describe('hindsight', () => {
  test('is Bayes over every way that a recording could have gone', (t) => {
    const SEED = 'paths';
    t.diagnostic(`seed ${SEED}`);
    const random = seeded(SEED);
    for (let round = 0; round < 20; round++) {
      let time = 0;
      const frames = Array.from({ length: 9 }, () => {
        time += random.between(0.1, 40);
        return { time, probability: random.uniform() };
      });
      const expected = posteriorsByPaths(frames);
      posteriors(DEFAULT_DECIDER, frames).forEach((posterior, i) => {
        assert.ok(Math.abs(posterior - (expected[i] ?? 0)) < 1e-9, `${posterior} for ${expected[i]}`);
      });
    }
  });
  test('knows at the last frame what the live decision knows there', (t) => {
    const SEED = 'last';
    t.diagnostic(`seed ${SEED}`);
    const random = seeded(SEED);
    const frames = run(Array.from({ length: 50 }, () => random.uniform()));
    const [live, hindsight] = (['live', 'hindsight'] as const).map((decision) =>
      posteriorsOf(frames, DEFAULT_DECIDER, decision),
    );
    assert.equal(hindsight?.at(-1), live?.at(-1));
    assert.notEqual(hindsight?.[20], live?.[20]);
  });
  test('finds an edge where the live decision is late', () => {
    // The model is not sure of the first four seconds of a break.
    const doubtful = [...repeat(0.1, 60), ...repeat(0.52, 8), ...repeat(0.9, 60), ...repeat(0.1, 60)];
    const [live, hindsight] = (['live', 'hindsight'] as const).map((decision) =>
      timelineOf(doubtful, decision),
    );
    assert.ok((live?.[1]?.start ?? 0) >= 34, JSON.stringify(live));
    assert.ok((hindsight?.[1]?.start ?? 0) <= 32, JSON.stringify(hindsight));
  });
  test('a stretch in which it is never sure belongs to what was before', () => {
    const frames = run([...repeat(0.2, 60), ...repeat(0.62, 6), ...repeat(0.2, 60)]);
    assert.deepEqual(labels(segmentsOf(frames, DEFAULT_DECIDER, 0.5, 'hindsight')), ['content']);
  });
});

/** The definition: each path weighed by its transitions and by what the frames say of it. */
function posteriorsByPaths(frames: readonly { time: number; probability: number }[]): number[] {
  const { clamp, meanSeconds } = DEFAULT_DECIDER;
  const ads = frames.map(() => 0);
  let total = 0;
  for (let path = 0; path < 2 ** frames.length; path++) {
    const isAd = (i: number) => ((path >> i) & 1) === 1;
    let weight = isAd(0) ? INITIAL_DECIDER.posterior : 1 - INITIAL_DECIDER.posterior;
    frames.forEach(({ time, probability }, i) => {
      const p = Math.min(clamp, Math.max(1 - clamp, probability));
      weight *= isAd(i) ? p : 1 - p;
      if (i === 0) return;
      const swap = (1 - Math.exp((-2 * (time - (frames[i - 1]?.time ?? 0))) / meanSeconds)) / 2;
      weight *= isAd(i) === isAd(i - 1) ? 1 - swap : swap;
    });
    total += weight;
    frames.forEach((_, i) => {
      if (isAd(i)) ads[i] = (ads[i] ?? 0) + weight;
    });
  }
  return ads.map((weight) => weight / total);
}

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
    { start: 90, end: 99.96, label: 'unsure', confidence: 1 },
  ] as const;
  const timeline = {
    source: 'a.mkv',
    model: 'm 1.0.0',
    decision: 'hindsight',
    segments,
    warnings: ['its picture ends'],
  };
  test('csv', () =>
    assert.equal(
      formatTimeline(timeline, 'csv'),
      'start,end,label,confidence\n0.00,61.50,content,0.900\n61.50,90.00,ad,0.800\n90.00,99.96,unsure,1.000',
    ));
  test('edl for Kodi holds breaks only', () =>
    assert.equal(formatTimeline(timeline, 'edl'), '61.50\t90.00\t3'));
  test('json is one line', () => {
    const text = formatTimeline(timeline, 'json');
    assert.ok(!text.includes('\n'));
    assert.deepEqual(JSON.parse(text), timeline);
  });
  test('chapters are ffmetadata in milliseconds', () =>
    assert.match(
      formatTimeline(timeline, 'chapters'),
      /^;FFMETADATA1\n\n\[CHAPTER\]\nTIMEBASE=1\/1000\nSTART=0\nEND=61500\ntitle=Programme\n\n\[CHAPTER\][^[]*title=Advertisement\n/,
    ));
  test('text for people', () => {
    assert.match(formatTimeline(timeline, 'text'), /00:01:01\.5 – 00:01:30\.0 {2}▓ AD/);
    assert.match(formatTimeline(timeline, 'text'), /00:01:30\.0 – 00:01:39\.9 {2}\? unsure/);
  });
  test('frames are a table', () =>
    assert.equal(
      formatFrames(
        [
          { time: 0.5, probability: 0.25 },
          { time: 1, probability: 0.5, unlike: true },
        ],
        [0.125, 1],
      ),
      'time,ad,posterior,unsure\n0.500,0.2500,0.1250,0\n1.000,0.5000,1.0000,1',
    ));
});

describe('what stays when ads are cut out', () => {
  const segment = (start: number, end: number, label: 'ad' | 'content' | 'unsure') => ({
    start,
    end,
    label,
    confidence: 1,
  });
  const END = Number.POSITIVE_INFINITY;
  const keyframes = [0, 10, 20, 30, 40, 50];
  test('begins at the key frame before, so that no programme is lost', () =>
    assert.deepEqual(
      keptSpans([segment(0, 12, 'content'), segment(12, 34, 'ad'), segment(34, 50, 'content')], keyframes),
      [
        { start: 0, end: 12 },
        { start: 30, end: END },
      ],
    ));
  test('goes on through an ad that has no key frame in it, and through what is unsure', () =>
    assert.deepEqual(
      keptSpans(
        [
          segment(0, 12, 'content'),
          segment(12, 18, 'ad'),
          segment(18, 22, 'unsure'),
          segment(22, 30, 'content'),
          segment(30, 60, 'ad'),
        ],
        keyframes,
      ),
      [{ start: 0, end: 30 }],
    ));
  test('may hold more of an ad than one would like', () => {
    const segments = [segment(0, 12, 'content'), segment(12, 37, 'ad'), segment(37, 50, 'content')];
    assert.equal(adSecondsKept(segments, keptSpans(segments, keyframes)), 7);
    assert.equal(adSecondsKept(segments, keptSpans(segments, [0, 37])), 0);
  });
  test('is nothing where all is an ad', () =>
    assert.deepEqual(keptSpans([segment(0, 9, 'ad')], keyframes), []));
});
