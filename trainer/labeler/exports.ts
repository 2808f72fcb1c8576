import type { Saved } from '@adbreak/shared/contract/labelling.js';
import { explain } from '@adbreak/shared/errors.js';
import { formatLabels, type Span } from '@adbreak/shared/video/labels.js';
import { recordingName } from '../dataset/found.js';
import { agreedOf } from './final.js';
import type { Labels } from './fold.js';
import type { FrameTimes } from './frame-times.js';
import { formatLabelStudio, rangeOfSpan } from './label-studio.js';
import type { Recording } from './library.js';
import { SavedFiles } from './saved-files.js';

interface SaveRequest {
  readonly labels: Labels;
  readonly recordings: readonly Recording[];
  readonly folder: string;
  readonly frames: (id: string) => Promise<FrameTimes>;
}

/** The labels of a recording that all agree on, within its length. */
export function finalSpans(labels: Labels, { id, facts }: Recording) {
  const { spans, disputes } = agreedOf(labels.passesOver(id));
  const duration = facts?.duration ?? Number.POSITIVE_INFINITY;
  const own = spans
    .filter(({ start }) => start < duration)
    .map((span) => ({ ...span, end: Math.min(span.end, duration) }));
  return { spans: own, disputed: disputes.reduce((sum, { start, end }) => sum + end - start, 0) };
}

/**
 * Writes what labellers agree on: NAME.csv (for `adbreak dataset prepare` and `train`, beside the recording of that name) and
 * NAME.edl (for players) for each recording with a label, under each of its names, and one file of tasks for Label Studio.
 * What an earlier save wrote is replaced, file by file, or taken away where no label is left; what anybody else did is kept beside it. Throws `disk_full`.
 */
export async function save({ labels, recordings, folder, frames }: SaveRequest): Promise<Saved> {
  const [files, leftOut]: [string[], string[]] = [[], []];
  const tasks: { video: string; ranges: Parameters<typeof formatLabelStudio>[0][number]['ranges'] }[] = [];
  const saved = await SavedFiles.open(folder);
  const put = async (name: string, text: string) => {
    // NAME.mkv and NAME.ts would have one labels file.
    if (files.includes(name)) leftOut.push(`${name}: two recordings have this name but for their ending`);
    else {
      leftOut.push(...(await saved.write(name, text)));
      files.push(name);
    }
  };
  for (const recording of recordings) {
    const { spans, disputed } = finalSpans(labels, recording);
    if (disputed > 0) leftOut.push(`${recording.name}: ${disputed.toFixed(1)} s on which labellers disagree`);
    if (spans.length === 0) {
      leftOut.push(...(await takeAway(recording, saved, files)));
      continue;
    }
    for (const name of [recording.name, ...recording.aliases]) {
      await put(`${recordingName(name)}.csv`, formatLabels(rounded(spans)));
      await put(`${recordingName(name)}.edl`, formatEdl(spans));
    }
    try {
      const { times } = await frames(recording.id);
      tasks.push({ video: recording.name, ranges: spans.flatMap((span) => rangeOfSpan(span, times) ?? []) });
    } catch (error) {
      leftOut.push(`${recording.name}, for Label Studio: ${explain(error)}`);
    }
  }
  await put('labels.label-studio.json', formatLabelStudio(tasks));
  await saved.close();
  return { files, leftOut };
}

/** What an earlier save wrote of a recording that has no label any more: whoever trains on the folder would believe it. */
async function takeAway(
  { name, aliases }: Recording,
  saved: SavedFiles,
  written: readonly string[],
): Promise<string[]> {
  const own = [name, ...aliases].flatMap((one) => [`${recordingName(one)}.csv`, `${recordingName(one)}.edl`]);
  const said: string[] = [];
  // One of another recording with this name may have been written just now.
  for (const file of own.filter((one) => !written.includes(one))) said.push(...(await saved.remove(file)));
  return said;
}

/** Of a span that is shorter than what a labels file can say, none. */
function rounded(spans: readonly Span[]): Span[] {
  return spans.filter(({ start, end }) => Number(end.toFixed(3)) > Number(start.toFixed(3)));
}

/** Kodi's edit decision list: start, end and 3, a commercial break. */
function formatEdl(spans: readonly Span[]): string {
  const ads = rounded(spans).filter(({ label }) => label === 'ad');
  return ads.map(({ start, end }) => `${start.toFixed(3)}\t${end.toFixed(3)}\t3\n`).join('');
}
