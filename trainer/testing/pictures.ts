import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { seeded } from '@adbreak/shared/random.js';
import type { Label, Span } from '@adbreak/shared/video/labels.js';
import sharp, { type Sharp } from 'sharp';

/** A picture of soft blots that no other seed gives, and nothing near it. */
export function scenePicture(seed: string | number, width = 160, height = 90): Sharp {
  const random = seeded(`picture/${seed}`);
  const blots = { width: 7, height: 6, channels: 3 } as const;
  const raw = Uint8Array.from({ length: blots.width * blots.height * 3 }, () => random.integer(256));
  return sharp(raw, { raw: blots }).resize(width, height, { fit: 'fill', kernel: 'cubic' });
}

/** Pictures `ad/NAME-I.jpg` and `content/NAME-I.jpg`; their names tell nothing of what belongs together. */
export async function writeScenes(folder: string, counts: { ad: number; content: number }): Promise<void> {
  for (const label of ['ad', 'content'] as const)
    for (let i = 0; i < counts[label]; i++)
      await savePicture(`${folder}/${label}/frame_${i}.jpg`, `${label} ${i}`);
}

/** The same with reddish advertisements and a bluish programme, which any network learns to tell apart. */
export async function writeTinted(folder: string, counts: { ad: number; content: number }): Promise<void> {
  const tints = { ad: [1, 0.3, 0.3], content: [0.3, 0.3, 1] } as const;
  for (const label of ['ad', 'content'] as const)
    for (let i = 0; i < counts[label]; i++) {
      const path = `${folder}/${label}/frame_${i}.jpg`;
      await mkdir(dirname(path), { recursive: true });
      const picture = scenePicture(`${label} ${i}`).linear([...tints[label]], [20, 20, 20]);
      await picture.jpeg({ quality: 90 }).toFile(path);
    }
}

export async function savePicture(path: string, seed: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await scenePicture(seed).jpeg({ quality: 90 }).toFile(path);
}

/** A recording of scenes, each a still of so many seconds, by the real ffmpeg; with its labels. */
export async function sceneVideo(
  path: string,
  scenes: readonly { readonly seed: string; readonly seconds: number; readonly label: Label }[],
): Promise<Span[]> {
  const [width, height, rate] = [160, 90, 4];
  const frames: Buffer[] = [];
  for (const { seed, seconds } of scenes) {
    const picture = await scenePicture(seed, width, height).raw().toBuffer();
    frames.push(...Array<Buffer>(seconds * rate).fill(picture));
  }
  const raw = [
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-s',
    `${width}x${height}`,
    '-r',
    String(rate),
    '-i',
    'pipe:0',
  ];
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', path];
  await mkdir(dirname(path), { recursive: true });
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...raw, ...encoder], { input: Buffer.concat(frames) });
  let start = 0;
  return scenes.map(({ seconds, label }) => {
    const span = { start, end: start + seconds, label };
    start += seconds;
    return span;
  });
}
