import { join } from 'node:path';
import { seeded } from '@adbreak/shared/random.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { z } from 'zod';
import type { LabelledPicture, SampleSource, Split } from '../ports.js';
import { progressOf } from './progress.js';
import { readSealed, writeSealed } from './sealed.js';

interface Reading {
  readonly samples: SampleSource;
  readonly preprocess: Preprocess;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** A uniform sample of a split's pictures, without knowing how many there are (Vitter 1985, algorithm R). */
export async function reservoir(
  split: Split,
  size: number,
  seed: string,
  { samples, preprocess, say, signal }: Reading,
): Promise<LabelledPicture[]> {
  const random = seeded(seed);
  const kept: LabelledPicture[] = [];
  const progress = progressOf(`a sample of ${split}`, samples.count(split), say);
  let seen = 0;
  for await (const picture of samples.read(split, preprocess, signal)) {
    seen += 1;
    const place = kept.length < size ? kept.length : random.integer(seen);
    if (place < size) kept[place] = picture;
    progress.advance();
    signal?.throwIfAborted();
  }
  return kept;
}

const facts = z.strictObject({ pictures: z.int().nonnegative() });

/**
 * The pictures that the converter sees: of the calibration split, or where that is empty of the training
 * split. The same ones in every run over a data set, kept with the features so that the next run need not
 * look for them.
 */
export async function calibrationPictures(
  size: number,
  cache: string,
  reading: Reading,
): Promise<Uint8Array[]> {
  const { samples, preprocess } = reading;
  const split = samples.count('calibration') === 0 ? 'train' : 'calibration';
  const name = sha256(JSON.stringify([1, samples.fingerprint, split, preprocess, size])).slice(0, 32);
  const path = join(cache, `${name}.pictures`);
  const length = preprocess.width * preprocess.height * 3;
  const sealed = await readSealed(path, facts);
  if (typeof sealed !== 'string' && sealed.body.byteLength === sealed.facts.pictures * length)
    return Array.from({ length: sealed.facts.pictures }, (_, i) =>
      sealed.body.subarray(i * length, (i + 1) * length),
    );
  const own = await reservoir(split, size, 'calibration', reading);
  // Of some data sets only reading tells that a split is empty.
  const taken = own.length > 0 ? own : await reservoir('train', size, 'calibration', reading);
  const chosen = taken.map(({ pixels }) => pixels);
  const about: z.infer<typeof facts> = { pictures: chosen.length };
  await writeSealed(path, about, Buffer.concat(chosen));
  return chosen;
}
