import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../random.js';
import { type PictureWord, PictureWords, THUMB, thumbOf } from './picture.js';
import { disagreement } from './words.js';

type Picture = (x: number, y: number) => number;

/** Blobs of light, by a seed; x and y from 0 to 1, levels from 20 to 235. */
function blobs(seed: string): Picture {
  const random = seeded(seed);
  const spots = Array.from({ length: 24 }, () => ({
    x: random.uniform(),
    y: random.uniform(),
    size: random.between(0.05, 0.16),
    light: random.between(-1, 1),
  }));
  return (x, y) => {
    const sum = spots.reduce(
      (all, spot) => all + spot.light * Math.exp(-((x - spot.x) ** 2 + (y - spot.y) ** 2) / spot.size ** 2),
      0,
    );
    return Math.max(20, Math.min(235, 120 + 90 * sum));
  };
}

const thumb = (picture: Picture) =>
  Uint8Array.from({ length: THUMB * THUMB }, (_, i) =>
    Math.round(picture(((i % THUMB) + 0.5) / THUMB, (Math.floor(i / THUMB) + 0.5) / THUMB)),
  );

/** The word of the last of some pictures, one a second. */
function wordOf(...pictures: readonly Picture[]): PictureWord {
  const words = new PictureWords();
  const all = pictures.map((picture, i) => words.push(i, thumb(picture)));
  const last = all.at(-1);
  assert.ok(last !== undefined);
  return last;
}
const apart = (a: PictureWord, b: PictureWord) => disagreement(a, b.low, b.high);

describe('words of pictures', () => {
  const SEEDS = ['a', 'b', 'c', 'd', 'e', 'f'];

  const changes: [string, (picture: Picture) => Picture, number][] = [
    ['another range', (picture) => (x, y) => 16 + (picture(x, y) * 219) / 255, 0.02],
    ['another gamma', (picture) => (x, y) => 255 * (picture(x, y) / 255) ** 0.8, 0.08],
    [
      'a logo in its corner',
      (picture) => (x, y) => (x > 0.84 && x < 0.94 && y > 0.06 && y < 0.2 ? 235 : picture(x, y)),
      0.12,
    ],
    ['a shift by a hundredth', (picture) => (x, y) => picture(x + 0.01, y), 0.05],
  ];
  for (const [what, change, most] of changes)
    test(`are nearly the same with ${what}`, () => {
      for (const seed of SEEDS) {
        const picture = blobs(seed);
        const found = apart(wordOf(picture), wordOf(change(picture)));
        assert.ok(found <= most, `${seed}: ${found.toFixed(3)}`);
      }
    });

  test('are nearly the same within bars, of letterbox and of pillarbox, once something has lit what is none', () => {
    for (const seed of SEEDS) {
      const picture = blobs(seed);
      const letterbox: Picture = (x, y) => (y < 0.125 || y >= 0.875 ? 16 : picture(x, (y - 0.125) / 0.75));
      const pillarbox: Picture = (x, y) => (x < 0.125 || x >= 0.875 ? 16 : picture((x - 0.125) / 0.75, y));
      for (const boxed of [letterbox, pillarbox]) {
        const found = apart(wordOf(picture), wordOf(boxed));
        assert.ok(found <= 0.1, `${seed}: ${found.toFixed(3)}`);
      }
    }
  });

  test('are others of other pictures', () => {
    const words = SEEDS.map((seed) => wordOf(blobs(seed)));
    words.forEach((word, i) => {
      for (const other of words.slice(i + 1)) assert.ok(apart(word, other) > 0.28, `${apart(word, other)}`);
    });
  });

  test('keep a picture whole where its edge is dark for a while only', () => {
    const picture = blobs('a');
    const night: Picture = (x, y) => (y < 0.2 || y >= 0.8 ? 20 : picture(x, y));
    const shown = wordOf(picture, night);
    const boxed = wordOf(night);
    assert.ok(apart(shown, boxed) > 0.1, 'a night is not taken for bars at once');
  });

  test('know black in every range, with a logo too, and what is flat', () => {
    for (const level of [0, 16, 30, 50]) {
      const black = wordOf(() => level);
      assert.ok(black.isBlack && black.isFlat, `level ${level}`);
    }
    assert.ok(wordOf((x, y) => (x > 0.84 && x < 0.94 && y > 0.06 && y < 0.2 ? 235 : 30)).isBlack);
    const blue = wordOf(() => 120);
    assert.ok(blue.isFlat && !blue.isBlack);
    assert.ok(!wordOf(blobs('a')).isFlat);
  });
});

test("a model's picture makes the square that ffmpeg makes", () => {
  const picture = blobs('model');
  const [width, height] = [160, 160];
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const cell = Math.floor(i / 3);
    return picture(((cell % width) + 0.5) / width, (Math.floor(cell / width) + 0.5) / height);
  });
  const words = new PictureWords();
  const word = words.push(0, thumbOf(rgb, width, height));
  assert.ok(apart(wordOf(picture), word) < 0.03);
});
