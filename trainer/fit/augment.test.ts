import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import { DEFAULT_CONFIG } from '../config/schema.js';
import { apply, augment, type Change, drawChange } from './augment.js';

const SIZE = { width: 64, height: 48 };
const PIXELS = testPattern(0, SIZE.width, SIZE.height);
const SETTINGS = DEFAULT_CONFIG.training.augmentation;
const straight = Uint8Array.from({ length: 256 }, (_, value) => value);
const NOTHING: Change = {
  cut: { left: 0, top: 0, ...SIZE },
  inner: SIZE,
  levels: [straight, straight, straight],
  blur: 0,
  quality: null,
};
const pixel = (pixels: Uint8Array, x: number, y: number) => [
  ...pixels.subarray((y * SIZE.width + x) * 3, (y * SIZE.width + x) * 3 + 3),
];

describe('an augmented view', () => {
  test('is the same at every time, another for another number, and as large as the picture', async () => {
    const view = (number: number) => augment(PIXELS, SIZE, 'ab', number, SETTINGS);
    const seen = new Set<string>();
    for (let number = 1; number <= 12; number++) {
      const once = await view(number);
      assert.deepEqual(once, await view(number));
      assert.equal(once.length, PIXELS.length);
      seen.add(Buffer.from(once).toString('latin1'));
    }
    assert.ok(seen.size >= 11, `${seen.size} of 12 differ`);
  });
  test('is the picture itself where every change is left out', async () => {
    const none = {
      views: 1,
      range: 0,
      gamma: 0,
      jpeg_quality: 0,
      crop: 0,
      letterbox: 0,
      blur: 0,
      color_cast: 0,
    };
    for (let number = 1; number <= 5; number++)
      assert.deepEqual(await augment(PIXELS, SIZE, 'ab', number, none), PIXELS);
  });
  test('stays inside what was asked for', () => {
    const random = seeded('changes');
    for (let i = 0; i < 500; i++) {
      const { cut, inner, blur, quality, levels } = drawChange(random, SIZE, SETTINGS);
      assert.ok(cut.left >= 0 && cut.left + cut.width <= SIZE.width && cut.width >= SIZE.width * 0.9 - 1);
      assert.ok(cut.top >= 0 && cut.top + cut.height <= SIZE.height && cut.height >= SIZE.height * 0.9 - 1);
      assert.ok(inner.width >= SIZE.width * 0.8 - 1 && inner.height >= SIZE.height * 0.8 - 1);
      assert.ok(blur >= 0 && blur <= 1.2);
      assert.ok(quality === null || (quality >= 35 && quality <= 100));
      for (const level of levels)
        assert.ok(level.every((value, at) => at === 0 || value >= (level[at - 1] ?? 0)));
    }
  });
  test('never shows a picture mirrored: what is on the left stays there', async () => {
    const half = PIXELS.map((_, i) => (((i / 3) | 0) % SIZE.width < SIZE.width / 2 ? 220 : 30));
    for (let number = 1; number <= 30; number++) {
      const view = await augment(half, SIZE, 'left', number, SETTINGS);
      assert.ok((pixel(view, 16, 24)[0] ?? 0) > (pixel(view, 48, 24)[0] ?? 0), `view ${number}`);
    }
  });
});

describe('each change', () => {
  test('letterbox leaves black bars and the whole picture between them', async () => {
    const white = new Uint8Array(PIXELS.length).fill(255);
    const barred = await apply(white, SIZE, { ...NOTHING, inner: { width: 64, height: 40 } });
    assert.deepEqual(
      [3, 4, 43, 44].map((y) => pixel(barred, 30, y)[0]),
      [0, 255, 255, 0],
    );
  });
  test('crop makes the middle of the picture larger', async () => {
    const dot = new Uint8Array(PIXELS.length);
    for (const [x, y] of [
      [10, 10],
      [54, 10],
    ] as const)
      dot.fill(255, (y * SIZE.width + x) * 3, (y * SIZE.width + x) * 3 + 3);
    const cropped = await apply(dot, SIZE, { ...NOTHING, cut: { left: 8, top: 6, width: 48, height: 36 } });
    const column = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => pixel(cropped, from + i, 5)[0] ?? 0).some((v) => v > 40);
    assert.ok(column(0, 6) && column(58, 64) && !column(10, 54));
  });
  test('blur and JPEG change a picture a little, and levels change it as their table says', async () => {
    const distance = (other: Uint8Array) =>
      other.reduce((sum, value, i) => sum + Math.abs(value - (PIXELS[i] ?? 0)), 0) / PIXELS.length;
    for (const change of [{ blur: 1 }, { quality: 40 }]) {
      const changed = distance(await apply(PIXELS, SIZE, { ...NOTHING, ...change }));
      assert.ok(changed > 0.5 && changed < 60, `${JSON.stringify(change)}: ${changed}`);
    }
    const inverse = straight.map((value) => 255 - value);
    const turned = await apply(PIXELS, SIZE, { ...NOTHING, levels: [inverse, straight, straight] });
    assert.deepEqual(pixel(turned, 9, 9), [
      255 - (pixel(PIXELS, 9, 9)[0] ?? 0),
      ...pixel(PIXELS, 9, 9).slice(1),
    ]);
  });
});
