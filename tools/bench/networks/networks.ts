import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { z } from 'zod';
import { rulesOn } from './rules.js';
import { renderStudy } from './study.js';

/**
 * `make bench-networks`: what each network is worth on channels that nobody trained on, with cached features
 * and fine-tuned, beside a colour histogram and comskip's rules. Everything is kept in .work, so that an
 * interrupted run goes on where it was. SEEDS= (3), SECONDS_EACH= (200) of each channel, ONLY= rows by name.
 */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const FOLDER = join(ROOT, '.work/bench-networks');
const CHANNELS = { train: 12, val: 5, test: 8 } as const;
const FPS = 2;
const interruption = onInterruption();

interface Row {
  readonly name: string;
  /** Trained with each of the seeds; else with one, for it takes too long. */
  readonly repeated: boolean;
  readonly set: readonly string[];
}
const network = (architecture: string) => `model.architecture=${architecture}`;
const SMALLER = 'model.input_shape=[160, 160, 3]';
const VIEWS = 'training.augmentation.views=1';
const NO_VIEWS = 'training.augmentation.views=0';
const tuned = (from: string, epochs: number) =>
  `training.fine_tuning={from: ${from}, epochs: ${epochs}, batch_size: 32, learning_rate: 0.0002}`;
/** Trained whole on this machine: a smaller picture, and a sample of them. */
const whole = (weights: string) => [
  ...[`model.weights=${weights}`, SMALLER, NO_VIEWS],
  ...['training.network.pictures=800', 'training.network.epochs=8'],
];
const ROWS: readonly Row[] = [
  { name: 'EfficientNet-Lite0, cached', repeated: true, set: [VIEWS] },
  {
    name: 'EfficientNet-Lite0, all of it tuned',
    repeated: true,
    set: [VIEWS, SMALLER, tuned('all', 1)],
  },
  {
    name: 'MobileNetV3-Small, distilled',
    repeated: true,
    set: [network('mobilenet_v3_small'), ...whole('distill')],
  },
  {
    name: 'MobileNetV3-Small, distilled, all of it tuned',
    repeated: false,
    set: [network('mobilenet_v3_small'), ...whole('distill'), VIEWS, tuned('all', 2)],
  },
  {
    name: 'MobileNetV3-Small, from scratch',
    repeated: false,
    set: [network('mobilenet_v3_small'), ...whole('scratch')],
  },
  {
    name: 'MobileNetV3-Large, distilled',
    repeated: false,
    set: [network('mobilenet_v3_large'), ...whole('distill')],
  },
  { name: 'EfficientNet-Lite0 at 160×160, cached', repeated: false, set: [VIEWS, SMALLER] },
  {
    name: 'EfficientNet-Lite0, tuned from blocks.14',
    repeated: false,
    set: [NO_VIEWS, tuned('blocks.14', 2)],
  },
];

const metrics = z.object({
  accuracy: z.number(),
  f1_score: z.number(),
  roc_auc: z.number(),
  calibration_error: z.number(),
});
const results = z.object({
  test_metrics: metrics,
  viewing: z.object({
    false_mutes_per_hour: z.number(),
    onset_delay_s: z.object({ median: z.number().nullable(), p90: z.number().nullable() }),
  }),
  baselines: z.record(z.string(), metrics),
});
type Results = z.infer<typeof results>;
interface Line {
  readonly name: string;
  readonly seed: number | null;
  readonly minutes: number;
  readonly accuracy: number;
  readonly f1: number;
  readonly auc: number | null;
  readonly ece: number | null;
  readonly falseMutesPerHour: number | null;
  readonly onset: number | null;
}

async function trained({ name, set }: Row, seed: number, data: string): Promise<[Line, Results]> {
  const output = join(FOLDER, `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${seed}`);
  const settings = [...set, `training.seed=${seed}`, `dataset.fps=${FPS}`];
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[join(ROOT, 'trainer/dist/main.js'), 'train', '--data', data, '--output', output],
      ...['--config', join(ROOT, 'configs/training/production-base.yaml')],
      ...['--cache', join(FOLDER, 'cache'), ...settings.flatMap((one) => ['--set', one])],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], signal: interruption.signal },
  );
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4000);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new AdbreakError('training_failed', `Cannot measure ${name}: ${words.trim()}`);
  const found = results.parse(JSON.parse(await readFile(join(output, 'training_results.json'), 'utf8')));
  const minutes = (performance.now() - started) / 60_000;
  return [{ name, seed, minutes, ...figuresOf(found) }, found];
}

function figuresOf({ test_metrics: test, viewing }: Results): Omit<Line, 'name' | 'seed' | 'minutes'> {
  return {
    accuracy: test.accuracy,
    f1: test.f1_score,
    auc: test.roc_auc,
    ece: test.calibration_error,
    falseMutesPerHour: viewing.false_mutes_per_hour,
    onset: viewing.onset_delay_s.median,
  };
}

function print(line: Line): void {
  const number = (value: number | null, digits: number) => (value === null ? '–' : value.toFixed(digits));
  const cells = [
    line.name,
    line.seed === null ? '–' : String(line.seed),
    ...[line.accuracy, line.f1, line.auc, line.ece].map((value) => number(value, 3)),
    number(line.falseMutesPerHour, 1),
    line.onset === null ? '–' : `${line.onset.toFixed(1)} s`,
    line.minutes === 0 ? '–' : line.minutes.toFixed(1),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

async function comskip(tests: readonly string[]): Promise<Line> {
  const folder = join(FOLDER, 'comskip');
  const { metrics: found, viewing } = await rulesOn(tests, folder, FPS, interruption.signal);
  return {
    ...{ name: 'black frames, logo, silence (comskip)', seed: null, minutes: 0 },
    ...{ accuracy: found.accuracy, f1: found.f1, auc: null, ece: null },
    falseMutesPerHour: viewing?.falseMutesPerHour ?? null,
    onset: viewing?.onset.median ?? null,
  };
}

function histogramOf({ baselines }: Results): Line | null {
  const baseline = baselines['colour histogram'];
  if (baseline === undefined) return null;
  return {
    ...{ name: 'colour histogram', seed: null, minutes: 0, falseMutesPerHour: null, onset: null },
    ...{ accuracy: baseline.accuracy, f1: baseline.f1_score, auc: baseline.roc_auc },
    ece: baseline.calibration_error,
  };
}

await runProgram(async () => {
  const seconds = Number(process.env['SECONDS_EACH'] || 200);
  const seeds = Number(process.env['SEEDS'] || 3);
  const only = process.env['ONLY'] ?? '';
  const data = join(FOLDER, `data-${seconds}`);
  await mkdir(FOLDER, { recursive: true });
  const say = (line: string) => console.error(line);
  const tests = await renderStudy(
    data,
    { channels: CHANNELS, seconds, seed: 'study' },
    say,
    interruption.signal,
  );
  console.log(
    '| network | seed | accuracy | F1 | AUC | ECE | false mutes an hour | onset, median | minutes |\n' +
      '|---|---|---|---|---|---|---|---|---|',
  );
  const lines: Line[] = [];
  const add = (line: Line | null) => {
    if (line === null) return;
    lines.push(line);
    print(line);
  };
  add(await comskip(tests));
  for (const row of ROWS.filter(({ name }) => name.includes(only)))
    for (let seed = 1; seed <= (row.repeated ? seeds : 1); seed++) {
      const [line, found] = await trained(row, seed, data);
      if (lines.length === 1) add(histogramOf(found));
      add(line);
    }
  console.log(JSON.stringify({ bench: 'networks', channels: CHANNELS, seconds_each: seconds, rows: lines }));
}, interruption);
