import type { Saved } from '@adbreak/shared/contract/labelling.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import { finalSpans, save } from './exports.js';
import { frameTimes } from './frame-times.js';
import { writeFrames } from './frames-out.js';
import { actionsOf, readImport } from './imports.js';
import { Library } from './library.js';
import { openBook } from './open-book.js';

type Say = (line: string) => void;
interface Folders {
  readonly videoDir: string;
  readonly outputDir: string;
}
interface ImportRequest extends Folders {
  readonly path: string;
  readonly labeller: string;
  readonly recording: string | undefined;
  readonly words: LabelWords;
}

/** Takes the labels of a file or folder into the log: all of them, or, where one is wrong, none. Throws as `readImport` does. */
export async function importLabels(
  { videoDir, outputDir, path, labeller, recording, words }: ImportRequest,
  say: Say,
  signal: AbortSignal,
): Promise<{ readonly labels: number; readonly recordings: number; readonly taken: number }> {
  const library = new Library(videoDir, say);
  await library.rescan(signal);
  await using opened = await openBook({ outputDir, library, say, onChange: () => undefined });
  const frames = (id: string) => frameTimes(library.readable(id), signal);
  const found = await readImport(path, { recordings: library.recordings, frames, words, recording, say });
  const { labels } = opened.book;
  const actions = found.flatMap((one) => actionsOf(labeller, one, labels));
  if (actions.length === 0)
    throw new AdbreakError(
      'labels_invalid',
      `Cannot import ${path}: it has no label of a recording in ${videoDir}`,
    );
  const taken = actions.filter(({ id }) => labels.taken(id) !== undefined).length;
  await opened.book.import(labeller, actions);
  return { labels: actions.length, recordings: new Set(found.map((one) => one.recording)).size, taken };
}

/** Writes what S on the page writes and, asked for, pictures. Throws as `save` and `writeFrames` do. */
export async function exportLabels(
  { videoDir, outputDir, frames }: Folders & { readonly frames: boolean },
  say: Say,
  signal: AbortSignal,
): Promise<Saved & { readonly pictures: number }> {
  const library = new Library(videoDir, say);
  await library.rescan(signal);
  await using opened = await openBook({ outputDir, library, say, onChange: () => undefined });
  const { labels } = opened.book;
  const saved = await save({
    labels,
    recordings: library.recordings,
    folder: outputDir,
    frames: (id) => frameTimes(library.readable(id), signal),
  });
  let pictures = 0;
  for (const { id, facts, ...recording } of frames ? library.recordings : []) {
    const { spans } = finalSpans(labels, { id, facts, ...recording });
    if (facts !== null && spans.length > 0)
      pictures += await writeFrames(library.readable(id), spans, outputDir, signal);
  }
  return { ...saved, pictures };
}
