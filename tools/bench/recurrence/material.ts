import { createHash } from 'node:crypto';
import { link, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exists, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { clockOf, type Distortion, distort, endingOf } from './distort.js';
import { renderRecording } from './render.js';
import { type Filed, frameTimes, type Truth, truthOf } from './truth.js';
import { type WorldRequest, world } from './world/world.js';

/** Counts what the rendering changes in pictures or sound of the same schedule. */
const RENDERING = 2;

export interface Material {
  readonly folder: string;
  /** Paths, in order. */
  readonly files: readonly string[];
  readonly truth: Truth;
}

export interface MaterialRequest {
  readonly world: WorldRequest;
  readonly distortion: Distortion | null;
  /** Where it is kept: what is there already is not made again. */
  readonly cache: string;
  readonly say: (line: string) => void;
}

/** Renders the recordings of a world, distorts them if wanted, and says what is on in them. */
export async function makeMaterial(request: MaterialRequest, signal?: AbortSignal): Promise<Material> {
  const { cache, distortion, say } = request;
  const recordings = world(request.world);
  const key = createHash('sha256')
    .update(JSON.stringify([RENDERING, recordings]))
    .digest('hex')
    .slice(0, 12);
  const plain = join(cache, `${request.world.seed}-${key}`);
  await mkdir(plain, { recursive: true });
  const filed: Filed[] = [];
  for (const recording of recordings) {
    const output = join(plain, `${recording.name}.mkv`);
    if (!(await exists(output))) {
      say(`rendering ${output}`);
      await renderRecording(recording, output, signal);
    }
    const frames = await frameTimes(output, signal);
    filed.push({ file: basename(output), recording, rendered: frames, clock: (at) => at, frames });
  }
  if (distortion === null) return withTruth(plain, filed);
  return distorted({ plain, distortion, filed, say }, signal);
}

interface Distorting {
  /** The folder of the recordings as they were rendered. */
  readonly plain: string;
  readonly distortion: Distortion;
  readonly filed: readonly Filed[];
  readonly say: (line: string) => void;
}

async function distorted(
  { plain, distortion, filed, say }: Distorting,
  signal?: AbortSignal,
): Promise<Material> {
  const folder = join(plain, distortion);
  await mkdir(folder, { recursive: true });
  const done: Filed[] = [];
  for (const [index, { file, recording, rendered }] of filed.entries()) {
    const output = join(folder, `${recording.name}.${endingOf(distortion, index)}`);
    if (!(await exists(output))) {
      say(`distorting ${output}`);
      const input = join(plain, file);
      await wholeOrNothing(output, (part) =>
        distort({ name: distortion, index, input, output: part }, signal),
      );
    }
    const frames = await frameTimes(output, signal);
    done.push({ file: basename(output), recording, rendered, clock: clockOf(distortion, index), frames });
  }
  return withTruth(folder, done);
}

async function wholeOrNothing(output: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${output}.part`;
  try {
    await write(part);
    await rename(part, output);
  } finally {
    await rm(part, { force: true });
  }
}

async function withTruth(folder: string, filed: readonly Filed[]): Promise<Material> {
  const truth = truthOf(filed);
  await writeAtomic(join(folder, 'truth.json'), `${JSON.stringify(truth, null, 1)}\n`);
  return { folder, files: filed.map(({ file: name }) => join(folder, name)), truth };
}

/** Puts the recordings and the truth where a person wants them, without a copy of their bytes. */
export async function handOut({ files, folder }: Material, output: string): Promise<void> {
  await mkdir(output, { recursive: true });
  for (const path of [...files, join(folder, 'truth.json')]) {
    const target = join(output, basename(path));
    await rm(target, { force: true });
    await link(path, target);
  }
}
