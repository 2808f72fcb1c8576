import { seeded } from '@adbreak/shared/random.js';
import type { Span } from '@adbreak/shared/video/labels.js';
import * as art from './art.js';
import { Canvas, type Picture } from './canvas.js';
import type { Capture, Channel } from './channels.js';
import { encode } from './encode.js';
import { type Item, labelOfItem, schedule, timeline } from './schedule.js';
import { shotsOf } from './shots.js';
import { SAMPLE_RATE, soundOf } from './sound.js';

const BROADCAST = { width: 320, height: 180, fps: 10 } as const;

export interface BroadcastRequest {
  readonly seed: number | string;
  readonly channel: Channel;
  /** At least this long; the last break is played to its end. */
  readonly seconds: number;
  /** Matroska: the file plays while it is written and after a crash. */
  readonly output: string;
  readonly onProgress?: (seconds: number, of: number) => void;
}

/**
 * Renders a broadcast with sound and gives its ground truth. The same request gives the same pictures. The file
 * appears under its name only when it is whole. Throws `ffmpeg_missing`, `disk_full`, or `video_unreadable` with
 * ffmpeg's words, and an AbortError when the signal ends it.
 */
export async function renderBroadcast(request: BroadcastRequest, signal?: AbortSignal): Promise<Span[]> {
  const items = schedule(seeded(`${request.seed}/${request.channel.name}`), request.channel, request.seconds);
  await encode(
    {
      output: request.output,
      ...BROADCAST,
      sampleRate: SAMPLE_RATE,
      video: CAPTURES[request.channel.capture],
      keyEvery: 50,
      audio: ['-c:a', 'aac', '-b:a', '48k'],
      pictures: pictures(items, request),
      sounds: sounds(items),
    },
    signal,
  );
  return timeline(items);
}

/** Noise, soft edges and pale colours before the encoder; noise that is a function of its seed. */
const ANALOGUE = 'gblur=sigma=0.8,eq=saturation=0.8:gamma=1.06,noise=alls=9:allf=t:all_seed=1';
const CAPTURES: Record<Capture, readonly string[]> = {
  clean: ['-crf', '27'],
  'low-rate': ['-b:v', '110k', '-maxrate', '150k', '-bufsize', '300k'],
  analogue: ['-vf', ANALOGUE, '-crf', '27'],
};

async function* pictures(
  items: readonly Item[],
  { channel, onProgress, seconds }: BroadcastRequest,
): AsyncGenerator<Buffer> {
  const canvas = new Canvas(BROADCAST.width, BROADCAST.height);
  const logo = await logoOf(channel);
  const x = channel.corner === 'left' ? 26 : BROADCAST.width - 26;
  let done = 0;
  for (const item of items) {
    const showsLogo = item.kind !== 'black' && (labelOfItem(item) === 'content' || channel.logoInAds);
    for (const shot of await shotsOf(item, channel)) {
      const count = Math.round(shot.seconds * BROADCAST.fps);
      for (let i = 0; i < count; i++) {
        shot.draw(canvas, i / BROADCAST.fps, i / count);
        if (showsLogo) canvas.sprite(logo, x, channel.letterboxed ? 36 : 20, 1, 0.85);
        yield Buffer.from(canvas.rgb);
      }
    }
    done += item.seconds;
    onProgress?.(done, Math.max(done, seconds));
  }
}

async function* sounds(items: readonly Item[]): AsyncGenerator<Buffer> {
  for (const item of items) {
    const samples = soundOf(item);
    yield Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  }
}

/** A channel's logo, to be drawn into its corner. */
export function logoOf(channel: Channel): Promise<Picture> {
  const fill = art.hsl(channel.hue, 75, 55);
  switch (channel.logo) {
    case 'ring':
      return art.draw(
        30,
        30,
        `<circle cx="15" cy="15" r="11" fill="none" stroke="#fff" stroke-width="5"/><circle cx="15" cy="15" r="5" fill="${fill}"/>`,
      );
    case 'square':
      return art.draw(
        30,
        30,
        `<rect x="3" y="3" width="24" height="24" rx="5" fill="${fill}"/><path d="M9 21 15 8l6 13" stroke="#fff" stroke-width="4" fill="none"/>`,
      );
    case 'word':
      return art.plate(42, 18, '#0006', [{ text: channel.name, size: 13, fill: '#fff' }], 3);
  }
}
