import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { sourceKind } from '@adbreak/shared/video/frames.js';
import type { Format } from '../decide/formats.js';
import { endingOfCopy } from './copy.js';

export interface OutputOptions {
  /** What the timeline is written as; without `output` it is printed. */
  readonly format: Format;
  /** The file of the one recording's timeline. */
  readonly output?: string;
  /** Where the files below go; beside each recording without it. */
  readonly folder?: string;
  readonly edl?: boolean;
  readonly chapters?: boolean;
  readonly frames?: boolean;
  readonly mark?: boolean;
  readonly cut?: boolean;
  readonly overwrite?: boolean;
}

/** The paths of what is made of one recording. */
export interface Outputs {
  readonly source: string;
  readonly timeline?: string;
  readonly edl?: string;
  readonly chapters?: string;
  readonly frames?: string;
  readonly mark?: string;
  readonly cut?: string;
}
type Kind = Exclude<keyof Outputs, 'source'>;
const KINDS: readonly Kind[] = ['timeline', 'edl', 'chapters', 'frames', 'mark', 'cut'];

/** Where each output goes. Throws `input_invalid` for what cannot be meant. */
export function planOutputs(sources: readonly string[], options: OutputOptions): Outputs[] {
  if (options.output !== undefined && sources.length > 1)
    throw new AdbreakError('input_invalid', 'Cannot write several recordings into one --output', {
      remedy: 'Lay files beside each: --edl, --chapters, --frames, --mark, --cut; or print with --json.',
    });
  return sources.map((source) => {
    const beside = KINDS.some((kind) => kind !== 'timeline' && options[kind] === true);
    if (beside && options.folder === undefined && sourceKind(source) === 'url')
      throw new AdbreakError('input_invalid', `Cannot write beside ${source}: give --folder`);
    if (options.cut && sourceKind(source) !== 'file')
      throw new AdbreakError('input_invalid', `Cannot cut ${source}: it is no file`, {
        remedy: 'Download it first.',
      });
    // The list of parts that ffmpeg gets has a line for each, and no way to write a line's end.
    if (options.cut && /[\r\n]/.test(source))
      throw new AdbreakError('input_invalid', `Cannot cut ${source}: its name has a line break`, {
        remedy: 'Give it another name.',
      });
    const stem = join(options.folder ?? dirname(source), basename(source, extname(source)));
    return {
      source,
      ...(options.output !== undefined && { timeline: options.output }),
      ...(options.edl && { edl: `${stem}.edl` }),
      ...(options.chapters && { chapters: `${stem}.chapters.txt` }),
      ...(options.frames && { frames: `${stem}.frames.csv` }),
      ...(options.mark && { mark: `${stem}.marked${endingOfCopy(source, { chapters: true })}` }),
      ...(options.cut && { cut: `${stem}.cut${endingOfCopy(source, { chapters: false })}` }),
    };
  });
}

/**
 * Before the work, not after it: every output has a folder that can be written, a name of its own, and is no
 * recording. What exists is overwritten only where that was asked for.
 */
export async function checkOutputs(plans: readonly Outputs[], { overwrite = false } = {}): Promise<void> {
  const recordings = new Set(plans.map(({ source }) => resolve(source)));
  const taken = new Set<string>();
  for (const plan of plans) {
    for (const path of KINDS.flatMap((kind) => plan[kind] ?? [])) {
      if (recordings.has(resolve(path)))
        throw new AdbreakError('input_invalid', `Cannot write ${path}: it is a recording`);
      if (taken.has(resolve(path)))
        throw new AdbreakError('conflict', `Cannot write ${path} for two recordings`, {
          remedy: 'Give recordings of different names, or run detect for each alone.',
        });
      taken.add(resolve(path));
      await checkWritable(path, overwrite);
    }
  }
}

async function checkWritable(path: string, overwrite: boolean): Promise<void> {
  const folder = dirname(path);
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw new AdbreakError('state_unwritable', `Cannot write ${path}: ${folder} cannot be written`, {
      cause,
      remedy: 'Make the folder, or give another one with --folder or --output.',
    });
  });
  if (!overwrite && (await exists(path)))
    throw new AdbreakError('conflict', `Cannot write ${path}: it exists`, {
      remedy: 'Give --overwrite, or another place.',
    });
}
