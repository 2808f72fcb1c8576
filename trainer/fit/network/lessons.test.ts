import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { DEFAULT_CONFIG } from '../../config/schema.js';
import type { LabelledPicture } from '../../ports.js';
import { histogramExtractor } from '../extractors.js';
import { plainLessons, taughtLessons } from './lessons.js';

const SIZE = { width: 16, height: 16, scaler: 'area' } as const;
const PIXELS = SIZE.width * SIZE.height * 3;
const VIEWS = 2;

/** Advertisements are bright, but for every tenth picture, whose label is wrong. */
function pictures(count: number): LabelledPicture[] {
  const random = seeded('pictures');
  return Array.from({ length: count }, (_, i) => {
    const bright = i % 2 === 0;
    return {
      pixels: Uint8Array.from({ length: PIXELS }, () => (bright ? 200 : 60) + random.integer(20)),
      isAd: bright !== (i % 10 === 9),
      group: 'a',
      source: 'a',
      picture: { path: 'a', at: i },
    };
  });
}
const request = {
  preprocess: SIZE,
  augmentation: { ...DEFAULT_CONFIG.training.augmentation, views: VIEWS },
  normalization: { mean: 127, std: 128 },
  say: () => undefined,
};

describe('lessons', () => {
  test('are each picture and its views, as the network sees them, under the person’s label', async () => {
    const given = pictures(4);
    const lessons = await plainLessons(given, request);
    assert.equal(lessons.length, 4 * (1 + VIEWS));
    assert.deepEqual(
      lessons.map(({ target }) => target),
      given.flatMap(({ isAd }) => Array<number>(1 + VIEWS).fill(Number(isAd))),
    );
    const batch = new Float32Array(2 * PIXELS);
    lessons[0]?.fill(batch, PIXELS);
    assert.equal(batch[PIXELS], Math.fround(((given[0]?.pixels[0] ?? 0) - 127) / 128));
    assert.ok(batch.subarray(0, PIXELS).every((value) => value === 0));
  });
  test('of a teacher have its features, of mean 0 and variance 1, and doubt a label that it would not give', async () => {
    const given = pictures(60);
    using teacher = histogramExtractor();
    const lessons = await taughtLessons(given, teacher, request);
    const columns = Array.from({ length: teacher.width }, (_, c) =>
      lessons.map(({ features }) => features?.[c] ?? 0),
    );
    for (const column of columns) {
      const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
      const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length;
      assert.ok(Math.abs(mean) < 1e-3 && variance < 1.01, `${mean} ${variance}`);
    }
    const sure = lessons.map(({ target }, i) => {
      const truth = given[Math.floor(i / (1 + VIEWS))]?.isAd ? target : 1 - target;
      return truth;
    });
    const mean = (which: (picture: number) => boolean) => {
      const some = sure.filter((_, i) => which(Math.floor(i / (1 + VIEWS))));
      return some.reduce((sum, value) => sum + value, 0) / some.length;
    };
    assert.ok(mean((picture) => picture % 10 !== 9) > 0.8);
    assert.ok(mean((picture) => picture % 10 === 9) < 0.75);
    assert.ok(sure.every((value) => value >= 0.5 && value <= 1));
  });
});
