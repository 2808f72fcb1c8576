import { HOURS_OF_WEEK } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';
import { after, configPath, report, started } from '../rollouts/fixtures.js';
import { readPlan } from '../rollouts/plan.js';
import { start, step } from '../rollouts/step.js';
import { PROGRAMME, ProgrammeStream } from '../simulate/programme.js';

const DEVICES = 10_000;
const SLICES = 10;
const TICKS = 15;

/** A gate's tick with 10,000 devices in 10 slices and a week of hourly windows: the usual one (median), and one that closes the whole week at once. */
export async function tickTime(): Promise<{ readonly ms: number; readonly closingMs: number }> {
  const random = seeded('tick');
  const plan = { ...(await readPlan(configPath('standard'))), slices: ['channel' as const] };
  const stream = new ProgrammeStream({ ...PROGRAMME, devices: DEVICES }, random);
  const coarse = (twenty: readonly number[]) => Array.from({ length: 64 }, (_, i) => Math.round((twenty[Math.floor((i * 20) / 64)] ?? 0) / 3));
  const reference = stream.reference(4).map((week) => week.map((one) => (one === null ? null : coarse(one))));
  let state = start({ ...started(plan), reference });
  for (let hour = 0; hour < HOURS_OF_WEEK; hour++)
    for (let i = 0; i < DEVICES; i++) {
      // A hundred devices of each hour suffice to fill it; every device reports on the first.
      if (hour > 0 && i % 100 !== hour % 100) continue;
      const counts = { wins: random.integer(2), losses: random.integer(2), agreed: 36 };
      ({ state } = step(state, {
        kind: 'window',
        at: after(hour + 1).toISOString(),
        device: `pi-${i}`,
        report: report(hour + 1, hour, counts, { slice: { channel: `c${i % SLICES}`, site: 's', hardware: 'h' } }),
      }));
    }
  state = { ...state, members: Array.from({ length: DEVICES }, (_, i) => `pi-${i}`) };
  const timed = (hour: number) => {
    const before = performance.now();
    ({ state } = step(state, { kind: 'tick', at: after(hour).toISOString(), siblings: [] }));
    return performance.now() - before;
  };
  timed(1);
  const closingMs = timed(HOURS_OF_WEEK + 3);
  const times = Array.from({ length: TICKS }, () => timed(HOURS_OF_WEEK + 3)).sort((a, b) => a - b);
  return { ms: times[Math.floor(TICKS / 2)] ?? 0, closingMs };
}
