import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { GROUPS } from './cell.js';
import { CELLS } from './cells.js';
import { Kept, type Part } from './kept.js';
import { report } from './report.js';

/**
 * `make bench-gates`: how often the gate errs, how fast it is, and the same through two gates as they are usually written.
 * RUNS= (1,000) and SEED=; ONLY= names groups of cells. Two processes share the work, each run is a function of its seed.
 * What was interrupted goes on where it was (kept.ts). Ends with 1 where a promise is broken.
 */
const PROCESSES = 2;
const RUNS = numberFrom('RUNS', 1000);
const SEED = process.env['SEED'] ?? '1';
const ONLY = (process.env['ONLY'] ?? '').split(',').filter((name) => name !== '');
const cells = CELLS.filter(({ group }) => ONLY.length === 0 || ONLY.includes(group));

function numberFrom(name: string, usual: number): number {
  const value = Number(process.env[name] ?? usual);
  if (Number.isInteger(value) && value >= PROCESSES) return value;
  throw new RangeError(
    `Cannot run the benchmark: ${name} must be a whole number from ${PROCESSES}: current value is ${process.env[name]}`,
  );
}

const keyOf = ({ group, name, difference }: (typeof cells)[number]) => `${group}/${name}/${difference}`;

/** A child's share of each cell's runs; `known` cells were done before an interruption. */
function runPart(part: number, known: ReadonlySet<string>): void {
  for (const cell of cells) {
    if (known.has(keyOf(cell))) continue;
    const before = process.cpuUsage().user;
    const results: Part['results'] = [];
    for (let i = part; i < Math.max(PROCESSES, (cell.share ?? 1) * RUNS); i += PROCESSES)
      results.push(cell.run(`${SEED}/${keyOf(cell)}/${i}`));
    const done: Part = {
      cell: keyOf(cell),
      part,
      results,
      seconds: (process.cpuUsage().user - before) / 1e6,
    };
    process.send?.(done);
  }
  process.disconnect?.();
}

async function main(): Promise<void> {
  const unknown = ONLY.filter((name) => !GROUPS.some((group) => group === name));
  if (unknown.length > 0)
    throw new RangeError(
      `Cannot run the benchmark: ONLY may name ${GROUPS.join(', ')}: current value is ${unknown.join(', ')}`,
    );
  const started = performance.now();
  const kept = await Kept.open({ runs: RUNS, seed: SEED });
  const known = kept.parts.filter(({ cell }) => cells.some((one) => keyOf(one) === cell));
  if (known.length > 0)
    process.stderr.write(
      `${known.length} of ${PROCESSES * cells.length} parts are known from a run that was interrupted; to begin anew delete ${kept.file}\n`,
    );
  const collected = new Map(
    cells.map((cell) => [keyOf(cell), known.filter((part) => part.cell === keyOf(cell))]),
  );
  const children = Array.from({ length: PROCESSES }, (_, part) => {
    const child = fork(fileURLToPath(import.meta.url), ['part', String(part)]);
    child.send(known.filter((one) => one.part === part).map(({ cell }) => cell));
    return child;
  });
  for (const child of children)
    child.on('message', (done: Part) => {
      kept.keep(done);
      const [own, c] = [collected.get(done.cell), cells.findIndex((one) => keyOf(one) === done.cell)];
      const what = cells[c];
      if (own === undefined || what === undefined) return;
      own.push(done);
      if (own.length < PROCESSES) return;
      const passed = ((performance.now() - started) / 1000).toFixed(0).padStart(5);
      const [seconds, runs] = own.reduce(([s, n], one) => [s + one.seconds, n + one.results.length], [0, 0]);
      process.stderr.write(
        `${passed} s  ${c + 1}/${cells.length} ${what.group}: ${what.name}, Δ ${what.difference} (${((1000 * seconds) / runs).toFixed(0)} ms a run)\n`,
      );
    });
  for (const stop of ['SIGINT', 'SIGTERM'] as const)
    process.once(stop, () => {
      for (const child of children) child.kill();
      process.exitCode = 130;
    });
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  if (process.exitCode === 130) return;
  if (codes.some((code) => code !== 0))
    throw new Error(`a part of the benchmark ended with ${codes.join(', ')}`);
  const found = cells.map((cell) => ({
    cell,
    results: (collected.get(keyOf(cell)) ?? []).flatMap(({ results }) => results),
  }));
  const broken = await report(found, {
    runs: RUNS,
    seed: SEED,
    whole: ONLY.length === 0,
    seconds: (performance.now() - started) / 1000,
    resumed: known.length,
  });
  await kept.end();
  if (broken > 0) process.exitCode = 1;
}

if (process.argv[2] === 'part')
  process.once('message', (known: string[]) => {
    // Node 20 cannot close the channel while it delivers a message.
    setImmediate(runPart, Number(process.argv[3]), new Set(known));
  });
else await main();
