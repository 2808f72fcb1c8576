import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, manifest } from '@adbreak/shared/contract/manifest.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { until } from '@adbreak/shared/testing/until.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { MAIN } from './datasets.js';
import { sceneVideo } from './pictures.js';

/** A network that is trained in a second, on pictures of 32 × 32, two for each second of a recording. */
export const SMALL = ['--weights', 'scratch', '--set', 'model.input_shape=[32, 32, 3]'] as const;

/** Recordings `train|val|test/one.mkv` with labels: four scenes of five seconds, content and ad in turn. */
export async function recordedData(folder: string): Promise<string> {
  for (const split of ['train', 'val', 'test']) {
    const scenes = ['a', 'b', 'c', 'd'].map((name, i) => ({
      ...{ seed: `${split} ${name}`, seconds: 5 },
      label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
    }));
    await mkdir(join(folder, split), { recursive: true });
    const spans = await sceneVideo(join(folder, split, 'one.mkv'), scenes);
    await writeFile(join(folder, split, 'one.csv'), formatLabels(spans));
  }
  return folder;
}

/** `adbreak …` of the trainer, to its end. */
export function adbreak(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
}

export async function modelDigest(folder: string): Promise<string> {
  return sha256(await readFile(join(folder, 'model.tflite')));
}

export async function manifestIn(folder: string): Promise<Manifest> {
  return manifest.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
}

/** A command under way, in a process group of its own as a terminal's. */
export class Running {
  readonly #child;
  readonly #closed;
  said = '';
  complained = '';

  constructor(...args: readonly string[]) {
    this.#child = spawn(process.execPath, [MAIN, ...args], { detached: true });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complained += text;
    });
    this.#closed = once(this.#child, 'close');
  }

  /** Waits for words; false where the command has come to its end without them. */
  async reaches(words: RegExp): Promise<boolean> {
    const isOver = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await until(`${words} in ${this.said}${this.complained}`, () => words.test(this.said) || isOver(), 120);
    return words.test(this.said);
  }

  /** Its exit code, or the signal that ended it. */
  async end(): Promise<number | NodeJS.Signals> {
    const [code, signal] = await this.#closed;
    return code ?? signal;
  }

  /** Sends a signal to all of its group, also where it is over by then, and waits for the end. */
  async stop(signal: NodeJS.Signals): Promise<{ end: number | NodeJS.Signals; milliseconds: number }> {
    const sent = performance.now();
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
    } catch {
      // The last of the group has ended.
    }
    const end = await this.end();
    return { end, milliseconds: performance.now() - sent };
  }
}
