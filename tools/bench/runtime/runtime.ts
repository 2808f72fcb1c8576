import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { addonRuntime } from '@adbreak/shared/tflite/addon.js';
import { byteLength } from '@adbreak/shared/tflite/interpreter.js';
import { litertRuntime } from '@adbreak/shared/tflite/litert.js';
import type { Interpreter, TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { median } from '@adbreak/trainer/inspect/compare.js';
import type { ArchitectureName } from '@adbreak/trainer/nn/architectures.js';
import { z } from 'zod';
import { int8File } from './models.js';

/**
 * `make bench-runtime`: the INT8 files of three networks on every runtime, in turns A B A B, one and two threads; the
 * median of each. Google's interpreter runs beside, in a Python process that waits between its turns.
 */
const ROUNDS = 5;
const MODELS: readonly ArchitectureName[] = [
  'efficientnet_lite0',
  'mobilenet_v3_small',
  'mobilenet_v3_large',
];
const python = process.env['PYTHON'];
if (python === undefined)
  throw new Error('PYTHON must name an interpreter with ai-edge-litert; `make bench-runtime` sets it');
const folder = mkdtempSync(join(tmpdir(), 'adbreak-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly threads: number;
  readonly runs: number;
  readonly times: number[];
  measure(runs: number): Promise<number[]>;
}

async function ours(
  runtime: TfliteRuntime,
  file: Uint8Array,
  threads: number,
  runs: number,
): Promise<Contender> {
  const interpreter: Interpreter = await runtime.open(file, { threads });
  const [spec] = interpreter.inputs;
  if (spec === undefined) throw new Error('the model has no input');
  const input = Uint8Array.from({ length: byteLength(spec) }, (_, i) => ((i * 7) % 256) ^ 128);
  return {
    name: runtime.name,
    threads,
    runs,
    times: [],
    measure: async (count) => {
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        const started = performance.now();
        await interpreter.invoke([input]);
        times.push(performance.now() - started);
      }
      return times;
    },
    [Symbol.asyncDispose]: async () => interpreter[Symbol.dispose](),
  };
}

function google(path: string, threads: number, runs: number): Contender {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    python ?? '',
    ['scripts/reference/latency.py', path, String(threads)],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const lines: Interface = createInterface({ input: child.stdout });
  return {
    name: 'python',
    threads,
    runs,
    times: [],
    measure: async (count) => {
      child.stdin.write(`${count}\n`);
      const [line]: unknown[] = await Promise.race([
        once(lines, 'line'),
        once(child, 'exit').then(() => Promise.reject(new Error('Python’s interpreter ended'))),
      ]);
      return z.array(z.number()).parse(JSON.parse(String(line)));
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
    },
  };
}

interface Row {
  readonly model: string;
  readonly threads: number;
  readonly addon_ms: number | null;
  readonly tflite_ms: number;
  readonly litert_ms: number;
  readonly python_ms: number;
}
const rows: Row[] = [];
console.log(
  `INT8, 224×224; ${ROUNDS} rounds in turns, medians in ms${' '.repeat(10)}addon   TFLite 2.9   LiteRT 2.3   LiteRT in Python`,
);
for (const architecture of MODELS) {
  const { file, weights } = await int8File(architecture);
  const path = join(folder, `${architecture}.tflite`);
  writeFileSync(path, file);
  for (const threads of [1, 2]) {
    const contenders = [
      ...(threads === 1 ? [await ours(addonRuntime(), file, 1, 6)] : []),
      await ours(tfliteRuntime(), file, threads, 30),
      await ours(litertRuntime(), file, threads, 60),
      google(path, threads, 60),
    ];
    for (const contender of contenders) await contender.measure(5);
    for (let round = 0; round < ROUNDS; round++)
      for (const contender of contenders) contender.times.push(...(await contender.measure(contender.runs)));
    const of = (name: string): number | null => {
      const found = contenders.find((contender) => contender.name === name);
      return found === undefined ? null : median(found.times);
    };
    for (const contender of contenders) await contender[Symbol.asyncDispose]();
    const row = {
      model: architecture,
      threads,
      addon_ms: of('addon'),
      tflite_ms: of('tflite') ?? 0,
      litert_ms: of('litert') ?? 0,
      python_ms: of('python') ?? 0,
    };
    rows.push(row);
    const ms = (value: number | null, width: number) =>
      (value === null ? '–' : value.toFixed(2)).padStart(width);
    console.log(
      `${`${architecture} (${weights})`.padEnd(36)} ${threads} thread${threads > 1 ? 's' : ' '}${ms(row.addon_ms, 9)}${ms(row.tflite_ms, 13)}${ms(row.litert_ms, 13)}${ms(row.python_ms, 19)}`,
    );
  }
}
const lite0 = rows.find(({ model, threads }) => model === 'efficientnet_lite0' && threads === 1);
if (lite0 === undefined) throw new Error('nothing was measured');
const ratio = (lite0.addon_ms ?? 0) / Math.min(lite0.tflite_ms, lite0.litert_ms);
const rounded = (value: number) => Math.round(value * 1000) / 1000;
console.log(
  JSON.stringify({
    bench: 'runtime',
    ratio: rounded(ratio),
    litert_ratio: rounded(lite0.litert_ms / lite0.python_ms),
    models: rows,
  }),
);
