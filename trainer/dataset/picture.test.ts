import assert from 'node:assert/strict';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import sharp from 'sharp';
import { scenePicture } from '../testing/pictures.js';
import { lookAt, pixelsOf } from './picture.js';
import { distance, NEAR_RADIUS } from './signature.js';

describe('a picture', () => {
  const write = async (name: string, bytes: Uint8Array | string) => {
    const path = join(await temporaryFolder(), name);
    await writeFile(path, bytes);
    return path;
  };
  const taken = async (path: string) => {
    const seen = await lookAt(path);
    assert.ok('signature' in seen, JSON.stringify(seen));
    return seen;
  };

  for (const [format, encode] of [
    ['jpg', () => scenePicture(1).jpeg().toBuffer()],
    ['png', () => scenePicture(1).png().toBuffer()],
    ['webp', () => scenePicture(1).webp({ lossless: true }).toBuffer()],
    ['grey png', () => scenePicture(1).greyscale().png().toBuffer()],
  ] as const)
    test(`of 8 bits is taken as it is: ${format}`, async () => {
      const { changes, rewritten } = await taken(await write(`a.${format.slice(-3)}`, await encode()));
      assert.deepEqual([changes, rewritten], [[], null]);
    });

  for (const [change, name, encode] of [
    ['CMYK', 'a.jpg', () => scenePicture(1).toColourspace('cmyk').jpeg().toBuffer()],
    ['16-bit', 'a.png', () => scenePicture(1).toColourspace('rgb16').png().toBuffer()],
    ['animated', 'a.webp', () => animation()],
    ['turned', 'a.jpg', () => scenePicture(1).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer()],
  ] as const)
    test(`that is unusual is written anew and still shows the same: ${change}`, async () => {
      const plain = await taken(await write('plain.png', await scenePicture(1).png().toBuffer()));
      const odd = await taken(await write(name, await encode()));
      assert.deepEqual(odd.changes, [change]);
      assert.ok(odd.rewritten);
      const { format, depth, space, pages, width, height } = await sharp(odd.rewritten).metadata();
      assert.deepEqual(
        [format, depth, space, pages ?? 1, width, height],
        ['jpeg', 'uchar', 'srgb', 1, 160, 90],
      );
      // Inks have fewer colours than screens: the edges are the same, the colours nearly.
      assert.ok(distance(plain.signature, odd.signature) <= NEAR_RADIUS);
    });

  async function animation(): Promise<Buffer> {
    const pages = await Promise.all([1, 2].map((seed) => scenePicture(seed).png().toBuffer()));
    return sharp(pages, { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
  }

  for (const [what, name, bytes, refusal, why] of [
    [
      'cut short',
      'a.jpg',
      async () => (await scenePicture(1).jpeg().toBuffer()).subarray(0, 1200),
      'unreadable',
      /\w/,
    ],
    ['text', 'a.jpg', () => 'no picture', 'unreadable', /unsupported/],
    ['empty', 'a.png', () => '', 'unreadable', /\w/],
    [
      'a drawing under another name',
      'a.png',
      () => '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>',
      'unreadable',
      /svg/,
    ],
    ['tiny', 'a.png', () => scenePicture(1, 31, 400).png().toBuffer(), 'tiny', /31 x 400/],
  ] as const)
    test(`is refused with the reason where it is ${what}`, async () => {
      const seen = await lookAt(await write(name, await bytes()));
      assert.ok('refusal' in seen && seen.refusal === refusal && why.test(seen.why), JSON.stringify(seen));
    });

  test('is refused where its link leads nowhere', async () => {
    const path = join(await temporaryFolder(), 'a.jpg');
    await symlink('/nowhere', path);
    assert.deepEqual(await lookAt(path), { refusal: 'unreadable', why: 'ENOENT' });
  });

  test('that is transparent stands on black, as on a television', async () => {
    const glass = sharp({ create: { width: 64, height: 64, channels: 4, background: '#ffffff80' } });
    const path = await write('a.png', await glass.png().toBuffer());
    const { pixels } = await pixelsOf(await readFile(path));
    assert.equal(pixels.length, 64 * 64 * 3);
    assert.ok(Math.abs((pixels[0] ?? 0) - 128) <= 1, String(pixels[0]));
  });
});
