import { seeded } from '@adbreak/shared/random.js';
import { frames } from '@adbreak/shared/video/frames.js';
import { AD, CONTENT, NONE, STEPS } from './hour.js';

const PICTURE = { width: 32, height: 18, scaler: 'area' } as const;
const PIXELS = PICTURE.width * PICTURE.height * 3;
const EPOCHS = 12;
const RATE = 0.02;

/** One small picture a second, values around 0. */
export async function picturesOf(source: string, signal?: AbortSignal): Promise<Float32Array[]> {
  const pictures: Float32Array[] = [];
  for await (const { pixels } of frames({ source, preprocess: PICTURE, fps: 1 }, signal))
    pictures.push(Float32Array.from(pixels, (value) => value / 128 - 1));
  return pictures;
}

export interface Example {
  readonly picture: Float32Array;
  readonly isAd: boolean;
}

/** Pictures with the labels that are there; those without one are left out. */
export function examples(pictures: readonly Float32Array[], labels: Uint8Array): Example[] {
  return pictures.flatMap((picture, second) => {
    const label = labels[second * STEPS + STEPS / 2] ?? NONE;
    return label === AD || label === CONTENT ? [{ picture, isAd: label === AD }] : [];
  });
}

/** F1 of ads that a linear head on pixels reaches on `test`, taught with `train` by gradient descent; 0 without both labels. */
export function f1(train: readonly Example[], test: readonly Example[], seed: string): number {
  const ads = train.filter(({ isAd }) => isAd).length;
  if (ads === 0 || ads === train.length) return 0;
  const weights = fitted(train, seed, (train.length - ads) / ads);
  let [hit, called, there] = [0, 0, 0];
  for (const { picture, isAd } of test) {
    const said = logit(weights, picture) > 0;
    if (said && isAd) hit += 1;
    if (said) called += 1;
    if (isAd) there += 1;
  }
  return hit === 0 ? 0 : (2 * hit) / (called + there);
}

/** Ads count as much as all the rest. */
function fitted(train: readonly Example[], seed: string, adWeight: number): Float32Array {
  const random = seeded(`learn/${seed}`);
  const weights = new Float32Array(PIXELS + 1);
  for (let epoch = 0; epoch < EPOCHS; epoch++)
    for (const { picture, isAd } of random.shuffle(train)) {
      const p = 1 / (1 + Math.exp(-logit(weights, picture)));
      const step = ((RATE / (1 + epoch)) * ((isAd ? 1 : 0) - p) * (isAd ? adWeight : 1)) / 10;
      for (let i = 0; i < PIXELS; i++) weights[i] = (weights[i] ?? 0) + step * (picture[i] ?? 0);
      weights[PIXELS] = (weights[PIXELS] ?? 0) + step;
    }
  return weights;
}

function logit(weights: Float32Array, picture: Float32Array): number {
  let sum = weights[PIXELS] ?? 0;
  for (let i = 0; i < PIXELS; i++) sum += (weights[i] ?? 0) * (picture[i] ?? 0);
  return sum;
}
