import { type Random, seeded } from '@adbreak/shared/random.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import sharp from 'sharp';
import type { TrainingConfig } from '../config/schema.js';

export type AugmentationSettings = TrainingConfig['training']['augmentation'];
type Size = Pick<Preprocess, 'width' | 'height'>;

/** What is done to one picture. Lengths are pixels. */
export interface Change {
  readonly cut: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
  /** The picture fills the middle; what is left around it is black. */
  readonly inner: Size;
  /** The new value of each of the 256 values, by colour. */
  readonly levels: readonly [Uint8Array, Uint8Array, Uint8Array];
  /** Sigma; 0 for none. */
  readonly blur: number;
  /** Of JPEG; null for none. */
  readonly quality: number | null;
}

/** What draws the views: another version of it may draw other pixels. */
export const DRAWN_BY = `sharp ${sharp.versions.sharp}, vips ${sharp.versions.vips}`;

/** Each change happens to every other view, so that none is always there. */
const CHANCE = 0.5;
/** sharp refuses a smaller sigma. */
const LEAST_SIGMA = 0.3;

/**
 * View `view` (from 1) of a picture: another capture chain's idea of it. What is drawn depends on the
 * picture's key and the view's number alone, so that a view can be kept and is the same in every run.
 */
export async function augment(
  pixels: Uint8Array,
  size: Size,
  key: string,
  view: number,
  settings: AugmentationSettings,
): Promise<Uint8Array> {
  return apply(pixels, size, drawChange(seeded(`view/${view}/${key}`), size, settings));
}

export function drawChange(random: Random, { width, height }: Size, settings: AugmentationSettings): Change {
  /** Drawn in any case: what one change draws must not move what the next one does. */
  const sometimes = (largest: number) => {
    const [coin, amount] = [random.uniform(), random.uniform()];
    return coin < CHANCE ? amount * largest : 0;
  };
  const crop = sometimes(settings.crop);
  const [cutWidth, cutHeight] = [Math.ceil(width * (1 - crop)), Math.ceil(height * (1 - crop))];
  const cut = {
    left: random.integer(width - cutWidth + 1),
    top: random.integer(height - cutHeight + 1),
    width: cutWidth,
    height: cutHeight,
  };
  const bars = sometimes(settings.letterbox);
  const wide = random.uniform() < 0.5;
  const inner = {
    width: wide ? width : Math.max(1, Math.round(width * (1 - bars))),
    height: wide ? Math.max(1, Math.round(height * (1 - bars))) : height,
  };
  const black = 255 * sometimes(settings.range) * (random.uniform() < 0.5 ? 1 : -1);
  const white = 255 + 255 * sometimes(settings.range) * (random.uniform() < 0.5 ? 1 : -1);
  const gamma = (1 + sometimes(settings.gamma)) ** (random.uniform() < 0.5 ? 1 : -1);
  const gains = [0, 1, 2].map(() => 1 + settings.color_cast * (2 * random.uniform() - 1));
  const cast = random.uniform() < CHANCE;
  const levels = (gain: number) =>
    Uint8Array.from({ length: 256 }, (_, value) => {
      const level = (black + (white - black) * (value / 255) ** gamma) * (cast ? gain : 1);
      return Math.max(0, Math.min(255, Math.round(level)));
    });
  const blur = sometimes(settings.blur);
  const loss = sometimes(100 - settings.jpeg_quality);
  return {
    cut,
    inner,
    levels: [levels(gains[0] ?? 1), levels(gains[1] ?? 1), levels(gains[2] ?? 1)],
    blur: blur < LEAST_SIGMA ? 0 : blur,
    quality: settings.jpeg_quality === 0 || loss === 0 ? null : Math.max(1, Math.round(100 - loss)),
  };
}

/** RGB24 in, RGB24 of the same size out. */
export async function apply(pixels: Uint8Array, size: Size, change: Change): Promise<Uint8Array> {
  const { width, height } = size;
  const { cut, inner, blur, quality } = change;
  const raw = { width, height, channels: 3 } as const;
  let picture = sharp(relevel(pixels, change.levels), { raw });
  const moved = cut.width !== width || cut.height !== height;
  const barred = inner.width !== width || inner.height !== height;
  if (!moved && !barred && blur === 0 && quality === null) return relevel(pixels, change.levels);
  if (moved) picture = picture.extract(cut);
  if (moved || barred) picture = picture.resize(inner.width, inner.height, { fit: 'fill' });
  if (barred) {
    const [left, top] = [(width - inner.width) >> 1, (height - inner.height) >> 1];
    picture = picture.extend({
      left,
      top,
      right: width - inner.width - left,
      bottom: height - inner.height - top,
      background: '#000',
    });
  }
  if (blur > 0) {
    // sharp blurs before it extends, whatever the order of the calls: bars must be blurred with the rest.
    const plain = await picture.raw().toBuffer();
    picture = sharp(plain, { raw }).blur(blur);
  }
  if (quality !== null) picture = sharp(await picture.jpeg({ quality }).toBuffer());
  return new Uint8Array(await picture.toColourspace('srgb').raw().toBuffer());
}

function relevel(pixels: Uint8Array, [red, green, blue]: Change['levels']): Uint8Array {
  const result = new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 3) {
    result[i] = red[pixels[i] ?? 0] ?? 0;
    result[i + 1] = green[pixels[i + 1] ?? 0] ?? 0;
    result[i + 2] = blue[pixels[i + 2] ?? 0] ?? 0;
  }
  return result;
}
