import { join } from 'node:path';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { hasCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { z } from 'zod';
import { differenceHash, type Hash } from '../assess/alike.js';
import type { Sample, SampleSource, Split } from '../ports.js';
import { type AugmentationSettings, augment, DRAWN_BY } from './augment.js';
import type { Extractor, RowExtractor } from './extractors.js';
import { FeatureStore, pictureKey } from './feature-store.js';
import { progressOf } from './progress.js';
import { bytesOf, readSealed, writeSealed } from './sealed.js';

/** Part of every name in the cache: entries of another format are never looked at. */
const CACHE_FORMAT = 5;
/** What was computed is made durable as often as this, milliseconds: so much a kill costs at most. */
const SAVE_MS = 5000;
/** Or where so many bytes of it have come together: memory does not grow with the data set. */
const SAVE_BYTES = 64 * 2 ** 20;
/** Bytes: Node's longest text. */
const INDEX_LIMIT = 512 * 1024 * 1024;

const word = z.int().min(0).max(0xffffffff);
const indexFacts = z.strictObject({ samples: z.int().nonnegative() });
const index = z.array(
  z.strictObject({
    key: z.string().regex(/^[0-9a-f]{32}$/),
    hash: z.strictObject({ high: word, low: word }),
    isAd: z.boolean(),
    group: z.string(),
    source: z.string(),
    picture: z.strictObject({ path: z.string(), at: z.number().nullable() }),
  }),
);
type Indexed = Sample & { readonly key: string; readonly hash: Hash };

/** A sample, and what its picture looks like. */
export type Looked = Sample & { readonly hash: Hash };

export interface FeatureRequest {
  readonly samples: SampleSource;
  readonly preprocess: Preprocess;
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
export interface Wanted<E extends RowExtractor = Extractor> {
  readonly extractor: E;
  /** Augmented views beside each picture itself. */
  readonly views: number;
  readonly augmentation: AugmentationSettings;
}
/**
 * Features of a split in its order: of each wanted extractor the picture's own, then those of its views; rows
 * of `width`.
 */
export interface Features {
  readonly samples: readonly Looked[];
  readonly of: readonly (readonly Float32Array[])[];
}

/**
 * Features of the pictures of a split, from the cache where they are there. Pictures are known by their
 * pixels: what one data set has had computed holds for every other, and neither labels nor splits cost
 * anything. A split that was read to its end before is not read again.
 */
export async function featuresOf(
  split: Split,
  wanted: readonly Wanted[],
  request: FeatureRequest,
): Promise<Features> {
  const { samples, stores } = await gathered(split, wanted, request);
  return {
    samples,
    of: stores.map((views) =>
      views.map((store) => new Float32Array(store.rowsOf(samples.map(({ key }) => key)).buffer)),
    ),
  };
}

/** Rows of a split that are read when they are asked for, however many they are. */
export interface Shelf {
  readonly samples: readonly Sample[];
  /** Of a picture by its place in `samples`, or with `view` from 1 on of one of its views. */
  row(picture: number, view: number): Uint8Array;
}

/** The same as `featuresOf`, of one extractor, left on disk. */
export async function shelfOf(
  split: Split,
  want: Wanted<RowExtractor>,
  request: FeatureRequest,
): Promise<Shelf> {
  const { samples, stores } = await gathered(split, [want], request);
  return {
    samples,
    row: (picture, view) => {
      const [store, sample] = [stores[0]?.[view], samples[picture]];
      if (store === undefined || sample === undefined)
        throw new RangeError(`${split} has no view ${view} of picture ${picture}`);
      return store.get(sample.key);
    },
  };
}

async function gathered(split: Split, wanted: readonly Wanted<RowExtractor>[], request: FeatureRequest) {
  const stores = await Promise.all(wanted.map((want) => storesOf(want, request)));
  const known = await readIndex(split, request);
  const complete = known?.every(({ key }) => stores.flat().every((store) => store.has(key)));
  const samples =
    known !== null && complete ? known : await readThrough(split, wanted, stores, known, request);
  return { samples, stores };
}

function storesOf(
  want: Wanted<RowExtractor>,
  { cache, preprocess }: FeatureRequest,
): Promise<FeatureStore[]> {
  const { extractor, views, augmentation } = want;
  const { views: _, ...changes } = augmentation;
  const names = Array.from({ length: 1 + views }, (_, view) =>
    nameOf([extractor.identity, preprocess, ...(view === 0 ? [] : [view, changes, DRAWN_BY])]),
  );
  return Promise.all(names.map((name) => FeatureStore.open(join(cache, name), extractor.rowBytes)));
}

async function readThrough(
  split: Split,
  wanted: readonly Wanted<RowExtractor>[],
  stores: readonly (readonly FeatureStore[])[],
  known: readonly Indexed[] | null,
  request: FeatureRequest,
): Promise<Indexed[]> {
  const { samples, preprocess, signal, say } = request;
  const progress = progressOf(`features of ${split}`, known?.length ?? samples.count(split), say);
  const found: Indexed[] = [];
  let savedAt = performance.now();
  const save = async () => {
    for (const store of stores.flat()) await store.save();
    savedAt = performance.now();
  };
  const isDue = () =>
    performance.now() - savedAt >= SAVE_MS ||
    stores.flat().reduce((bytes, store) => bytes + store.unsavedBytes, 0) >= SAVE_BYTES;
  // The next picture is read and its views are drawn while the library's threads run the network on these.
  const begun = new Map<string, Promise<void>>();
  const lanes = Math.max(...wanted.map(({ extractor }) => extractor.lanes));
  const endFirst = async () => {
    const [first] = begun;
    if (first === undefined) return;
    await first[1];
    begun.delete(first[0]);
  };
  try {
    for await (const { pixels, isAd, group, source, picture } of samples.read(split, preprocess, signal)) {
      const key = pictureKey(pixels);
      const hash = differenceHash(pixels, preprocess.width, preprocess.height);
      found.push({ key, hash, isAd, group, source, picture });
      // Of like pictures, which follow one another, the first one's work is the others', too.
      if (!begun.has(key)) {
        const work = compute(pixels, key, wanted, stores, preprocess);
        // Its failure is heard at its turn; until then nobody else listens.
        work.catch(() => undefined);
        begun.set(key, work);
      }
      if (begun.size > lanes) await endFirst();
      progress.advance();
      if (isDue()) await save();
      signal?.throwIfAborted();
    }
    while (begun.size > 0) await endFirst();
  } finally {
    await Promise.allSettled(begun.values());
    await save();
  }
  progress.end();
  await writeIndex(split, found, request);
  return found;
}

async function compute(
  pixels: Uint8Array,
  key: string,
  wanted: readonly Wanted<RowExtractor>[],
  stores: readonly (readonly FeatureStore[])[],
  preprocess: Preprocess,
): Promise<void> {
  for (const [i, { extractor, augmentation }] of wanted.entries()) {
    for (const [view, store] of (stores[i] ?? []).entries()) {
      if (store.has(key)) continue;
      const seen = view === 0 ? pixels : await augment(pixels, preprocess, key, view, augmentation);
      store.put(key, bytesOf(await extractor.extract(seen)));
    }
  }
}

/** What a split holds, once it was read to its end; null where it was not, or what was kept is damaged. */
async function readIndex(split: Split, request: FeatureRequest): Promise<Indexed[] | null> {
  const path = indexPath(split, request);
  const sealed = await readSealed(path, indexFacts);
  if (typeof sealed === 'string') return null;
  try {
    const known = parseJson(index, sealed.body, INDEX_LIMIT, path);
    return known.length === sealed.facts.samples ? known : null;
  } catch (error) {
    if (hasCode(error, 'input_invalid', 'input_too_large')) return null;
    throw error;
  }
}

async function writeIndex(split: Split, found: readonly Indexed[], request: FeatureRequest): Promise<void> {
  const facts: z.infer<typeof indexFacts> = { samples: found.length };
  await writeSealed(indexPath(split, request), facts, Buffer.from(JSON.stringify(found)));
}

function indexPath(split: Split, { cache, samples, preprocess }: FeatureRequest): string {
  return join(cache, `${nameOf(['index', samples.fingerprint, samples.place, split, preprocess])}.index`);
}

function nameOf(facts: readonly unknown[]): string {
  return sha256(JSON.stringify([CACHE_FORMAT, ...facts])).slice(0, 32);
}
