import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';

const DETECT = fileURLToPath(new URL('../detect.js', import.meta.url));

/** Levels of grey that the tiny model calls programme and advertisement. */
export const PROGRAMME = 30;
export const AD = 220;

/** A folder with the tiny model in `model/`. */
export async function folderWithModel(
  edit: (release: { file: Uint8Array; manifest: Manifest }) => Promise<Manifest> = async ({ manifest }) =>
    manifest,
): Promise<{ folder: string; model: string }> {
  const folder = await temporaryFolder();
  const model = join(folder, 'model');
  const release = tinyRelease('1.0.0');
  await mkdir(model);
  await writeFile(join(model, 'model.tflite'), release.file);
  await writeFile(join(model, 'manifest.json'), JSON.stringify(await edit(release)));
  return { folder, model };
}

/** Programme, an advertisement, programme: 20 s each; a key frame a second, about as broadcasts have them. */
export function breakVideo(path: string): void {
  const plain = `${path}.plain.mkv`;
  greyVideo(plain, [
    { level: PROGRAMME, seconds: 20 },
    { level: AD, seconds: 20 },
    { level: PROGRAMME, seconds: 20 },
  ]);
  ffmpeg(['-i', plain, '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '10', path]);
  rmSync(plain);
}

/** ffmpeg, or ffprobe, without its chatter; gives what it prints. */
export function ffmpeg(args: readonly string[], program = 'ffmpeg'): string {
  const quiet = program === 'ffmpeg' ? ['-hide_banner', '-loglevel', 'error', '-y'] : ['-v', 'error'];
  return execFileSync(program, [...quiet, ...args], { encoding: 'utf8' });
}

export function durationOf(path: string): number {
  return Number(ffmpeg(['-show_entries', 'format=duration', '-of', 'csv=p=0', path], 'ffprobe'));
}

/** A PATH on which ffmpeg reads so many seconds of media a second: its work can be met in the middle. */
export async function slowPath(folder: string, rate: number): Promise<string> {
  const real = execFileSync('which', ['ffmpeg'], { encoding: 'utf8' }).trim();
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'ffmpeg'), `#!/bin/sh\nexec ${real} -readrate ${rate} "$@"\n`);
  await chmod(join(bin, 'ffmpeg'), 0o755);
  return `${bin}${delimiter}${process.env['PATH']}`;
}

/** Whether an ffmpeg is at work on this file (proc(5)). */
export async function isRead(path: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.some((line) => /^[^\0]*ffmpeg\0/.test(line) && line.includes(path));
}

/** Starts `adbreak detect` in a process group of its own, as a terminal does. */
export function startDetect(args: readonly string[], variables: Record<string, string> = {}) {
  const env = { ...process.env, ADBREAK_MODELS: '/nowhere', ...variables };
  const child = spawn(process.execPath, [DETECT, ...args], { env, detached: true });
  const words = { out: '', error: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    words.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words.error += text;
  });
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, ...words }));
  return { ended, interrupt: () => process.kill(-(child.pid ?? 0), 'SIGINT') };
}

export function detect(...args: string[]) {
  return startDetect(args).ended;
}
