import { hasCode } from '@adbreak/shared/errors.js';
import { keptModel } from '@adbreak/shared/kept-model.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import { timedFrames } from '@adbreak/shared/video/exact.js';
import { type LoadedModel, loadModel } from '../assess/models.js';
import type { Recording } from './library.js';

/** Frames a second that the model is asked about. */
const FPS = 1;

/** The model that is named, or the one that is kept; null where there is none. Throws as `loadModel` does of one that is damaged. */
export async function modelFor(named: string | undefined): Promise<LoadedModel | null> {
  if (named !== undefined) return loadModel(named);
  try {
    return await loadModel(await keptModel());
  } catch (error) {
    if (hasCode(error, 'not_found')) return null;
    throw error;
  }
}

export function nameOfModel({ manifest: { name, version } }: LoadedModel): string {
  return `${name} ${version}`;
}

/** What the model says of a recording: [seconds, p(ad)], one a second. */
export async function judge(
  { path, facts }: Pick<Recording, 'path'> & { readonly facts: { readonly start: number } },
  { file, manifest: { preprocess } }: LoadedModel,
  onTime: (seconds: number) => void,
  signal: AbortSignal,
): Promise<[number, number][]> {
  using classifier = new AdClassifier(await openRuntime('auto').open(file, { threads: 1 }), preprocess);
  const said: [number, number][] = [];
  const request = { source: path, preprocess, start: facts.start };
  for await (const { time, pixels } of timedFrames(request, FPS, signal)) {
    const probability = await classifier.adProbability(pixels);
    said.push([time, Math.min(1, Math.max(0, probability))]);
    onTime(time);
  }
  signal.throwIfAborted();
  return said;
}
