import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TrainingJobView, training } from '@adbreak/shared/contract/http/training.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, type HubAddress } from '../cli/client.js';
import { SETTINGS_FILE } from '../store/settings.js';

/** 20 s by ffmpeg's own sources: a test picture is an advertisement, a fractal the programme. */
function recording(path: string): void {
  const size = 's=96x64:r=4';
  const [content, ad] = [`mandelbrot=${size},trim=duration=5`, `testsrc2=${size}:d=5`];
  const inputs = [content, ad, content, ad].flatMap((source) => ['-f', 'lavfi', '-i', source]);
  const graph = '[0:v][1:v][2:v][3:v]concat=n=4:v=1:a=0,format=yuv420p';
  const encoder = ['-filter_complex', graph, '-c:v', 'libx264', '-preset', 'ultrafast', path];
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...inputs, ...encoder]);
}

/** A state folder whose hub allows trainings, and a folder of data sets with a tiny one, `tiny`. */
export async function trainingFolders(
  keepFreeMiB = 0,
  folder?: string,
): Promise<{ readonly folder: string; readonly datasets: string }> {
  const datasets = await temporaryFolder();
  for (const split of ['train', 'val', 'test']) {
    const path = join(datasets, 'tiny', split);
    await mkdir(path, { recursive: true });
    recording(join(path, 'one.mkv'));
    const labels = ['0,5,content', '5,10,ad', '10,15,content', '15,20,ad'];
    await writeFile(join(path, 'one.csv'), `${['start,end,label', ...labels].join('\n')}\n`);
  }
  const state = folder ?? (await temporaryFolder());
  await writeFile(join(state, SETTINGS_FILE), JSON.stringify({ training: { datasets, keepFreeMiB } }));
  return { folder: state, datasets };
}

/** A small network, and requirements that anything meets. */
export const EASY = `model:
  weights: scratch
  input_shape: [64, 96, 3]
deployment:
  requirements: { min_accuracy: 0, min_f1_score: 0, max_inference_time_ms: 60000 }
`;
/** One that goes on until it is ended. */
export const ENDLESS = ['training.epochs=10000', 'training.patience=0', 'training.batch_size=1'];

export function askTraining(
  hub: HubAddress,
  settings: readonly string[] = [],
  dataset = 'tiny',
  configuration = EASY,
): Promise<TrainingJobView> {
  return callBy(hub, training.ask, { body: { configuration, settings: [...settings], dataset } });
}
export function jobAt(hub: HubAddress, id: string): Promise<TrainingJobView> {
  return callBy(hub, training.show, { params: { id } });
}
/** The job once it is as it is looked for. */
export function jobOnce(
  hub: HubAddress,
  id: string,
  what: string,
  look: (job: TrainingJobView) => boolean,
): Promise<TrainingJobView> {
  const seconds = 120;
  return until(
    `${id}: ${what}`,
    async () => {
      const job = await jobAt(hub, id);
      return look(job) && job;
    },
    seconds,
  );
}
export const isOver = ({ ended }: TrainingJobView) => ended !== null;
