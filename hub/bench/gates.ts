import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { readPlan } from '../rollouts/plan.js';
import { coverage } from './coverage.js';
import { PER_WINDOW, pairedRun, shiftRun, silentRun, WINDOWS, WORLD_WINDOWS, type WorldFleet, worldRun } from './gate-scenarios.js';
import { DWELL } from './peers.js';
import { tickTime } from './tick.js';

/**
 * `make bench-gates`: how often the gate errs, how fast it is, and the same through two gates as they are usually written.
 * RUNS= (1,000) and SEED=; two processes share the work, each run is a function of its seed.
 */
const RUNS = Number(process.env['RUNS'] ?? 1000);
const SEED = process.env['SEED'] ?? '1';
const PROCESSES = 2;
const FLEETS = [5, 20, 50] as const;
const CORRELATIONS = [0, 0.02, 0.1] as const;
const HARMS = [0.02, 0.05, 0.1] as const;
const WORLDS: readonly WorldFleet[] = [
  { devices: 20, weeks: 4, effectHours: 1 },
  { devices: 5, weeks: 4, effectHours: 1 },
  { devices: 3, weeks: 2, effectHours: 1 },
  { devices: 20, weeks: 4, effectHours: 6 },
];
const SHARES = [0.1, 0.2, 0.3] as const;
/** GATES.md: windows to an alarm at these shares, and p <= .01. */
const TABLE = ['24, 9, 5', '51, 13, 6', '107, 25, 11', '133, 37, –'] as const;
const PLAN = await readPlan(fileURLToPath(new URL('../../../configs/rollouts/standard.yaml', import.meta.url)));

interface Job {
  readonly kind: 'null' | 'margin' | 'delay' | 'world' | 'shift' | 'silent';
  readonly devices: number;
  readonly correlation: number;
  readonly difference: number;
}
const jobs: readonly Job[] = [
  ...FLEETS.flatMap((devices) =>
    CORRELATIONS.flatMap((correlation): Job[] => [
      { kind: 'null', devices, correlation, difference: 0 },
      { kind: 'margin', devices, correlation, difference: -PLAN.margin },
    ]),
  ),
  ...[0, 0.1].flatMap((correlation) => HARMS.map((harm): Job => ({ kind: 'delay', devices: 20, correlation, difference: -harm }))),
  ...WORLDS.map((_, i): Job => ({ kind: 'world', devices: i, correlation: 0, difference: 0 })),
  { kind: 'shift', devices: 20, correlation: 0.02, difference: 0 },
  { kind: 'silent', devices: 20, correlation: 0, difference: 0.03 },
];

function run(job: Job, i: number): unknown {
  const seed = `${SEED}/${JSON.stringify(job)}/${i}`;
  const fleet = {
    devices: job.devices,
    episodes: PER_WINDOW,
    disagreement: job.kind === 'delay' ? 0.12 : 0.1,
    difference: job.difference,
    correlation: job.correlation,
  };
  switch (job.kind) {
    case 'null':
    case 'margin':
      return pairedRun(PLAN, fleet, seed, true);
    case 'delay':
      return pairedRun(PLAN, fleet, seed, false);
    case 'world':
      return worldRun(WORLDS[job.devices] ?? { devices: 20, weeks: 4, effectHours: 1 }, PLAN.world.falseAlarmHours, SHARES, seed);
    case 'shift':
      return shiftRun(PLAN, seed);
    case 'silent':
      return silentRun(PLAN, seed);
  }
}

type Row = Record<string, unknown>;
const rate = (rows: readonly Row[], of: (row: Row) => boolean) => rows.filter(of).length / rows.length;
const median = (rows: readonly Row[], of: (row: Row) => unknown) => {
  const values = rows
    .map((row) => {
      const value = of(row);
      return typeof value === 'number' ? value : Number.POSITIVE_INFINITY;
    })
    .sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY;
};
const three = (value: number) => value.toFixed(3).replace(/^0/, '');
const episodes = (value: number) => (Number.isFinite(value) ? value.toLocaleString('en-US') : 'never');

// — the part that a child does: its share of each job's runs —

function runPart(part: number): void {
  for (const [j, job] of jobs.entries()) {
    const results: unknown[] = [];
    for (let i = part; i < RUNS; i += PROCESSES) results.push(run(job, i));
    process.send?.({ job: j, results });
  }
  process.disconnect?.();
}

async function main(): Promise<void> {
  const started = performance.now();
  const collected = jobs.map((): Record<string, unknown>[] => []);
  const finished = jobs.map(() => 0);
  const children = Array.from({ length: PROCESSES }, (_, part) => fork(fileURLToPath(import.meta.url), ['part', String(part)]));
  for (const child of children)
    child.on('message', ({ job, results }: { job: number; results: Record<string, unknown>[] }) => {
      collected[job]?.push(...results);
      finished[job] = (finished[job] ?? 0) + 1;
      if (finished[job] === PROCESSES)
        process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${JSON.stringify(jobs[job])}\n`);
    });
  for (const stop of ['SIGINT', 'SIGTERM'] as const)
    process.once(stop, () => {
      for (const child of children) child.kill();
    });
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  if (codes.some((code) => code !== 0)) throw new Error(`a part of the benchmark ended with ${codes.join(', ')}`);
  report(collected, (performance.now() - started) / 1000, await tickTime());
}

function report(collected: readonly Row[][], seconds: number, tick: { readonly ms: number; readonly closingMs: number }): void {
  const rows = (kind: Job['kind'], match: Partial<Job> = {}) =>
    jobs.flatMap((job, j) => (job.kind === kind && Object.entries(match).every(([key, value]) => job[key as keyof Job] === value) ? (collected[j] ?? []) : []));
  console.log(
    `${RUNS.toLocaleString('en-US')} runs a cell, seed ${SEED}, ${WINDOWS} windows with ${PER_WINDOW} labelled episodes a device, a look at each, ${DWELL} frames an episode; ${seconds.toFixed(0)} s\n`,
  );
  console.log('                  as good as production (10 % disagreement)           worse by the margin');
  console.log('devices  corr.    FAIL  SUSPEND   z-test     PSI                        PASS   z-test      PSI');
  for (const devices of FLEETS)
    for (const correlation of CORRELATIONS) {
      const [nothing, margin] = [rows('null', { devices, correlation }), rows('margin', { devices, correlation })];
      console.log(
        `${String(devices).padStart(7)}  ${three(correlation).padStart(5)}   ${three(rate(nothing, (r) => r['fail'] === true))}     ${three(rate(nothing, (r) => r['suspend'] === true))}     ${three(rate(nothing, (r) => r['z'] === 'rollback'))}    ${three(rate(nothing, (r) => r['psi'] === 'rollback'))}                        ${three(rate(margin, (r) => r['pass'] === true && !(r['fail'] === true && Number(r['failAt']) < Number(r['passAt']))))}     ${three(rate(margin, (r) => r['z'] === 'promote'))}     ${three(rate(margin, (r) => r['psi'] === 'promote'))}`,
      );
    }
  console.log('\nworse, 20 devices, 12 % disagreement: median episodes to SUSPEND or FAIL, to FAIL (share that failed at all)   GATES.md: to FAIL');
  for (const [correlation, golden] of [
    [0, ['4,480 (1.0)', '640', '320']],
    [0.1, ['– (.18)', '640 (.98)', '320']],
  ] as const)
    for (const [i, harm] of HARMS.entries()) {
      const delay = rows('delay', { correlation, difference: -harm });
      console.log(
        `  correlation ${three(correlation)}, −${100 * harm} points: ${episodes(median(delay, (r) => r['harmAt'])).padStart(7)}  ${episodes(median(delay, (r) => r['failAt'])).padStart(7)} (${three(rate(delay, (r) => r['fail'] === true))})   ${golden[i]}`,
      );
    }
  console.log(
    `\nWORLD detector, one false alarm in ${PLAN.world.falseAlarmHours} windows promised (${(1000 / PLAN.world.falseAlarmHours).toFixed(2)} per 1,000)`,
  );
  console.log('devices  weeks  effects    p ≤ .01   false alarms per 1,000 windows   windows to an alarm at 10, 20, 30 %   GATES.md');
  let [falseAlarms, windows, frozen] = [0, 0, 0];
  let worst = 0;
  WORLDS.forEach((world, i) => {
    const own = rows('world', { devices: i });
    const alarms = own.reduce((sum, r) => sum + Number(r['falseAlarms']), 0);
    falseAlarms += alarms;
    windows += own.length * WORLD_WINDOWS;
    frozen += own.reduce((sum, r) => sum + Number(r['frozen']), 0);
    worst = Math.max(worst, (1000 * alarms) / (own.length * WORLD_WINDOWS));
    const small = own.reduce((sum, r) => sum + Number(r['pSmall']), 0) / own.reduce((sum, r) => sum + Number(r['pAll']), 0);
    const delays = SHARES.map((share) => median(own, (r) => (r['delays'] as Record<string, unknown>)[String(share)]));
    console.log(
      `${String(world.devices).padStart(7)}  ${String(world.weeks).padStart(5)}  ${`${world.effectHours} h`.padStart(7)}    ${three(small).padStart(7)}   ${((1000 * alarms) / (own.length * WORLD_WINDOWS)).toFixed(3).padStart(30)}   ${delays
        .map((d) => (Number.isFinite(d) ? d : '–'))
        .join(', ')
        .padStart(35)}   ${TABLE[i]}`,
    );
  });
  console.log(`false alarms stood in ${((100 * frozen) / windows).toFixed(2)} % of the windows of unchanged worlds`);
  const [shift, silent] = [rows('shift'), rows('silent')];
  const share = (of: readonly Row[], key: string, value: unknown) => of.filter((r) => r[key] === value).length;
  console.log(
    `\nthe world changes under both arms (20 %, effects of 6 h): rollbacks ${share(shift, 'rollback', true)} of ${shift.length} (${share(shift, 'earlier', true)} more before the change), promoted after the alarm ${share(shift, 'promoted', true)}, WORLD after ${median(shift, (r) => r['worldAt'])} windows (median); z-test rolled back ${share(shift, 'z', 'rollback')}, PSI ${share(shift, 'psi', 'rollback')}`,
  );
  console.log(
    `a silent canary: promoted ${share(silent, 'promoted', true)} of ${silent.length}, all ${share(silent, 'reached', 1)} stopped in its stage; by the z-test ${share(silent, 'z', 'promote')}`,
  );
  console.log(
    `one tick, 10,000 devices, 10 slices, a week of hourly windows: ${tick.ms.toFixed(0)} ms; the tick that closes all 168 hours at once: ${tick.closingMs.toFixed(0)} ms`,
  );
  const held = coverage(2 * RUNS, SEED);
  console.log(
    `federated interval at 20 devices, correlation .1, nominal 95 %: holds the share in ${three(held.share)} of ${2 * RUNS} rounds, the difference in ${three(held.difference)}; the pooled (Wilson) interval in ${three(held.pooled)}`,
  );
  const cells = (kind: 'null' | 'margin', of: (row: Row) => boolean) =>
    Math.max(...FLEETS.flatMap((devices) => CORRELATIONS.map((correlation) => rate(rows(kind, { devices, correlation }), of))));
  const passed = (r: Row) => r['pass'] === true && !(r['fail'] === true && Number(r['failAt']) < Number(r['passAt']));
  console.log(
    JSON.stringify({
      bench: 'gates',
      runs: RUNS,
      false_rollback: cells('null', (r) => r['fail'] === true),
      false_promotion: cells('margin', passed),
      false_suspend: cells('null', (r) => r['suspend'] === true),
      world_rollbacks: share(shift, 'rollback', true),
      rollbacks_before_the_change: share(shift, 'earlier', true),
      false_world_per_1000_windows: Number(((1000 * falseAlarms) / windows).toFixed(4)),
      false_world_share_of_windows: Number((frozen / windows).toFixed(5)),
      false_world_worst_cell: Number(worst.toFixed(4)),
      silent_promotions: share(silent, 'promoted', true),
      delay: Object.fromEntries(HARMS.map((harm) => [String(100 * harm), median(rows('delay', { correlation: 0, difference: -harm }), (r) => r['failAt'])])),
      coverage: held,
      tick_ms: Math.round(tick.ms),
      tick_closing_week_ms: Math.round(tick.closingMs),
      peers: {
        z_test: {
          false_rollback: cells('null', (r) => r['z'] === 'rollback'),
          false_promotion: cells('margin', (r) => r['z'] === 'promote'),
          world_rollbacks: share(shift, 'z', 'rollback'),
          silent_promotions: share(silent, 'z', 'promote'),
        },
        psi: {
          false_rollback: cells('null', (r) => r['psi'] === 'rollback'),
          false_promotion: cells('margin', (r) => r['psi'] === 'promote'),
          world_rollbacks: share(shift, 'psi', 'rollback'),
        },
      },
      seconds: Math.round(seconds),
    }),
  );
}

if (process.argv[2] === 'part') runPart(Number(process.argv[3]));
else await main();
