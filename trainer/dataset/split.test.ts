import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { assign, draw, refuseEmpty } from './assign.js';
import { divideByRatio } from './by-time.js';
import { planCuts } from './cut.js';
import { type Candidate, groupsOf, recordingsOfPictures } from './groups.js';
import { DEFAULT_RATIO, parseRatio, SPLITS, targetsOf } from './ratio.js';
import { signatureOf } from './signature.js';
import { formatStatistics } from './statistics.js';

const refused = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

describe('a split ratio', () => {
  test('is three shares that add up to one', () => {
    assert.deepEqual(parseRatio('0.7,0.15,0.15'), DEFAULT_RATIO);
    assert.deepEqual(parseRatio(' .5, .25, .25'), { train: 0.5, val: 0.25, test: 0.25 });
  });
  for (const text of [
    '',
    '0.7,0.3',
    '0.7,0.15,0.1,0.05',
    '70,15,15',
    '0.7,0.2,0.2',
    '1,0,0',
    'a,b,c',
    '0.7,,0.3',
    '1.2,-.1,-.1',
  ])
    test(`is refused: ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseRatio(text), refused('input_invalid', /such as 0\.7,0\.15,0\.15/)));

  test('gives whole pictures, in the ratio to a picture, and every split some of both labels', () => {
    const random = seeded('targets');
    for (let i = 0; i < 300; i++) {
      const counts = { ad: 3 + random.integer(400), content: 3 + random.integer(400) };
      const targets = targetsOf(counts, DEFAULT_RATIO);
      for (const label of ['ad', 'content'] as const) {
        assert.equal(
          SPLITS.reduce((sum, split) => sum + targets[split][label], 0),
          counts[label],
        );
        for (const split of SPLITS)
          assert.ok(targets[split][label] >= 1, JSON.stringify({ counts, targets }));
      }
      const total = counts.ad + counts.content;
      for (const split of SPLITS) {
        const own = targets[split].ad + targets[split].content;
        assert.ok(Math.abs(own - DEFAULT_RATIO[split] * total) <= 3, JSON.stringify({ counts, targets }));
      }
    }
    assert.deepEqual(targetsOf({ ad: 4570, content: 5430 }, DEFAULT_RATIO).train, {
      ad: 3199,
      content: 3801,
    });
  });
});

/** Pictures without anything in common but what is said. */
function candidate(index: number, facts: Partial<Candidate> = {}): Candidate {
  const random = seeded(`candidate/${index}`);
  return {
    label: index % 2 === 0 ? 'ad' : 'content',
    signature: signatureOf(Uint8Array.from({ length: 216 }, () => random.integer(256))),
    near: index,
    origin: `ad/${index}.jpg`,
    recording: null,
    scene: null,
    ...facts,
  };
}

describe('groups', () => {
  test('hold what is of one recording, under both labels, and what is near', () => {
    const candidates = [
      candidate(0, { recording: 'a' }),
      candidate(1),
      candidate(2, { near: 1 }),
      candidate(3, { recording: 'a' }),
      candidate(4),
    ];
    const names = groupsOf(candidates).map(({ members }) => members.map(({ origin }) => origin));
    assert.deepEqual(names, [['ad/0.jpg', 'ad/3.jpg'], ['ad/1.jpg', 'ad/2.jpg'], ['ad/4.jpg']]);
  });

  test('hold a scene: frames that follow each other in a folder and change little by little', () => {
    const base = candidate(0);
    // Each frame a few cells on: the last is far from the first.
    const frames = Array.from({ length: 12 }, (_, i) => {
      const thumb = Uint8Array.from(base.signature.thumb);
      const other = candidate(99).signature.thumb;
      thumb.set(other.subarray(0, 18 * i), 0);
      return candidate(i, {
        signature: signatureOf(thumb),
        near: i,
        origin: `content/${String(i).padStart(3, '0')}.jpg`,
      });
    });
    assert.equal(groupsOf(frames).length, 1);
    const elsewhere = frames.map((frame, i) => ({ ...frame, origin: `content/${i}/x.jpg` }));
    assert.equal(groupsOf(elsewhere).length, 12);
  });

  test('hold a scene whose frames are counted without zeros before their numbers', () => {
    // Cell by cell from brighter on the right to brighter on the left: frame 10 is not near frame 1.
    const ramp = (x: number) => [25 * x, 25 * x, 25 * x];
    const [right, left] = [ramp, (x: number) => ramp(8 - x)].map((shade) =>
      Uint8Array.from(Array.from({ length: 72 }, (_, i) => shade(i % 9)).flat()),
    );
    const frames = Array.from({ length: 12 }, (_, i) => {
      const thumb = Uint8Array.from(right ?? []);
      thumb.set(left?.subarray(0, 18 * i) ?? [], 0);
      return candidate(i, { signature: signatureOf(thumb), near: i, origin: `content/frame_${i}.jpg` });
    });
    const byName = frames.toSorted((a, b) => (a.origin < b.origin ? -1 : 1));
    assert.equal(byName[2]?.origin, 'content/frame_10.jpg');
    assert.equal(groupsOf(byName).length, 1);
  });

  test('take folders or names for recordings where each label has three, and `frame` for none', () => {
    const files = (names: string[]) =>
      names.flatMap((name) =>
        (['ad', 'content'] as const).flatMap((label) =>
          [1, 2].map((n) => ({ path: `${label}/${name.replace('#', String(n))}.jpg`, label })),
        ),
      );
    const named = files(['evening_0#', 'news-#', 'match @#']);
    assert.deepEqual(new Set(recordingsOfPictures(named, 'auto')), new Set(['evening', 'news', 'match']));
    assert.deepEqual(
      new Set(recordingsOfPictures(files(['a/frame_#', 'b/frame_#', 'c/frame_#']), 'auto')),
      new Set(['a', 'b', 'c']),
    );
    assert.deepEqual(new Set(recordingsOfPictures(files(['frame_00#']), 'auto')), new Set([null]));
    assert.deepEqual(new Set(recordingsOfPictures(files(['a/x_#', 'b/x_#']), 'auto')), new Set([null]));
    assert.deepEqual(new Set(recordingsOfPictures(named, 'none')), new Set([null]));
    assert.deepEqual(new Set(recordingsOfPictures(files(['frame_00#']), 'name')), new Set(['frame']));
  });
});

describe('the division of groups', () => {
  test('meets the ratio to a picture where pictures are alone', () => {
    const groups = groupsOf(Array.from({ length: 400 }, (_, i) => candidate(i, { origin: `ad/${i}/x.jpg` })));
    const { splits, shared } = assign(groups, DEFAULT_RATIO, seeded(1));
    const count = (split: string) => [...splits.values()].filter((own) => own === split).length;
    assert.deepEqual([count('train'), count('val'), count('test'), shared.length], [280, 60, 60, 0]);
    refuseEmpty(splits);
  });

  test('never divides a group, and comes as near to the ratio as the groups allow', () => {
    const random = seeded('division');
    for (let round = 0; round < 20; round++) {
      const recordings = 5 + random.integer(30);
      const candidates = Array.from({ length: 600 }, (_, i) =>
        candidate(i, { recording: `r${random.integer(recordings)}` }),
      );
      const { splits } = assign(groupsOf(candidates), DEFAULT_RATIO, seeded(round));
      const homes = new Map<string | null, string>();
      for (const [{ recording }, split] of splits) {
        assert.equal(homes.get(recording) ?? split, split);
        homes.set(recording, split);
      }
      const largest = Math.max(
        ...[...homes.keys()].map((name) => candidates.filter(({ recording }) => recording === name).length),
      );
      for (const split of SPLITS) {
        const own = [...splits.values()].filter((name) => name === split).length;
        assert.ok(
          Math.abs(own - 600 * DEFAULT_RATIO[split]) <= largest,
          `${split}: ${own}, largest ${largest}`,
        );
      }
    }
  });

  test('gives each split a recording where there are but three, or but one more', () => {
    for (const recordings of [3, 4]) {
      const candidates = Array.from({ length: 60 }, (_, i) =>
        candidate(i, { recording: `r${(i >> 1) % recordings}` }),
      );
      const { splits } = assign(groupsOf(candidates), DEFAULT_RATIO, seeded(1));
      refuseEmpty(splits);
      assert.equal(new Set(splits.values()).size, 3);
    }
  });

  test('leaves a spot that aired in two recordings to the split that shows it most', () => {
    const candidates = [0, 1, 2, 3, 4, 5].flatMap((r) =>
      Array.from({ length: 20 }, (_, i) =>
        candidate(100 * r + i, { recording: `r${r}`, ...(i < 2 + r && { near: 9999 }) }),
      ),
    );
    const { splits, shared } = assign(groupsOf(candidates), DEFAULT_RATIO, seeded(1));
    const homes = new Set([...splits].filter(([{ near }]) => near === 9999).map(([, split]) => split));
    assert.equal(homes.size, 1);
    assert.ok(shared.length > 0 && shared.every(({ near }) => near === 9999));
    assert.equal(splits.size + shared.length, candidates.length);
  });

  test('refuses a split without a label, and names it', () => {
    const few = [candidate(0), candidate(2), candidate(4), candidate(1), candidate(3)];
    const { splits } = assign(groupsOf(few), DEFAULT_RATIO, seeded(1));
    assert.throws(() => refuseEmpty(splits), refused('dataset_invalid', /would have no content, of 2/));
  });
});

describe('a draw of some pictures', () => {
  test('takes both labels alike, and one of each set of near-duplicates before a second of any', () => {
    const candidates = Array.from({ length: 900 }, (_, i) =>
      candidate(i, { label: i < 300 ? 'ad' : 'content', ...(i >= 400 && { near: 5000 }) }),
    );
    const drawn = [...draw(candidates, 400, seeded(1))];
    assert.equal(drawn.length, 400);
    assert.equal(drawn.filter(({ label }) => label === 'ad').length, 200);
    assert.ok(drawn.filter(({ near }) => near < 400 && near >= 300).length === 100, 'all that are alone');
    const scarce = [...draw(candidates.slice(250), 400, seeded(1))];
    assert.deepEqual([scarce.length, scarce.filter(({ label }) => label === 'ad').length], [400, 50]);
  });
  test('is the same for the same seed, and another one for another', () => {
    const candidates = Array.from({ length: 100 }, (_, i) => candidate(i));
    const origins = (seed: number) => [...draw(candidates, 20, seeded(seed))].map(({ origin }) => origin);
    assert.deepEqual(origins(1), origins(1));
    assert.notDeepEqual(origins(1), origins(2));
  });
});

describe('a recording by itself', () => {
  const spans = Array.from({ length: 60 }, (_, i) => ({
    start: i * 10,
    end: (i + 1) * 10,
    label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
  }));
  test('is divided by time in the ratio, at the beginnings of spans', () =>
    assert.deepEqual(divideByRatio(spans, DEFAULT_RATIO), [
      { name: 'train', start: 0, end: 420 },
      { name: 'val', start: 420, end: 510 },
      { name: 'test', start: 510, end: 600 },
    ]));
  test('of which only a part is labelled is divided by what is', () => {
    const late = spans.map(({ start, end, label }) => ({
      start: start + 3000 + (start >= 300 ? 500 : 0),
      end: end + 3000 + (start >= 300 ? 500 : 0),
      label,
    }));
    assert.deepEqual(divideByRatio(late, DEFAULT_RATIO), [
      { name: 'train', start: 0, end: 3920 },
      { name: 'val', start: 3920, end: 4010 },
      { name: 'test', start: 4010, end: 4100 },
    ]);
  });
  test('is cut in the same ratio, and so is what those who watch live leave of it', () => {
    const lengths = (live: string[], ratio = DEFAULT_RATIO) =>
      planCuts(spans, 'data', live, ratio).map(({ start, end }) => end - start);
    assert.deepEqual(lengths([]), [420, 90, 90]);
    assert.deepEqual(lengths([], parseRatio('0.5,0.25,0.25')), [300, 150, 150]);
    const [train = 0, val = 0, test = 0, ...live] = lengths(['one', 'two']);
    assert.ok(Math.abs(train / (train + val + test) - 0.7) < 0.03);
    assert.equal(live.length, 2);
  });
});

test('statistics are printed as they always were', () => {
  const counts = {
    train: { ad: 3200, content: 3800 },
    val: { ad: 680, content: 820 },
    test: { ad: 690, content: 810 },
  };
  assert.equal(
    formatStatistics(counts),
    `Dataset Statistics:
==================================================
TRAIN SET:
  Total: 7000
  ad: 3200 (45.7%)
  content: 3800 (54.3%)

VAL SET:
  Total: 1500
  ad: 680 (45.3%)
  content: 820 (54.7%)

TEST SET:
  Total: 1500
  ad: 690 (46.0%)
  content: 810 (54.0%)`,
  );
});
