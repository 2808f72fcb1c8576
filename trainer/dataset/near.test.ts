import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import type { Sharp } from 'sharp';
import sharp from 'sharp';
import { scenePicture } from '../testing/pictures.js';
import { likenessOf } from './near.js';
import { distance, isNear, isSame, type Signature, signatureOf, THUMB } from './signature.js';

async function signatureOfPicture(picture: Sharp): Promise<Signature> {
  const thumb = await sharp(await picture.png().toBuffer())
    .removeAlpha()
    .resize(THUMB.width, THUMB.height, { fit: 'fill' })
    .raw()
    .toBuffer();
  return signatureOf(new Uint8Array(thumb));
}
const jpeg = async (picture: Sharp, quality: number) => sharp(await picture.jpeg({ quality }).toBuffer());

describe('near-duplicates of real pictures', () => {
  const original = () => scenePicture('original', 640, 360);
  for (const [what, change] of [
    ['encoded anew', async () => jpeg(original(), 30)],
    ['half as large', async () => original().resize(320, 180)],
    ['a little brighter', async () => sharp(await original().png().toBuffer()).linear(1, 8)],
    [
      'with a logo in a corner',
      async () =>
        sharp(await original().png().toBuffer()).composite([
          {
            input: { create: { width: 50, height: 30, channels: 3, background: '#fff' } },
            left: 570,
            top: 15,
          },
        ]),
    ],
    [
      'cropped by a hundredth',
      async () =>
        sharp(await original().png().toBuffer()).extract({ left: 6, top: 3, width: 628, height: 354 }),
    ],
  ] as const)
    test(`are found: ${what}`, async () => {
      const [one, other] = [await signatureOfPicture(original()), await signatureOfPicture(await change())];
      assert.ok(isNear(one, other), `${distance(one, other)} bits apart`);
    });

  test('are none of 200 other scenes, two by two', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => signatureOfPicture(scenePicture(i))));
    all.forEach((one, i) =>
      all
        .slice(0, i)
        .forEach((other) => assert.ok(!isNear(one, other), `${distance(one, other)} bits apart`)),
    );
  });

  test('are not all that is flat: colours and dark scenes differ, noise on one colour does not', async () => {
    const flat = (background: string) =>
      sharp({ create: { width: 160, height: 90, channels: 3, background } });
    const noisy = async (background: string, seed: number) => {
      const random = seeded(seed);
      const { data, info } = await flat(background).raw().toBuffer({ resolveWithObject: true });
      const raw = data.map((value) => Math.max(0, Math.min(255, value + random.integer(5) - 2)));
      return sharp(raw, { raw: { width: info.width, height: info.height, channels: 3 } });
    };
    const [red, green] = [await signatureOfPicture(flat('#f00')), await signatureOfPicture(flat('#0f0'))];
    assert.ok(!isNear(red, green));
    const [one, other] = await Promise.all(
      [1, 2].map(async (s) => signatureOfPicture(await noisy('#101010', s))),
    );
    assert.ok(one && other && isSame(one, other));
    const dark = await Promise.all(
      ['a', 'b'].map((seed) => signatureOfPicture(scenePicture(seed).linear(0.12, 4))),
    );
    assert.ok(dark[0] && dark[1] && !isNear(dark[0], dark[1]));
  });
});

/** As likenessOf promises, by looking at every pair. */
function bruteForce(signatures: readonly Signature[]): string[] {
  return signatures.flatMap((one, i) =>
    signatures.flatMap((other, j) => (j < i && isNear(one, other) ? [`${j} ${i}`] : [])),
  );
}

function randomSignature(seed: number): Signature {
  const random = seeded(seed);
  return signatureOf(Uint8Array.from({ length: 9 * 8 * 3 }, () => random.integer(256)));
}
/** Some cells changed: near some of the time. */
function changed({ thumb }: Signature, seed: number): Signature {
  const random = seeded(`change/${seed}`);
  const cells = random.integer(60);
  const copy = Uint8Array.from(thumb);
  for (let i = 0; i < cells; i++) copy[random.integer(copy.length)] = random.integer(256);
  return signatureOf(copy);
}

test('banding finds every pair that looking at all pairs finds, and joins nothing else', async () => {
  const roots = Array.from({ length: 150 }, (_, i) => randomSignature(i));
  const signatures = roots.flatMap((root, i) => [root, changed(root, 2 * i), changed(root, 2 * i + 1)]);
  const pairs = bruteForce(signatures);
  assert.ok(pairs.length > 50 && pairs.length < 430, `${pairs.length} pairs`);
  const { near } = await likenessOf(signatures.map((signature) => ({ label: 'ad', signature })));
  for (const pair of pairs) {
    const [a = 0, b = 0] = pair.split(' ').map(Number);
    assert.equal(near.find(a), near.find(b), pair);
  }
  // Of one root each: what is joined, hangs together by pairs.
  for (const set of near.sets()) assert.equal(new Set(set.map((member) => Math.floor(member / 3))).size, 1);
});

test('a picture under both labels is found, and one that is merely near is not taken for it', async () => {
  const one = randomSignature(1);
  const near = signatureOf(one.thumb.map((value) => Math.min(255, value + 5)));
  assert.ok(isNear(one, near) && !isSame(one, near));
  const { contradictions } = await likenessOf([
    { label: 'ad', signature: one },
    { label: 'content', signature: randomSignature(2) },
    { label: 'content', signature: one },
    { label: 'content', signature: near },
  ]);
  assert.deepEqual([...contradictions].sort(), [
    [0, 2],
    [2, 0],
  ]);
});

test('50,000 pictures are compared in seconds, also where a fifth of them is one still', {
  timeout: 120_000,
}, async () => {
  const still = randomSignature(0);
  const pictures = Array.from({ length: 50_000 }, (_, i) => ({
    label: i % 2 === 0 ? ('ad' as const) : ('content' as const),
    signature:
      i % 5 === 0
        ? signatureOf(still.thumb.map((value, at) => Math.min(255, value + ((i + at) % 7))))
        : randomSignature(i),
  }));
  const began = performance.now();
  const { near } = await likenessOf(pictures);
  const seconds = (performance.now() - began) / 1000;
  assert.ok(near.sets().length <= 40_001 && near.sets().length > 39_000, `${near.sets().length} sets`);
  // All pairs one by one would be 1.25 billion comparisons of thumbnails: minutes.
  assert.ok(seconds < 40, `${seconds.toFixed(1)} s`);
});

test('a comparison ends with its signal', async () => {
  const stop = new AbortController();
  const one = randomSignature(0);
  const pictures = Array.from({ length: 8000 }, (_, i) => ({
    label: 'ad' as const,
    signature: { ...one, thumb: one.thumb, low: one.low ^ (i << 12) },
  }));
  setImmediate(() => stop.abort());
  await assert.rejects(likenessOf(pictures, stop.signal), { name: 'AbortError' });
});
