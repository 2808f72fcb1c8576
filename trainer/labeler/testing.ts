import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { LabelAction } from '@adbreak/shared/contract/labelling.js';

/** Ids of recordings that are nowhere. */
export const FIRST = '0123456789abcdef';
export const SECOND = 'fedcba9876543210';

export function paint(
  start: number,
  end: number,
  label: 'ad' | 'content' | null = 'ad',
  more: { recording?: string; how?: 'key' | 'play' | 'verdict' | 'import'; id?: string } = {},
): LabelAction & { kind: 'paint' } {
  return { kind: 'paint', id: randomUUID(), recording: FIRST, how: 'key', start, end, label, ...more };
}

/** Runs ffmpeg with its last argument as output. */
export function ffmpeg(...args: string[]): void {
  execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...args]);
}

/** Seconds of moving pictures that all differ, and a tone. */
export function broadcast(path: string, seconds: number, ...output: string[]): void {
  ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=s=160x90:r=25:d=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=f=440:r=48000:d=${seconds}`],
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-g',
      '50',
      '-bf',
      '2',
      '-c:a',
      'aac',
      ...output,
      `file:${path}`,
    ],
  );
}
