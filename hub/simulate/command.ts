import { check } from '@adbreak/shared/contract/parse.js';
import type { Command } from 'commander';
import { count, percent } from '../rollouts/words.js';
import { readScenario, type Scenario, scenario as schema } from './scenario.js';
import { type SimulatedRun, simulatedDevices, simulateRollout } from './simulate.js';

/** `adbreak simulate`: what the gate would do with a fleet, a candidate and a world of your choice. */
export function simulateCommand(program: Command): void {
  program
    .command('simulate')
    .description('runs rollouts on a virtual fleet, through the same gate; configs/scenarios/ has scenarios')
    .requiredOption('--scenario <file>', 'scenario')
    .option('--runs <n>', 'how many rollouts', Number)
    .option('--devices <n>', 'another fleet size', Number)
    .option('--days <n>', 'another length', Number)
    .option('--seed <text>', 'seed', '1')
    .option('--json', 'one line of JSON', false)
    .action(
      async (flags: {
        scenario: string;
        runs?: number;
        devices?: number;
        days?: number;
        seed: string;
        json: boolean;
      }) => {
        const read = await readScenario(flags.scenario);
        const scenario = check(
          schema,
          {
            ...read.scenario,
            ...(flags.runs !== undefined && { runs: flags.runs }),
            ...(flags.days !== undefined && { days: flags.days }),
            fleet: { ...read.scenario.fleet, ...(flags.devices !== undefined && { devices: flags.devices }) },
          },
          'the scenario with these options',
        );
        const started = performance.now();
        const tell = progress(scenario, flags.json);
        const runs: SimulatedRun[] = [];
        for (let i = 0; i < scenario.runs; i++) {
          runs.push(
            simulateRollout(scenario, read.plan, `${flags.seed}/${i}`, {
              onHour: (_, hour) => tell(i, hour),
            }),
          );
          // Ctrl-C and the terminal get their turn between two rollouts.
          await new Promise((resolve) => setImmediate(resolve));
        }
        const result = summarize(scenario, runs, (performance.now() - started) / 1000);
        if (flags.json) return console.log(JSON.stringify(result));
        if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
        const [first] = runs;
        const { devices, channels } = simulatedDevices(scenario);
        if (devices < scenario.fleet.devices)
          console.log(
            `${count(devices, 'device')} on ${count(channels, 'channel')} stand for them: more on a channel change no average\n`,
          );
        console.log(`${scenario.name}: ${scenario.about}`);
        console.log(
          `${count(scenario.fleet.devices, 'device')}, ${scenario.days} days, ${count(scenario.runs, 'rollout')}, seed ${flags.seed}, ${result.seconds.toFixed(1)} s\n`,
        );
        if (first !== undefined && runs.length === 1)
          for (const one of first.history)
            console.log(`${one.at}  ${one.stage}: ${one.verdict} → ${one.action}: ${one.reason}`);
        for (const [status, n] of Object.entries(result.statuses))
          console.log(
            `${status.padEnd(14)}${String(n).padStart(6)}  ${percent(n / runs.length).padStart(8)}`,
          );
        console.log(
          `days to the end, median: ${result.medianDays?.toFixed(1) ?? 'none ended'}; suspended on the way: ${result.suspended}; false WORLD hours: ${result.falseWorldHours} of ${result.hours}`,
        );
        console.log(
          `answers until it left the shadow, median: ${amount(result.answers.leaveShadow)}; until it completed: ${amount(result.answers.complete)}; in all: ${amount(result.answers.all)}`,
        );
        if (result.worldDelayHours !== null)
          console.log(`hours from the change to WORLD, median: ${result.worldDelayHours}`);
      },
    );
}

const amount = (value: number | null) =>
  value === null ? 'none did' : Math.round(value).toLocaleString('en-US');

function progress({ runs, days }: Scenario, quiet: boolean): (run: number, hour: number) => void {
  if (quiet || !process.stderr.isTTY) return () => undefined;
  let last = 0;
  return (run, hour) => {
    const now = Date.now();
    if (now - last < 200) return;
    last = now;
    process.stderr.write(`\r\u001b[Krollout ${run + 1} of ${runs}, day ${(hour / 24).toFixed(1)} of ${days}`);
  };
}

const OVER = ['completed', 'rolled-back', 'aborted'];
export function summarize(scenario: Scenario, runs: readonly SimulatedRun[], seconds: number) {
  const median = (values: readonly number[]) =>
    values.length === 0 ? null : ([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null);
  const statuses: Record<string, number> = {};
  for (const { status } of runs) statuses[status] = (statuses[status] ?? 0) + 1;
  return {
    simulate: scenario.name,
    runs: runs.length,
    devices: scenario.fleet.devices,
    statuses,
    medianDays: median(runs.filter(({ status }) => OVER.includes(status)).map(({ days }) => days)),
    suspended: runs.filter(({ history }) => history.some(({ verdict }) => verdict === 'SUSPEND')).length,
    falseWorldHours: runs.reduce((sum, one) => sum + one.falseWorldHours, 0),
    hours: runs.reduce((sum, one) => sum + one.hours, 0),
    answers: {
      leaveShadow: median(runs.flatMap(({ answers }) => answers.shadow ?? [])),
      complete: median(runs.flatMap(({ answers }) => answers.complete ?? [])),
      all: median(runs.map(({ answers }) => answers.all)),
    },
    worldDelayHours: median(runs.flatMap(({ worldDelay }) => worldDelay ?? [])),
    seconds,
  };
}
