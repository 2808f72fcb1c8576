import { AdbreakError } from '@adbreak/shared/errors.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import type { TrainingConfig } from '../config/schema.js';
import { datasetOfOne } from '../dataset/cut.js';
import { readManifest } from '../dataset/manifest.js';
import { parseRatio } from '../dataset/ratio.js';
import { type Dataset, openDataset, type Recording, readLabels } from '../dataset/recordings.js';
import { openSamples, samplesOfRecordings } from '../dataset/samples.js';
import type { SampleSource } from '../ports.js';

/** What a configuration has a network learn from. Throws as opening the data set does, and for labels that are wrong. */
export async function samplesOf({ dataset }: TrainingConfig): Promise<SampleSource> {
  const { path, video, labels, split_ratio: ratio, fps } = dataset;
  const words = inLowerCase(dataset.label_map);
  if (video !== null && labels !== null) {
    const spans = await readLabels(labels, { video, words });
    return samplesOfRecordings(narrowed(datasetOfOne(video, spans, parseRatio(ratio.join())), dataset), {
      fps,
    });
  }
  if ((await readManifest(path)) !== undefined) {
    refuseForPictures(path, dataset);
    return openSamples(path);
  }
  return samplesOfRecordings(narrowed(await openDataset(path, words), dataset), { fps });
}

/** Words of a configuration as labels are compared by them. */
function inLowerCase(words: LabelWords): LabelWords {
  return Object.fromEntries(Object.entries(words).map(([word, label]) => [word.toLowerCase(), label]));
}

/** A prepared data set has single pictures: what a key says of recordings must not be passed over. */
function refuseForPictures(path: string, { only, first }: TrainingConfig['dataset']): void {
  if (only === null && first === null) return;
  throw new AdbreakError(
    'input_invalid',
    `Cannot train on ${path}: dataset.${only === null ? 'first' : 'only'} is for recordings, not pictures`,
    { remedy: 'Prepare a data set of the recordings you mean, or train on a folder of recordings.' },
  );
}

/**
 * What `dataset.only` and `dataset.first` leave of the recordings to train on; validation and test stay
 * whole.
 */
function narrowed(
  dataset: Dataset,
  { only, first }: Pick<TrainingConfig['dataset'], 'only' | 'first'>,
): Dataset {
  const names = new Set(dataset.train.map(({ name }) => name));
  const unknown = only?.find((name) => !names.has(name));
  if (unknown !== undefined)
    throw new AdbreakError(
      'input_invalid',
      `Cannot train on ${unknown}, as dataset.only says: there is no such recording in train`,
      { remedy: `There are ${listed([...names])}.` },
    );
  const train = dataset.train
    .filter(({ name }) => only === null || only.includes(name))
    .map((recording) => (first === null ? recording : beginning(recording, first)));
  return { ...dataset, train };
}

function beginning(recording: Recording, seconds: number): Recording {
  const spans = recording.spans
    .filter(({ start }) => start < seconds)
    .map((span) => ({ ...span, end: Math.min(span.end, seconds) }));
  return { ...recording, spans };
}

/** As many as one line holds. */
function listed(names: readonly string[]): string {
  const some = names.slice(0, 20).join(', ');
  return names.length > 20 ? `${some} and ${names.length - 20} more` : some;
}
