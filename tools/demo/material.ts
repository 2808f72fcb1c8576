import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifest } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { loop } from './loop.js';
import { trainer } from './processes.js';
import { broadcastOf, CHANNELS, FOLDER, FPS, MODEL, ROOT, SECONDS, say } from './settings.js';

const CONFIG = join(ROOT, 'configs/training/production-base.yaml');
/** The configuration that ships, without what takes minutes. */
const SMALL = [
  'training.augmentation.views=0',
  'training.fine_tuning.from=null',
  'conversion.calibration_pictures=32',
] as const;

export async function fetchWeights(signal: AbortSignal): Promise<'pretrained' | 'scratch'> {
  try {
    await trainer(['weights', 'pull'], say, signal);
    return 'pretrained';
  } catch (error) {
    signal.throwIfAborted();
    say(`no pretrained weights, so a small network is trained from scratch (${explain(error)})`);
    return 'scratch';
  }
}

export async function makeData(signal: AbortSignal): Promise<string> {
  const data = join(FOLDER, 'data');
  const { VIDEO, LABELS } = process.env;
  if (VIDEO === undefined) {
    say('rendering a synthetic broadcast: training data, and a fresh broadcast for each agent');
    const synthesize = (splits: string) =>
      trainer(
        [
          'dataset',
          'synthesize',
          '--output',
          data,
          '--seconds',
          String(SECONDS.training),
          '--seed',
          process.env['SEED'] ?? '1',
          '--splits',
          splits,
        ],
        () => undefined,
        signal,
      );
    await Promise.all([synthesize('train'), synthesize('val,test')]);
  } else {
    if (LABELS === undefined)
      throw new AdbreakError('labels_invalid', 'Cannot run the demo on VIDEO without LABELS=file.csv');
    say(`cutting ${VIDEO}: training data, and a part of its own for each agent`);
    await trainer(
      [
        'dataset',
        'cut',
        '--video',
        VIDEO,
        '--labels',
        LABELS,
        '--output',
        data,
        '--live',
        ...CHANNELS.map(broadcastOf),
      ],
      say,
      signal,
    );
    for (const channel of CHANNELS) {
      const { seconds, times, spans } = await loop(
        broadcastOf(channel),
        SECONDS.broadcast.pretrained,
        signal,
      );
      say(
        `channel ${channel}: ${(seconds / 60).toFixed(1)} minutes with ${spans} scenes and advertisements, played ${times} times`,
      );
    }
  }
  return data;
}

/** Three versions: the first from two minutes of one channel, the second from everything, the third from labels exchanged by mistake. */
export async function makeModels(data: string, signal: AbortSignal) {
  const { VIDEO } = process.env;
  const wrong = await exchangeLabels(data);
  const make = async (version: string, args: readonly string[]) => {
    await trainer(
      [
        ...['train', '--config', CONFIG, ...SMALL.flatMap((one) => ['--set', one])],
        '--name',
        MODEL,
        '--version',
        version,
        '--output',
        join(FOLDER, 'models', version),
        '--cache',
        join(FOLDER, 'features'),
        '--fps',
        String(FPS),
        ...args,
      ],
      (line) => {
        if (!line.startsWith('  ')) say(`${version}: ${line}`);
      },
      signal,
    );
    return manifest.parse(
      JSON.parse(await readFile(join(FOLDER, 'models', version, 'manifest.json'), 'utf8')),
    );
  };
  const second = await make('2.0.0', ['--data', data]);
  const [first, third] = await Promise.all([
    make('1.0.0', ['--data', data, '--first', '130', ...(VIDEO === undefined ? ['--only', 'one'] : [])]),
    make('3.0.0', ['--data', wrong]),
  ]);
  return [first, second, third];
}

/** The same recordings, with ad and content exchanged in one of them: a mistake of an import, made on purpose. */
async function exchangeLabels(data: string): Promise<string> {
  const wrong = join(FOLDER, 'data-wrong');
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(wrong, split), { recursive: true });
    const names = (await readdir(join(data, split))).sort();
    const victim = split === 'train' ? names.find((name) => name.endsWith('.csv')) : undefined;
    for (const name of names) {
      if (!name.endsWith('.csv')) await symlink(join(data, split, name), join(wrong, split, name));
      else if (name !== victim) await copyFile(join(data, split, name), join(wrong, split, name));
      else {
        const text = await readFile(join(data, split, name), 'utf8');
        await writeFile(
          join(wrong, split, name),
          text.replace(/,(ad|content)$/gm, (_, label: string) => (label === 'ad' ? ',content' : ',ad')),
        );
      }
    }
  }
  return wrong;
}

export async function renderBroadcasts(seconds: number, signal: AbortSignal): Promise<void> {
  for (const channel of CHANNELS)
    await trainer(
      [
        'dataset',
        'broadcast',
        '--output',
        broadcastOf(channel),
        '--channel',
        channel,
        '--seed',
        `${process.env['SEED'] ?? '1'}/${channel}`,
        '--seconds',
        String(seconds),
      ],
      () => undefined,
      signal,
    );
}
