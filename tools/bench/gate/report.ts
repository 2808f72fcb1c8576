import { tickTime } from '../ingest/tick.js';
import { type Cell, type Group, PLAN, type Result } from './cell.js';
import { coverage } from './coverage.js';
import { DWELL } from './peers.js';
import { PER_WINDOW, WINDOWS, WORLD_WINDOWS } from './scenarios.js';
import { SHARES, WORLDS } from './world-cells.js';

/** What `make bench-gates` prints: a table for each group, every promise that was broken, one line of JSON. */

export interface CellResult {
  readonly cell: Cell;
  readonly results: readonly Result[];
}
interface Effort {
  readonly runs: number;
  readonly seed: string;
  /** All groups were run: what a part of them cannot say is left out. */
  readonly whole: boolean;
  readonly seconds: number;
  /** Halves of cells that an interrupted run had left. */
  readonly resumed: number;
}

// — reading results —

const reached = (result: Result, key: string) =>
  key in result ? result[key] !== null && result[key] !== false : false;
const rate = ({ results }: CellResult, key: string) =>
  results.filter((one) => reached(one, key)).length / Math.max(1, results.length);
const equal = ({ results }: CellResult, key: string, value: unknown) =>
  results.filter((one) => one[key] === value).length / Math.max(1, results.length);
/** Median of those that got there. */
function medianOf(values: readonly unknown[]): number {
  const sorted = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
function markOf({ results }: CellResult, key: string, field: 'episodes' | 'window' | 'answers'): number {
  return medianOf(results.map((one) => (one[key] as Record<string, unknown> | null)?.[field]));
}
const most = (values: readonly number[]) => Math.max(0, ...values);

// — words —

const three = (value: number) => value.toFixed(3).replace(/^0/, '');
const share = (value: number) => three(value).padStart(6);
const whole = (value: number) =>
  (Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–').padStart(8);
const delta = (difference: number) =>
  `${difference > 0 ? '+' : ''}${Number((100 * difference).toFixed(1))}`.padStart(4);

const TITLES: Readonly<Record<Group, string>> = {
  old: `every device a channel of its own, every disagreement answered; ${WINDOWS} windows of ${PER_WINDOW} episodes, a look at every second`,
  delay:
    'delays: 20 channels, 12 % disagreement, nobody wrong, a look each four windows (docs/gate-figures.md, "Delays", beside it)',
  shared: 'shared channels (docs/gate-figures.md, "Shared channels"): 120 windows, a look each four',
  days: 'days (docs/gate-figures.md, "Days"): ten days of 96 episodes a channel, a look a day; earlier stages are left by channels alone',
  broken: 'one broken unit',
  people: 'people who do not answer, and who err: 20 devices, 120 windows of two hours, a look each six',
  liars: 'one liar: half of its episodes are disagreements, all of them won, or lost',
  missing: 'windows that were made and never come, since they were lost',
  distrust: 'where the world is not as the gate assumes (no promise; a quarter of the runs)',
  answers: 'answers that a good candidate costs, through the whole state machine',
  silence: 'silence, through the whole state machine',
  crash: 'one device crashes with either model',
  night: 'a rollout begun at night, whole reports through the whole state machine',
  world: `the WORLD detector: one false alarm in ${PLAN.world.falseAlarmHours.toLocaleString('en-US')} windows promised`,
  shift: `the world changes under both arms (20 %, effects of 6 h)`,
  canary: 'a silent canary, whole reports',
};

function line(one: CellResult): string {
  const { cell } = one;
  const name = `${cell.name.padEnd(58)} ${delta(cell.difference)}`;
  switch (cell.group) {
    case 'old':
    case 'shared':
      return `${name}  ${evidenceLine(one)}   z-test${share(equal(one, 'z', mistake(cell)))}  PSI${share(equal(one, 'psi', mistake(cell)))}`;
    case 'delay': {
      const { golden } = cell;
      return `${name}  SUSPEND${share(rate(one, 'suspend'))}${whole(markOf(one, 'suspend', 'episodes'))} (${golden?.suspend.toLocaleString('en-US')})  shown${share(rate(one, 'shown'))}${whole(markOf(one, 'shown', 'episodes'))} (${golden?.shown?.toLocaleString('en-US') ?? '–'})  FAIL in ten days${share(rate(one, 'fail'))}, window${whole(markOf(one, 'fail', 'window'))}`;
    }
    case 'days':
    case 'broken':
    case 'people':
    case 'liars':
    case 'missing':
      return `${name}  ${evidenceLine(one)}`;
    case 'distrust':
      return 'suspend' in (one.results[0] ?? {}) && 'shown' in (one.results[0] ?? {})
        ? `${name}  ${evidenceLine(one)}`
        : `${name}  ${machineLine(one)}`;
    case 'answers':
    case 'silence':
    case 'crash':
      return `${name}  ${machineLine(one)}`;
    case 'night':
      return `${name}  disagreement alarm${share(rate(one, 'alarm'))}`;
    case 'world':
      return worldLine(one);
    case 'shift':
      return `${name}  rolled back${share(rate(one, 'rollback'))} (before the change${share(rate(one, 'earlier'))})  promoted${share(rate(one, 'promoted'))}  WORLD after ${whole(medianOf(one.results.map(({ worldAt }) => worldAt))).trim()} windows  z-test rolled back${share(equal(one, 'z', 'rollback'))}  PSI${share(equal(one, 'psi', 'rollback'))}`;
    case 'canary':
      return `${name}  promoted${share(rate(one, 'promoted'))}  stopped in its stage${share(equal(one, 'reached', 1))}  z-test promoted${share(equal(one, 'z', 'promote'))}`;
  }
}
/** What a peer's mistake is. */
const mistake = ({ difference }: Cell) => (difference === 0 ? 'rollback' : 'promote');
function evidenceLine(one: CellResult): string {
  return `SUSPEND${share(rate(one, 'suspend'))}  FAIL${share(rate(one, 'fail'))}  PASS${share(rate(one, 'pass'))} (${whole(markOf(one, 'pass', 'episodes')).trim()} episodes, ${whole(markOf(one, 'pass', 'answers')).trim()} answers)  last${share(rate(one, 'last'))}`;
}
function machineLine(one: CellResult): string {
  const answers = (key: string) => whole(medianOf(one.results.map((result) => result[key]))).trim();
  return `promoted${share(rate(one, 'promoted'))}  SUSPEND${share(rate(one, 'suspend'))}  FAIL${share(rate(one, 'fail'))}  answers to leave the shadow ${answers('leaveShadow')}, to complete ${answers('complete')}; completed${share(rate(one, 'complete'))}`;
}
function worldLine(one: CellResult): string {
  const { results, cell } = one;
  const sum = (key: string) => results.reduce((total, result) => total + Number(result[key]), 0);
  const delays = SHARES.map((at) =>
    medianOf(results.map(({ delays: all }) => (all as Record<string, unknown>)[String(at)])),
  );
  const found = SHARES.map((at, i) =>
    equalDelay(results, at) >= 0.5 ? whole(delays[i] ?? Number.NaN).trim() : '–',
  );
  const golden = WORLDS.find(
    ({ devices, weeks, effectHours }) =>
      cell.name === `${devices} devices, ${weeks} weeks, effects of ${effectHours} h`,
  )?.golden;
  return `${cell.name.padEnd(63)}  p ≤ .01${share(sum('pSmall') / sum('pAll'))}  false alarms per 1,000 windows ${three(falsePerThousand(one))}  windows to an alarm at 10, 20, 30 %: ${found.join(', ')} (${golden})`;
}
const equalDelay = (results: readonly Result[], at: number) =>
  results.filter(({ delays }) => (delays as Record<string, unknown>)[String(at)] !== null).length /
  Math.max(1, results.length);
const falsePerThousand = ({ results }: CellResult) =>
  (1000 * results.reduce((sum, one) => sum + Number(one['falseAlarms']), 0)) /
  Math.max(1, results.length * WORLD_WINDOWS);

// — promises —

/** Three standard errors of a share that is what was promised. */
function limitOf(promised: number, runs: number): number {
  return promised + 3 * Math.sqrt((promised * (1 - promised)) / runs);
}
const SLOWER = 1.15;
function brokenPromises(one: CellResult): string[] {
  const { cell, results } = one;
  const where = `${cell.group}: ${cell.name}, Δ ${delta(cell.difference).trim()}`;
  const shares = Object.entries(cell.promise).flatMap(([key, promised]) => {
    // A promise about what no run tells could never be broken.
    if (!results.some((one) => key in one))
      throw new RangeError(`Cannot judge ${where}: no run tells of ${key}`);
    const found = rate(one, key);
    return promised !== undefined && found > limitOf(promised, results.length)
      ? [`${where}: ${key} in ${three(found)}, promised ${promised}`]
      : [];
  });
  const delays = (['suspend', 'shown'] as const).flatMap((key) => {
    const golden = cell.golden?.[key] ?? null;
    const found = markOf(one, key, 'episodes');
    return golden !== null && !(found <= SLOWER * golden)
      ? [`${where}: ${key} after ${whole(found).trim()} episodes, docs/gate-figures.md says ${golden}`]
      : [];
  });
  return [...shares, ...delays];
}

// — the whole —

const TICK_LIMIT = 250;
/** Prints everything; how many promises were broken. */
export async function report(
  found: readonly CellResult[],
  { runs, seed, whole: all, seconds, resumed }: Effort,
): Promise<number> {
  console.log(
    `${runs.toLocaleString('en-US')} runs a cell, seed ${seed}, ${found.length} cells, ${DWELL} frames an episode for the peers; ${seconds.toFixed(0)} s`,
  );
  let group: Group | null = null;
  for (const one of found) {
    if (one.cell.group !== group) console.log(`\n${TITLES[one.cell.group]}`);
    group = one.cell.group;
    console.log(`  ${line(one)}`);
  }
  const broken = found.flatMap(brokenPromises);
  const held = coverage(2 * runs, seed);
  const tick = all ? await tickTime() : null;
  if (tick !== null) {
    console.log(
      `\none tick, 10,000 devices on 200 channels, 10 slices, a week of hourly windows, draws waiting: ${tick.ms.toFixed(0)} ms; one that closes a window: ${tick.windowMs.toFixed(0)} ms; one that closes the whole week: ${tick.closingMs.toFixed(0)} ms`,
    );
    if (tick.ms >= TICK_LIMIT)
      broken.push(`a tick takes ${tick.ms.toFixed(0)} ms, promised under ${TICK_LIMIT}`);
  }
  console.log(
    `federated interval at 20 devices, correlation .1, nominal 95 %: holds the share in ${three(held.share)} of ${2 * runs} rounds, the difference in ${three(held.difference)}; the pooled (Wilson) interval in ${three(held.pooled)}`,
  );
  console.log(
    broken.length === 0
      ? '\nevery promise holds'
      : `\nbroken promises:\n${broken.map((one) => `  ${one}`).join('\n')}`,
  );
  console.log(
    JSON.stringify({
      ...summary(found, runs),
      broken_promises: broken.length,
      coverage: held,
      ...(tick !== null && tickFields(tick)),
      seconds: Math.round(seconds),
      resumed,
    }),
  );
  return broken.length;
}

function tickFields({ ms, windowMs, closingMs }: Awaited<ReturnType<typeof tickTime>>) {
  return {
    tick_ms: Math.round(ms),
    tick_closing_window_ms: Math.round(windowMs),
    tick_closing_week_ms: Math.round(closingMs),
  };
}

/** The line of JSON that later runs are compared with. */
function summary(found: readonly CellResult[], runs: number) {
  const of = (group: Group, match: (cell: Cell) => boolean = () => true) =>
    found.filter(({ cell }) => cell.group === group && match(cell));
  const good = ({ difference }: Cell) => difference === 0;
  const worse = ({ difference }: Cell) => difference <= -PLAN.margin;
  const worst = (cells: readonly CellResult[], key: string) => most(cells.map((one) => rate(one, key)));
  const errors = (group: Group) => ({
    false_rollback: worst(of(group, good), 'fail'),
    false_promotion: worst(of(group, worse), 'pass'),
  });
  const passes = (group: Group) => ({
    promoted_at_0: of(group, good).map((one) => Number(rate(one, 'pass').toFixed(3))),
  });
  const peers = (key: 'z' | 'psi') => ({
    false_rollback: most(of('old', good).map((one) => equal(one, key, 'rollback'))),
    false_promotion: most(of('old', worse).map((one) => equal(one, key, 'promote'))),
    shared_false_rollback: most(of('shared', good).map((one) => equal(one, key, 'rollback'))),
    shared_false_promotion: most(of('shared', worse).map((one) => equal(one, key, 'promote'))),
    world_rollbacks: most(of('shift').map((one) => equal(one, key, 'rollback'))),
  });
  const median = (cells: readonly CellResult[], key: string) =>
    medianOf(cells.flatMap(({ results }) => results.map((result) => result[key])));
  return {
    bench: 'gates',
    runs,
    ...errors('old'),
    false_suspend: worst(of('old', good), 'suspend'),
    world_rollbacks: worst(of('shift'), 'rollback'),
    rollbacks_before_the_change: worst(of('shift'), 'earlier'),
    false_world_worst_cell: Number(most(of('world').map(falsePerThousand)).toFixed(4)),
    silent_promotions: worst(of('canary'), 'promoted'),
    delay: Object.fromEntries(
      of('delay').map((one) => [
        `${delta(one.cell.difference).trim()} ${one.cell.name}`,
        {
          suspend: markOf(one, 'suspend', 'episodes'),
          shown: markOf(one, 'shown', 'episodes'),
          failed: rate(one, 'fail'),
        },
      ]),
    ),
    shared: { ...errors('shared'), ...passes('shared') },
    days: {
      false_rollback: worst(
        of('days', ({ difference }) => difference >= 0),
        'fail',
      ),
      false_completion: worst(of('days', worse), 'last'),
      early_promotion: worst(of('days', worse), 'pass'),
      failed_at_5: of('days', ({ difference }) => difference === -0.05).map((one) => rate(one, 'fail')),
    },
    broken_unit: {
      ...errors('broken'),
      false_suspend: worst(of('broken', good), 'suspend'),
      suspended_when_worse: of('broken', worse).map((one) => rate(one, 'suspend')),
    },
    people: errors('people'),
    answers: {
      leave_shadow: median(of('answers'), 'leaveShadow'),
      complete: median(of('answers'), 'complete'),
    },
    silence: Object.fromEntries(
      of('silence').map((one) => [
        `${one.cell.name} ${delta(one.cell.difference).trim()}`,
        rate(one, 'promoted'),
      ]),
    ),
    liars: errors('liars'),
    missing: errors('missing'),
    crash: { false_rollback: worst(of('crash'), 'fail'), false_suspend: worst(of('crash'), 'suspend') },
    night: { false_alarm: worst(of('night'), 'alarm') },
    peers: {
      z_test: {
        ...peers('z'),
        silent_promotions: most(of('canary').map((one) => equal(one, 'z', 'promote'))),
      },
      psi: peers('psi'),
    },
  };
}
