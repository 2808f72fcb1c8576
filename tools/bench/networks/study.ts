import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seeded } from '@adbreak/shared/random.js';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { renderBroadcast } from '@adbreak/trainer/dataset/synthetic/broadcast.js';
import type { Channel } from '@adbreak/trainer/dataset/synthetic/channels.js';

/** Channels of each split, and seconds of each. No channel is in two splits. */
export interface Plan {
  readonly channels: { readonly train: number; readonly val: number; readonly test: number };
  readonly seconds: number;
  readonly seed: string;
}

const HUES = 360;
/** Degrees between two channels of a study that follow each other: the golden angle spreads any number. */
const APART = 137.5;
const GENRES = [
  ['news', 'interview', 'drama'],
  ['sport', 'interview', 'sport'],
  ['drama', 'drama', 'news'],
  ['interview', 'news', 'interview'],
  ['sport', 'news', 'drama'],
] as const;

/** A channel with everything of it drawn: colour, logo and its corner, what it shows, how it arrives. */
function drawn(seed: string, index: number): Channel {
  const random = seeded(`${seed}/channel/${index}`);
  return {
    name: `channel-${index}`,
    hue: Math.round((index * APART) % HUES),
    logo: random.pick(['ring', 'square', 'word'] as const),
    corner: random.pick(['left', 'right'] as const),
    logoInAds: random.uniform() < 0.3,
    genres: random.pick(GENRES),
    letterboxed: random.uniform() < 0.3,
    capture: random.pick(['clean', 'low-rate', 'analogue'] as const),
  };
}

/** Renders what is not there yet. The folder is a data set whose test channels nobody has trained on. */
export async function renderStudy(
  folder: string,
  { channels, seconds, seed }: Plan,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  let index = 0;
  const tests: string[] = [];
  for (const split of ['train', 'val', 'test'] as const) {
    await mkdir(join(folder, split), { recursive: true });
    for (let i = 0; i < channels[split]; i++, index++) {
      const channel = drawn(seed, index);
      const stem = join(folder, split, channel.name);
      if (split === 'test') tests.push(stem);
      if (await exists(`${stem}.csv`)) continue;
      const spans = await renderBroadcast({ seed, channel, seconds, output: `${stem}.mkv` }, signal);
      await writeFile(`${stem}.csv`, formatLabels(spans));
      say(`${split}: ${channel.name}, ${channel.capture}, ${channel.genres.join(' and ')}`);
    }
  }
  return tests;
}
