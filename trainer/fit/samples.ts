import type { TrainingConfig } from '../config/schema.js';
import { datasetOfOne } from '../dataset/cut.js';
import { readManifest } from '../dataset/manifest.js';
import { parseRatio } from '../dataset/ratio.js';
import { type Dataset, openDataset, type Recording, readLabels } from '../dataset/recordings.js';
import { openSamples, samplesOfRecordings } from '../dataset/samples.js';
import type { SampleSource } from '../ports.js';

/** What a configuration has a network learn from. Throws as opening the data set does, and for labels that are wrong. */
export async function samplesOf({ dataset }: TrainingConfig): Promise<SampleSource> {
  const { path, video, labels, split_ratio: ratio, label_map: words, fps } = dataset;
  if (video !== null && labels !== null) {
    const spans = await readLabels(labels, { video, words });
    return samplesOfRecordings(narrowed(datasetOfOne(video, spans, parseRatio(ratio.join())), dataset), {
      fps,
    });
  }
  if ((await readManifest(path)) !== undefined) return openSamples(path);
  return samplesOfRecordings(narrowed(await openDataset(path, words), dataset), { fps });
}

/**
 * What `dataset.only` and `dataset.first` leave of the recordings to train on; validation and test stay
 * whole.
 */
function narrowed(
  dataset: Dataset,
  { only, first }: Pick<TrainingConfig['dataset'], 'only' | 'first'>,
): Dataset {
  const train = dataset.train
    .filter(({ name }) => only === null || only.includes(name))
    .map((recording) => (first === null ? recording : beginning(recording, first)));
  return { ...dataset, train };
}

function beginning(recording: Recording, seconds: number): Recording {
  return { ...recording, spans: recording.spans.filter(({ start }) => start < seconds) };
}
