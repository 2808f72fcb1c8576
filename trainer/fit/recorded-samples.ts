import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { frames } from '@adbreak/shared/video/frames.js';
import { labelAt } from '@adbreak/shared/video/labels.js';
import { type Dataset, fileDigest, type Recording } from '../dataset/recordings.js';
import type { SampleSource } from '../ports.js';

/**
 * Recordings with labels as pictures: `fps` of them a second, those outside of the labels left out. Each
 * recording is a group.
 */
export async function recordedSamples(dataset: Dataset, fps: number): Promise<SampleSource> {
  const splitOf = { ...dataset, calibration: [] };
  const facts = [];
  for (const split of ['train', 'val', 'test'] as const)
    for (const { name, video, spans } of dataset[split])
      facts.push([split, name, await fileDigest(video), spans]);
  return {
    fingerprint: sha256(JSON.stringify([fps, facts])),
    count: (split) => (splitOf[split].length === 0 ? 0 : null),
    async *read(split, preprocess, signal) {
      for (const recording of splitOf[split]) {
        for await (const { pixels, time } of frames({ source: recording.video, preprocess, fps }, signal)) {
          const label = labelAt(recording.spans, time);
          if (label === null) continue;
          const { name, video } = recording;
          yield {
            pixels,
            isAd: label === 'ad',
            group: `${split}/${name}`,
            source: name,
            picture: { path: video, at: time },
          };
        }
        // An iteration that just ends early would pass for a whole one.
        signal?.throwIfAborted();
      }
    },
  };
}

/**
 * What `dataset.only` and `dataset.first` leave of the recordings to train on; validation and test stay
 * whole.
 */
export function narrowed(
  dataset: Dataset,
  { only, first }: { readonly only: readonly string[] | null; readonly first: number | null },
): Dataset {
  const train = dataset.train
    .filter(({ name }) => only === null || only.includes(name))
    .map((recording) => (first === null ? recording : beginning(recording, first)));
  return { ...dataset, train };
}

function beginning(recording: Recording, seconds: number): Recording {
  return { ...recording, spans: recording.spans.filter(({ start }) => start < seconds) };
}

/** One recording becomes three by time, whole spans each: frames a second apart never lie in two splits. */
export function cutByTime(video: string, spans: Recording['spans']): Dataset {
  const end = spans.at(-1)?.end ?? 0;
  const part = (from: number, to: number): Recording[] => [
    {
      name: 'recording',
      video,
      spans: spans.filter((span) => span.start >= from * end && span.start < to * end),
    },
  ];
  return { train: part(0, 0.6), val: part(0.6, 0.8), test: part(0.8, 1) };
}
