import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Finder, type Seen } from './finder.js';
import { Memory } from './memory.js';
import { material, noisy, type Tape, tape } from './testing.js';

function found({ pictures, sounds, seconds }: Tape, { memory = 10_000 } = {}): Seen[] {
  const finder = new Finder(new Memory(memory));
  const shifted = <W extends { readonly time: number }>(words: readonly W[]) =>
    words.map((word) => ({ ...word, time: word.time + 1 }));
  return [
    ...portions(finder, shifted(sounds), shifted(pictures), seconds + 1),
    ...finder.cut(seconds + 500),
  ].map((seen) => ({ ...seen, start: seen.start - 1, end: seen.end - 1 }));
}

/** As a stream brings it, some seconds at once. */
function portions(
  finder: Finder,
  sounds: Tape['sounds'],
  pictures: Tape['pictures'],
  seconds: number,
): Seen[] {
  const seen: Seen[] = [];
  for (let until = 3; until < seconds + 3; until += 3) {
    const within = ({ time }: { readonly time: number }) => time >= until - 3 && time < until;
    seen.push(...finder.push(sounds.filter(within), pictures.filter(within), until));
  }
  return seen;
}

const strongest = (all: readonly Seen[]) => [...all].sort((a, b) => b.score - a.score)[0];

describe('a stretch that was there before', () => {
  const spot = material('spot', 15);
  const before = material('before', 61.4);
  const after = material('after', 83.7);

  test('is found, with the time between, whatever its phase', () => {
    for (const extra of [0, 0.13, 0.31, 0.5, 0.77]) {
      const between = material('between', 120 + extra);
      const lag = 15 + 120 + Math.round(extra * 25) / 25;
      const seen = strongest(found(tape([before, spot, between, spot, after])));
      assert.ok(seen !== undefined, `nothing found at ${extra}`);
      assert.ok(Math.abs(seen.lag - lag) < 0.2, `${seen.lag} s for ${lag} s`);
      assert.ok(Math.abs(seen.start - (61.4 + lag)) < 3, `from ${seen.start} s`);
      assert.ok(Math.abs(seen.end - (61.4 + lag + 15)) < 3, `to ${seen.end} s`);
      assert.ok(seen.sound > 0 && seen.picture > 0);
    }
  });

  test('is found where a tenth of its bits came otherwise, with another sound, and where there is a picture or a sound alone', () => {
    const between = material('between', 100.2);
    const lag = 115.2;
    const worn = noisy(spot, 'worn', 0.1);
    const other = material('other', 15);
    const replay = { ...noisy(spot, 'replay', 0.04), sounds: other.sounds };
    for (const again of [worn, replay]) {
      const seen = strongest(found(tape([before, spot, between, again, after])));
      assert.ok(seen !== undefined && Math.abs(seen.lag - lag) < 0.2, JSON.stringify(seen));
    }
    const deaf = (t: Tape) => ({ ...t, sounds: [] });
    const blind = (t: Tape) => ({ ...t, pictures: [] });
    for (const one of [deaf, blind]) {
      const seen = strongest(found(one(tape([before, spot, between, worn, after]))));
      assert.ok(seen !== undefined && Math.abs(seen.lag - lag) < 0.2, JSON.stringify(seen));
    }
  });

  test('is found by two pictures a second, whatever their phase, and by them alone', () => {
    const all = tape([before, spot, material('between', 120.5), spot, after]);
    for (const phase of [0, 3, 6, 9])
      for (const sounds of [all.sounds, []]) {
        const pictures = all.pictures.filter((_, i) => i % 12 === phase);
        const seen = strongest(found({ ...all, pictures, sounds }));
        assert.ok(seen !== undefined, `nothing at phase ${phase} with ${sounds.length} words of sound`);
        assert.ok(Math.abs(seen.lag - 135.52) < 0.5, `${seen.lag} s`);
      }
  });

  test('is not a stretch with its sound and other pictures', () => {
    const jingle = { ...material('other', 15), sounds: spot.sounds };
    assert.deepEqual(found(tape([before, spot, material('between', 90), jingle, after])), []);
  });

  test('is found when it follows itself', () => {
    const seen = strongest(found(tape([before, spot, spot, after])));
    assert.ok(seen !== undefined && Math.abs(seen.lag - 15) < 0.2, JSON.stringify(seen));
  });

  test('is forgotten when the memory is full, and only then', () => {
    const between = material('between', 300);
    const all = tape([before, spot, between, spot, after]);
    assert.ok(found(all, { memory: 400 }).length > 0);
    assert.deepEqual(found(all, { memory: 200 }), []);
  });
});

describe('nothing is found in', () => {
  test('an hour in which nothing airs twice', () => {
    assert.deepEqual(found(tape([material('an hour', 3600)])), []);
  });

  test('black and silence for hours', () => {
    assert.deepEqual(found(tape([material('a', 20), 7200, material('b', 20)])), []);
  });

  test('a test card with its tone', () => {
    const card = material('card', 0.04);
    const picture = card.pictures[0];
    const tone = material('tone', 1).sounds[0];
    assert.ok(picture !== undefined && tone !== undefined);
    const still = {
      pictures: Array.from({ length: 25 * 1800 }, () => picture),
      sounds: Array.from({ length: 16 * 1800 }, () => tone),
    };
    // What it says of itself it says once: no stretch of it is worth more than a moment of another.
    assert.deepEqual(found(tape([still])), []);
  });
});

test('a stream that begins anew, later, knows what was before', () => {
  const spot = material('spot', 12);
  const finder = new Finder(new Memory(10_000));
  const first = tape([material('x', 30), spot, material('y', 30)]);
  const seen: Seen[] = [];
  for (const base of [1, 1000]) {
    seen.push(...finder.cut(base));
    const later = <W extends { readonly time: number }>(words: readonly W[]) =>
      words.map((word) => ({ ...word, time: word.time + base }));
    seen.push(...portions(finder, later(first.sounds), later(first.pictures), base + first.seconds));
  }
  seen.push(...finder.cut(5000));
  const best = strongest(seen);
  assert.ok(best !== undefined && Math.abs(best.lag - 999) < 0.2, JSON.stringify(best));
  assert.ok(best.end - best.start > 65, 'all of it was there before');
});
