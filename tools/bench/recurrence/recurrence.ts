import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { z } from 'zod';
import { DISTORTION_NAMES, type Distortion, distortionOf } from './distort.js';
import { type Material, makeMaterial } from './material.js';
import { measureReal } from './real.js';
import { decoding, type Scanned, scan } from './scan.js';
import { added, type Score, score, told } from './score/score.js';

/**
 * `make bench-recurrence`: `adbreak recurrence scan` on broadcasts whose every airing is known. SEEDS= (b1,b2,b3; those
 * that begin with t are for tuning), MINUTES= (40) of each of CHANNELS= (2) in RECORDINGS= (2) of each; ONLY= names of
 * distortions, `none` and `real`; SCAN= the command that is asked.
 */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const CACHE = join(ROOT, '.work/bench-recurrence');
const { env } = process;
const SCAN = (env['SCAN'] || `${process.execPath} ${join(ROOT, 'edge/dist/recurrence.js')} scan`).split(' ');
const SEEDS = (env['SEEDS'] || 'b1,b2,b3').split(',');
const SIZE = {
  minutes: Number(env['MINUTES'] || 40),
  channels: Number(env['CHANNELS'] || 2),
  recordings: Number(env['RECORDINGS'] || 2),
};
/** Each distortion costs a rendering and a scan: it is measured on the first seed. */
const ONLY = env['ONLY']?.split(',') ?? ['none', ...DISTORTION_NAMES, 'real'];
const interruption = onInterruption();
const { signal } = interruption;
const say = (line: string) => console.error(line);

interface Measured {
  readonly score: Score;
  readonly hours: number;
  readonly scanned: Scanned;
  readonly decode: number;
}

async function measure(seed: string, distortion: Distortion | null): Promise<Measured> {
  const material = await makeMaterial({ world: { seed, ...SIZE }, distortion, cache: CACHE, say }, signal);
  const hours = material.truth.recordings.reduce((sum, { duration }) => sum + duration, 0) / 3600;
  const name = `${seed}${distortion === null ? '' : ` ${distortion}`}`;
  say(`${name}: scanning ${hours.toFixed(2)} h in ${material.files.length} recordings`);
  const scanned = await scan(SCAN, material.files, signal);
  const result = score(scanned.found, material.truth);
  await keep(name, material, scanned, result);
  const { byAirings, confusion, verdicts } = result;
  say(
    `${name}: ${JSON.stringify({ ...told(result), wall_s: scanned.wall, own_s: scanned.own, byAirings, verdicts })}`,
  );
  say(`${name}: true class to said class ${JSON.stringify(confusion)}`);
  const decode = distortion === null ? await decoding(material.files, signal) : 0;
  return { score: result, hours, scanned, decode };
}

/** What was found, and what was wrong with it, for a person who wants to know why. */
async function keep(
  name: string,
  { folder, truth }: Material,
  scanned: Scanned,
  result: Score,
): Promise<void> {
  const results = join(CACHE, 'results');
  await mkdir(results, { recursive: true });
  const { wrong, missed } = result;
  const all = { folder, wrong, missed, found: scanned.found, truth };
  await writeFile(join(results, `${name.replace(' ', '-')}.json`), JSON.stringify(all, null, 1));
}

const monthSchema = z.object({ month_mb: z.number(), core_share: z.number() });
/** What a memory that is full of a month takes, and a core's share beside it: a process of its own, so that nothing else counts. */
async function month(): Promise<z.infer<typeof monthSchema>> {
  const program = join(ROOT, 'tools/dist/bench/recurrence/month.js');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program], {
    signal,
    maxBuffer: 1 << 20,
  });
  return parseJson(monthSchema, stdout.trim(), 1 << 16, 'what the month prints');
}

function figures(all: readonly Measured[]) {
  const sum = (of: (one: Measured) => number) => all.reduce((total, one) => total + of(one), 0);
  const together = all.map((one) => one.score).reduce(added);
  const hours = sum((one) => one.hours);
  return {
    ...told(together),
    by_airings: Object.fromEntries(
      Object.entries(together.byAirings).map(([bucket, { promised, found }]) => [
        bucket,
        { airings: promised, recall: promised === 0 ? null : found / promised },
      ]),
    ),
    confusion: together.confusion,
    hour_s: sum((one) => one.scanned.own) / hours,
    hour_wall_s: sum((one) => one.scanned.wall) / hours,
    hour_decode_s: sum((one) => one.decode) / hours,
    peak_mb: Math.max(...all.map((one) => one.scanned.peakMb)),
  };
}

async function distorted() {
  const rows: Record<string, object> = {};
  const [seed = 'b1'] = SEEDS;
  for (const name of ONLY.filter((one) => one !== 'none' && one !== 'real')) {
    const { score: one } = await measure(seed, distortionOf(name));
    const { precision, recall, border_frames_p50, border_frames_p95 } = told(one);
    rows[name] = { precision, recall, border_frames_p50, border_frames_p95 };
  }
  return rows;
}

await runProgram(async () => {
  const plain: Measured[] = [];
  if (ONLY.includes('none')) for (const seed of SEEDS) plain.push(await measure(seed, null));
  const rows = await distorted();
  const real = ONLY.includes('real') ? await measureReal({ command: SCAN, root: ROOT, say }, signal) : null;
  const { month_mb, core_share } = await month();
  const result = {
    bench: 'recurrence',
    ...(plain.length > 0 && figures(plain)),
    month_mb,
    core_share,
    distorted: rows,
    real,
  };
  const short = (_: string, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 1e4) / 1e4 : value;
  console.log(JSON.stringify(result, short));
}, interruption);
