import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { parseLabels } from '@adbreak/shared/video/labels.js';
import { z } from 'zod';
import { type Interlaced, measureInterlaced } from './interlaced.js';
import { actedOn, added, breaksOf, type Measures, measure, quantile } from './measures.js';

/**
 * `make bench-detect`: where `adbreak detect` finds breaks in hindsight, beside what a device decides live,
 * on synthetic broadcasts that no model was trained on; and how fast it reads a recording of 1080i, beside
 * ffmpeg's decoder alone. SECONDS_EACH= (1,800) of each channel, SECONDS_1080I= (120), SEED=, MODEL= (the
 * kept one).
 */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const CHANNELS = ['one', 'arena', 'kino'] as const;
/** `DEFAULT_DECIDER` of the edge: when a device acts. */
const SURE = { enter: 0.8, leave: 0.2 } as const;
const WAYS = ['a device acts', 'a device dates it', 'hindsight'] as const;
type Way = (typeof WAYS)[number];

const run = promisify(execFile);
const interruption = onInterruption();
const detected = z.object({
  segments: z.array(z.object({ start: z.number(), end: z.number(), label: z.string() })),
});

async function node(file: string, args: readonly string[]): Promise<string> {
  const { signal } = interruption;
  return (await run(process.execPath, [join(ROOT, file), ...args], { signal, maxBuffer: 1 << 24 })).stdout;
}

async function broadcast(folder: string, channel: string, seconds: string, seed: string): Promise<string> {
  const stem = join(folder, `${channel}-${seconds}-${seed}`);
  const request = ['--channel', channel, '--seconds', seconds, '--seed', `bench/${seed}`, '--output', stem];
  if (!(await exists(`${stem}.csv`)))
    await node('trainer/dist/main.js', ['dataset', 'broadcast', ...request]);
  return stem;
}

/** Which model `adbreak detect` takes. */
const model = process.env['MODEL'] ? ['--model', process.env['MODEL']] : [];

async function measureChannel(stem: string): Promise<Record<Way, Measures>> {
  const truth = parseLabels(await readFile(`${stem}.csv`, 'utf8'));
  const seconds = truth.at(-1)?.end ?? 0;
  const look = async (decision: string) => {
    const args = ['--json', '--frames', '--overwrite', '--decision', decision, ...model];
    const out = await node('edge/dist/detect.js', [`${stem}.mkv`, ...args]);
    return breaksOf(detected.parse(JSON.parse(out)).segments);
  };
  const hindsight = await look('hindsight');
  const dated = await look('live');
  const rows = (await readFile(`${stem}.frames.csv`, 'utf8')).trim().split('\n').slice(1);
  const frames = rows.map((row) => {
    const [time = 0, , posterior = 0] = row.split(',').map(Number);
    return { time, posterior };
  });
  const of = (found: Parameters<typeof measure>[1]) => measure(breaksOf(truth), found, seconds);
  return {
    'a device acts': of(actedOn(frames, { ...SURE, end: seconds })),
    'a device dates it': of(dated),
    hindsight: of(hindsight),
  };
}

function row(channel: string, way: Way, all: Measures): string {
  const hours = all.seconds / 3600;
  const edge = (values: readonly number[]) => {
    const sizes = values.map(Math.abs);
    return `${quantile(sizes, 0.5).toFixed(2)} · ${quantile(sizes, 0.9).toFixed(2)} s`;
  };
  const cells = [
    channel,
    way,
    `${((100 * all.right) / all.seconds).toFixed(2)} %`,
    edge(all.onsets),
    edge(all.ends),
    `${all.missed} of ${all.breaks}`,
    (all.falseMutes / hours).toFixed(1),
    `${(all.muted / hours).toFixed(0)} s`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function say(line: string): void {
  console.error(line);
}

function interlaced(folder: string, stem: string): Promise<Interlaced> {
  const seconds = Number(process.env['SECONDS_1080I'] || '120');
  return measureInterlaced({
    source: `${stem}.mkv`,
    output: join(folder, `1080i-${seconds}.ts`),
    seconds,
    detect: (path) => [process.execPath, join(ROOT, 'edge/dist/detect.js'), path, '--json', ...model],
    say,
    signal: interruption.signal,
  });
}

await runProgram(async () => {
  const folder = join(ROOT, '.work/bench-detect');
  await mkdir(folder, { recursive: true });
  const results = new Map<string, Record<Way, Measures>>();
  const [each, seed] = [process.env['SECONDS_EACH'] || '1800', process.env['SEED'] || '1'];
  for (const channel of CHANNELS) {
    say(`${channel}: ${each} s of broadcast, looked at twice`);
    const stem = await broadcast(folder, channel, each, seed);
    results.set(channel, await measureChannel(stem));
  }
  const of = (way: Way) => added([...results.values()].map((one) => one[way]));
  results.set('all', {
    'a device acts': of('a device acts'),
    'a device dates it': of('a device dates it'),
    hindsight: of('hindsight'),
  });
  console.log(
    '| channel | decision | time right | onset off: median · p90 | end off: median · p90 | missed | false mutes an hour | programme muted an hour |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const [channel, ways] of results) for (const way of WAYS) console.log(row(channel, way, ways[way]));
  const recording = await interlaced(folder, await broadcast(folder, CHANNELS[0], each, seed));
  const right = (way: Way) => of(way).right / of(way).seconds;
  const [acts, dates, hindsight] = WAYS.map(right);
  console.log(
    JSON.stringify(
      { bench: 'detect', right: { acts, dates, hindsight }, recording_1080i: recording },
      (_, value) => (typeof value === 'number' ? Math.round(value * 1000) / 1000 : value),
    ),
  );
}, interruption);
