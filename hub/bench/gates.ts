import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CELLS, GROUPS, type Result } from './gate-cells.js';
import { report } from './gate-report.js';

/**
 * `make bench-gates`: how often the gate errs, how fast it is, and the same through two gates as they are usually written.
 * RUNS= (1,000) and SEED=; ONLY= names groups of cells. Two processes share the work, each run is a function of its seed.
 * Ends with 1 where a promise is broken.
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

/** A child's share of each cell's runs. */
function runPart(part: number): void {
  for (const [c, { group, name, difference, share = 1, run }] of cells.entries()) {
    const before = process.cpuUsage().user;
    const results: Result[] = [];
    for (let i = part; i < Math.max(PROCESSES, share * RUNS); i += PROCESSES)
      results.push(run(`${SEED}/${group}/${name}/${difference}/${i}`));
    process.send?.({ cell: c, results, seconds: (process.cpuUsage().user - before) / 1e6 });
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
  const collected = cells.map((): { results: Result[]; parts: number; seconds: number } => ({
    results: [],
    parts: 0,
    seconds: 0,
  }));
  const children = Array.from({ length: PROCESSES }, (_, part) =>
    fork(fileURLToPath(import.meta.url), ['part', String(part)]),
  );
  for (const child of children)
    child.on(
      'message',
      ({ cell, results, seconds }: { cell: number; results: Result[]; seconds: number }) => {
        const [own, what] = [collected[cell], cells[cell]];
        if (own === undefined || what === undefined) return;
        own.results.push(...results);
        own.parts += 1;
        own.seconds += seconds;
        if (own.parts < PROCESSES) return;
        const passed = ((performance.now() - started) / 1000).toFixed(0).padStart(5);
        process.stderr.write(
          `${passed} s  ${cell + 1}/${cells.length} ${what.group}: ${what.name}, Δ ${what.difference} (${((1000 * own.seconds) / own.results.length).toFixed(0)} ms a run)\n`,
        );
      },
    );
  for (const stop of ['SIGINT', 'SIGTERM'] as const)
    process.once(stop, () => {
      for (const child of children) child.kill();
      process.exitCode = 130;
    });
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  if (process.exitCode === 130) return;
  if (codes.some((code) => code !== 0))
    throw new Error(`a part of the benchmark ended with ${codes.join(', ')}`);
  const found = cells.map((cell, c) => ({ cell, results: collected[c]?.results ?? [] }));
  const broken = await report(found, {
    runs: RUNS,
    seed: SEED,
    whole: ONLY.length === 0,
    seconds: (performance.now() - started) / 1000,
  });
  if (broken > 0) process.exitCode = 1;
}

if (process.argv[2] === 'part') runPart(Number(process.argv[3]));
else await main();
