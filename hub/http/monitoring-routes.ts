import { monitoring } from '@adbreak/shared/contract/http/monitoring.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { dateOf, dayOf, HOUR_MS, HOURS_OF_DAY } from '../monitoring/calendar.js';
import type { Of } from '../monitoring/rollup-port.js';
import type { ModelSums } from '../monitoring/rows.js';
import { Total } from '../monitoring/summary.js';
import { saturated } from '../rollouts/evidence.js';
import { sliceName } from '../rollouts/slices.js';
import type { HttpContext } from './context.js';
import { knownDevice, knownVersion } from './names.js';
import type { Register } from './route.js';

/** Which of a version's sums a call is about. */
interface Narrowing {
  readonly channel?: string | undefined;
  readonly hardware?: string | undefined;
}

/** What models and devices did, by day and hour (UTC), from the rollups. docs/operations/monitoring.md. */
export function monitoringRoutes(register: Register, { store, now }: HttpContext): void {
  const today = () => dayOf(now().getTime());
  const span = ({ days, until }: { readonly days: number; readonly until?: string | undefined }) => {
    const last = until === undefined ? today() : dayOf(Date.parse(until));
    return { from: last - days + 1, to: last + 1 };
  };
  /** The version that a call is about. */
  const asked = (name: string, version: string) => {
    const { number, entry } = knownVersion(store.state, { name, version }, 'monitor');
    return { version: number, digest: entry.manifest.digest };
  };

  register(monitoring.performance, async ({ params: { name }, query }) => {
    const { version, digest } = asked(name, query.version);
    const { from, to } = span(query);
    const sum = new Total();
    for (let day = from; day < to; day++) await addTo(sum, store.rollups.day(day, digest), query);
    const { latency, confidence, inferences, adRate } = sum.summary();
    const metrics = {
      avg_inference_time_ms: latency.mean,
      avg_confidence: confidence.mean,
      total_inferences: inferences,
      ad_detection_rate: adRate,
    };
    return { model_name: name, version, period_days: query.days, metrics, ...metrics };
  });
  register(monitoring.days, async ({ params: { name }, query }) => {
    const { version, digest } = asked(name, query.version);
    const { from, to } = span(query);
    const days = [];
    for (let day = from; day < to; day++) {
      const sum = await addTo(new Total(), store.rollups.day(day, digest), query);
      days.push({ day: dateOf(day), ...sum.summary() });
    }
    return { model: name, version, days };
  });
  register(monitoring.hours, async ({ params: { name }, query }) => {
    const { version, digest } = asked(name, query.version);
    const day = query.day === undefined ? today() : dayOf(Date.parse(query.day));
    const hours = [];
    for (let hour = day * HOURS_OF_DAY; hour < (day + 1) * HOURS_OF_DAY; hour++) {
      const sum = await addTo(new Total(), store.rollups.hour(hour, digest), query);
      hours.push({ hour: new Date(hour * HOUR_MS).toISOString(), ...sum.summary() });
    }
    return { model: name, version, hours };
  });
  register(monitoring.deviceDays, async ({ params: { id }, query }) => {
    knownDevice(store.state, id, 'monitor');
    const { from, to } = span(query);
    const known = await store.rollups.deviceDays(id, from, to);
    const days = known.map(([day, { windows, missing, series, ...row }]) => ({
      day: dateOf(day),
      windows,
      owed: saturated(windows + missing),
      ...row,
      series: series.map(({ digest, channel, hardware, hours }) => ({
        digest,
        channel,
        hardware,
        hours: hoursOf(hours),
      })),
    }));
    return { device: id, days };
  });

  for (const [contract, what] of [
    [monitoring.drift, 'drift'],
    [monitoring.health, 'health'],
  ] as const)
    register(contract, ({ params: { name } }) => {
      asked(name, 'production');
      throw notYet(name, what);
    });
}

/**
 * What it would take, the sums do not hold: nobody is told that all is well because nothing was looked at.
 */
function notYet(model: string, what: string): AdbreakError {
  return new AdbreakError(
    'not_implemented',
    `Cannot answer: this hub does not judge the ${what} of ${model} outside of a rollout yet`,
    {
      remedy: `Look at /api/v1/monitoring/models/${model}/days; a rollout that runs says by \`adbreak rollouts explain\` whether the world changed.`,
    },
  );
}

async function addTo(
  sum: Total,
  rows: AsyncIterable<Of & { readonly row: ModelSums }>,
  { channel, hardware }: Narrowing,
): Promise<Total> {
  const wanted = channel === undefined ? null : sliceName('channel', { channel, site: '', hardware: '' });
  for await (const one of rows)
    if ((wanted === null || one.channel === wanted) && (hardware === undefined || one.hardware === hardware))
      sum.add(one.row);
  return sum;
}

/** Hours of the day in which its windows began. */
function hoursOf(bits: number): number[] {
  return Array.from({ length: HOURS_OF_DAY }, (_, hour) => hour).filter((hour) => (bits & (1 << hour)) !== 0);
}
