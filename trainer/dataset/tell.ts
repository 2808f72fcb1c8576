import type { Label } from '@adbreak/shared/video/labels.js';
import type { DatasetManifest, Reason } from './manifest.js';
import { CHANGES, SHORTEST_SIDE } from './picture.js';
import type { Prepared } from './prepare.js';
import { type FitSplit, SPLITS } from './ratio.js';
import type { Dataset } from './recordings.js';
import {
  adviseOn,
  adviseOnRatio,
  count,
  formatStatistics,
  type Purpose,
  type SplitCounts,
} from './statistics.js';

/** So many are named; the manifest has them all. */
const NAMED = 5;

const MEANING: Record<Reason, string> = {
  unreadable: 'could not be read',
  tiny: `had a side shorter than ${SHORTEST_SIDE} pixels`,
  'too large': 'were too large',
  'both labels': 'were there under both labels, and were left out under both',
  'in another split too': 'had near-duplicates in a recording of another split',
  'not labelled': 'were recordings without labels beside them',
};

/** All that is to be said of a data set just made. */
export function tellPrepared(prepared: Prepared, purpose: Purpose): string {
  const { manifest, targets, largestGroup, others, notDrawn, divided } = prepared;
  const counts = countSplits(manifest);
  const offered = manifest.sources.reduce((sum, source) => sum + source.offered, 0);
  const groups = new Set(manifest.pictures.map(({ group }) => group)).size;
  return [
    `${count(offered)} pictures and labelled frames looked at; ${count(groups)} groups (recordings, scenes, near-duplicates), none in two splits`,
    ...tellLeftOut(manifest),
    ...[...others].map(
      ([ending, files]) => `left out, as it is no JPEG, PNG or WebP: ${count(files)} ${ending}`,
    ),
    ...(notDrawn > 0 ? [`left out: ${count(notDrawn)} beyond --max-frames`] : []),
    ...tellChanges(manifest),
    ...divided.map(
      (path) => `${path} was divided by time: whole recordings in each split need three of them`,
    ),
    '',
    formatStatistics(counts),
    '',
    ...adviseOn(counts, purpose),
    ...adviseOnRatio(counts, targets, manifest.splitRatio, largestGroup),
    tellCalibration(manifest),
  ].join('\n');
}

/** What `dataset stats` says of a data set made earlier. */
export function tellManifest(manifest: DatasetManifest, purpose: Purpose): string {
  const counts = countSplits(manifest);
  return [
    formatStatistics(counts),
    '',
    ...adviseOn(counts, purpose),
    tellCalibration(manifest),
    `fingerprint ${manifest.fingerprint}`,
  ].join('\n');
}

function tellCalibration({ pictures }: DatasetManifest): string {
  const copies = pictures.filter(({ split }) => split === 'calibration').length;
  return `${count(copies)} of the training pictures are in calibration/, for the ranges of INT8`;
}

export function countSplits({ pictures }: DatasetManifest): SplitCounts {
  const counts = { train: { ad: 0, content: 0 }, val: { ad: 0, content: 0 }, test: { ad: 0, content: 0 } };
  for (const { split, label } of pictures) if (split !== 'calibration') counts[split][label] += 1;
  return counts;
}

function tellLeftOut({ leftOut }: DatasetManifest): string[] {
  return Object.entries(MEANING).flatMap(([reason, meaning]) => {
    const own = leftOut.filter((one) => one.reason === reason);
    if (own.length === 0) return [];
    const named = own.slice(0, NAMED).map(({ origin, detail }) => `${origin}: ${detail}`);
    const more = own.length > NAMED ? [`… and ${count(own.length - NAMED)} more, in dataset.json`] : [];
    return [
      `left out: ${count(own.length)} that ${meaning}`,
      ...[...named, ...more].map((line) => `  ${line}`),
    ];
  });
}

function tellChanges({ pictures }: DatasetManifest): string[] {
  const own = pictures.filter(({ split }) => SPLITS.some((name) => name === split));
  const said = CHANGES.flatMap((change) => {
    const changed = own.filter(({ changes }) => changes.includes(change)).length;
    return changed === 0 ? [] : [`${count(changed)} ${change}`];
  });
  return said.length === 0
    ? []
    : [`written anew as 8-bit JPEG, upright, of animations the first picture: ${said.join(', ')}`];
}

/** Frames a second that training takes of recordings, and so the statistics. */
const FPS = 2;

/** What `dataset stats` says of recordings: frames by their labels' length, as only reading tells how many there are. */
export function tellRecordings(dataset: Dataset, purpose: Purpose): string {
  const frames = (split: FitSplit, label: Label) =>
    Math.round(
      FPS *
        dataset[split]
          .flatMap(({ spans }) => spans)
          .filter((span) => span.label === label)
          .reduce((sum, { start, end }) => sum + end - start, 0),
    );
  const countsOf = (split: FitSplit) => ({ ad: frames(split, 'ad'), content: frames(split, 'content') });
  const counts = { train: countsOf('train'), val: countsOf('val'), test: countsOf('test') };
  const recordings = SPLITS.map((split) => dataset[split].length).join(', ');
  return [
    formatStatistics(counts),
    '',
    ...adviseOn(counts, purpose),
    `counted by the labels, ${FPS} frames a second; ${recordings} recordings in train, val and test`,
  ].join('\n');
}
