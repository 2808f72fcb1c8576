import { join } from 'node:path';
import sharp from 'sharp';
import type { RunOutcome } from '../ports.js';
import type { Measured } from './measure.js';

const NOTHING = { metrics: {}, histograms: [], pictures: [], scored: [], files: [] } as const;

/** How a run that made no model ends, for who follows it. */
export function without(status: 'failed' | 'interrupted'): RunOutcome {
  return { ...NOTHING, status };
}

/** How a run that made a model ends: its figures, its worst mistakes as pictures, its files in `folder`. */
export async function outcomeOf(measured: Measured, folder: string): Promise<RunOutcome> {
  const { assessed, judged, head } = measured;
  const files = ['model.tflite', 'manifest.json', 'configuration.yaml'].map((name) => join(folder, name));
  return {
    status: 'finished',
    metrics: assessed.metrics,
    histograms: [{ tag: 'head/kernel', values: head.kernel }],
    pictures: await mistakes(assessed),
    scored: judged.test.scored,
    files: [...files, ...assessed.files],
  };
}

async function mistakes({ mistakes: pictured }: Measured['assessed']): Promise<RunOutcome['pictures']> {
  const pictures = [];
  for (const [index, { thumbnail }] of pictured.entries()) {
    if (!('jpeg' in thumbnail)) continue;
    const { data, info } = await sharp(thumbnail.jpeg).png().toBuffer({ resolveWithObject: true });
    pictures.push({ tag: `mistakes/${index + 1}`, png: data, width: info.width, height: info.height });
  }
  return pictures;
}
