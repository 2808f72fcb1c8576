import { after, assign, configPath, report, started } from '@adbreak/hub/rollouts/fixtures.js';
import { readPlan } from '@adbreak/hub/rollouts/plan.js';
import { start, step } from '@adbreak/hub/rollouts/step.js';
import { PROGRAMME, ProgrammeStream } from '@adbreak/hub/simulate/programme.js';
import { HOURS_OF_WEEK } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';

const DEVICES = 10_000;
const CHANNELS = 200;
/** Sites and hardware that the plan looks at besides the channels. */
const SITES = 7;
const HARDWARE = 3;
const TICKS = 15;
const RATE = 0.25;

export interface TickTime {
  /** The usual tick (median), one that closes a full window (median), and one that closes the whole week at once. */
  readonly ms: number;
  readonly windowMs: number;
  readonly closingMs: number;
}

/** A gate's tick with 10,000 devices on 200 channels in 10 slices and a week of hourly windows; draws wait for answers. */
export async function tickTime(): Promise<TickTime> {
  const random = seeded('tick');
  const plan = await readPlan(configPath('standard'));
  const stream = new ProgrammeStream({ ...PROGRAMME, devices: CHANNELS }, random);
  const coarse = (twenty: readonly number[]) =>
    Array.from({ length: 64 }, (_, i) => Math.round((twenty[Math.floor((i * 20) / 64)] ?? 0) / 3));
  const reference = stream.reference(4).map((week) => week.map((one) => (one === null ? null : coarse(one))));
  const names = Array.from({ length: DEVICES }, (_, i) => `pi-${i}`);
  let state = assign(start({ ...started(plan), reference }), names);
  const fill = (hour: number, reports: (i: number) => boolean) => {
    for (let i = 0; i < DEVICES; i++) {
      if (!reports(i)) continue;
      const counts = { wins: random.integer(2), losses: random.integer(2), agreed: 36, undecided: 2 };
      const slice = { channel: `c${i % CHANNELS}`, site: `s${i % SITES}`, hardware: `h${i % HARDWARE}` };
      const { wins, losses } = counts;
      const draws = { rate: RATE, drawn: wins + losses + 1, wins, losses };
      ({ state } = step(state, {
        kind: 'window',
        at: after(hour + 1).toISOString(),
        device: `pi-${i}`,
        report: report(hour + 1, hour, counts, { slice, draws }),
      }));
    }
  };
  const timed = (hour: number) => {
    const before = performance.now();
    ({ state } = step(state, { kind: 'tick', at: after(hour).toISOString(), siblings: [] }));
    return performance.now() - before;
  };
  const middle = (times: readonly number[]) =>
    [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  timed(1);
  // A hundredth of the devices suffices to fill an hour; every device reports in the first.
  for (let hour = 0; hour < HOURS_OF_WEEK; hour++) fill(hour, (i) => hour === 0 || i % 100 === hour % 100);
  const closingMs = timed(HOURS_OF_WEEK + plan.lagHours);
  const ms = middle(Array.from({ length: TICKS }, () => timed(HOURS_OF_WEEK + plan.lagHours)));
  const full: number[] = [];
  for (let hour = HOURS_OF_WEEK; hour < HOURS_OF_WEEK + 3; hour++) {
    fill(hour, () => true);
    full.push(timed(hour + 1 + plan.lagHours));
  }
  return { ms, windowMs: middle(full), closingMs };
}
