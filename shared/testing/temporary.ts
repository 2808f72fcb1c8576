import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runFfmpeg } from '../video/run-ffmpeg.js';

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is gone when the test process ends: agents and hubs of a test may still write while they close. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adbreak-test-'));
  folders.push(folder);
  return folder;
}

/** A real volume of `kilobytes`, to be filled: a tmpfs. Needs root, as CI has; without it the test fails and says so. */
export async function smallVolume(t: TestContext, kilobytes: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adbreak-volume-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder]);
  t.after(async () => {
    execFileSync('umount', ['-l', folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Draws a video with ffmpeg's own sources: each part `seconds` long in one grey level, 0..255. */
export function greyVideo(path: string, parts: readonly { level: number; seconds: number }[]): void {
  const inputs = parts.flatMap(({ level, seconds }) => [
    '-f',
    'lavfi',
    '-i',
    `color=c=0x${level.toString(16).padStart(2, '0').repeat(3)}:s=64x36:r=10:d=${seconds}`,
  ]);
  const graph = `${parts.map((_, i) => `[${i}:v]`).join('')}concat=n=${parts.length}:v=1:a=0`;
  execFileSync('ffmpeg', [
    '-hide_banner',
    '-loglevel',
    'error',
    '-y',
    ...inputs,
    '-filter_complex',
    graph,
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    `file:${path}`,
  ]);
}

/** Plays a video several times in a row, without encoding it again. */
export function loopVideo(from: string, to: string, times: number, signal?: AbortSignal): Promise<void> {
  const args = ['-stream_loop', String(times - 1), '-i', `file:${from}`, '-c', 'copy', `file:${to}`];
  return runFfmpeg({ args, output: to }, signal);
}
