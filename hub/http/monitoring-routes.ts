import { VERSION } from '@adbreak/shared/contract/manifest.js';
import { deviceId } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authorize } from '../identity/secrets.js';
import { dateOf, dayOf, HOUR_MS, HOURS_OF_DAY } from '../monitoring/calendar.js';
import type { Of } from '../monitoring/rollup-port.js';
import type { ModelSums } from '../monitoring/rows.js';
import { Total } from '../monitoring/summary.js';
import { sliceName } from '../rollouts/slices.js';
import type { HttpContext } from './context.js';
import { knownDevice, knownModel, modelName } from './names.js';

/** So many days are read for one call; `until` leads to earlier ones. */
const MOST_DAYS = 100;
const path = z.object({ name: modelName });
const date = z.iso.date().transform((text) => dayOf(Date.parse(text)));
const period = {
  days: z.coerce.number().int().min(1).max(MOST_DAYS).default(7),
  /** The last day, UTC; today where it is left out. */
  until: date.optional(),
};
const which = {
  version: z.union([z.string().regex(VERSION, 'must be MAJOR.MINOR.PATCH'), z.literal('production')]),
  channel: z.string().max(60).optional(),
  hardware: z.string().max(60).optional(),
};
const modelQuery = z.strictObject({ ...which, version: which.version.default('production') });
const daysQuery = modelQuery.extend(period);
const hoursQuery = modelQuery.extend({ day: date.optional() });
const deviceQuery = z.strictObject(period);

/** What models and devices did, by day and hour (UTC), from the rollups. docs/operations/monitoring.md. */
export function monitoringRoutes(app: Pick<FastifyInstance, 'get'>, { store, now }: HttpContext): void {
  const today = () => dayOf(now().getTime());
  const span = ({
    days,
    until = today(),
  }: {
    readonly days: number;
    readonly until?: number | undefined;
  }) => ({
    from: until - days + 1,
    to: until + 1,
  });
  /** The model and the version that a call is about. */
  const asked = (params: unknown, version: string) => {
    const { name } = check(path, params, 'the path');
    const model = knownModel(store.state, name, 'monitor');
    const number = version === 'production' ? model.production : version;
    const digest = number === null ? undefined : ownValue(model.versions, number)?.manifest.digest;
    if (number === null || digest === undefined)
      throw new AdbreakError('not_found', `Cannot monitor ${name} ${version}: there is no such version`);
    return { name, version: number, digest };
  };

  app.get('/api/v1/monitoring/models/:name/performance', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const query = check(daysQuery, request.query, 'the query');
    const { name, version, digest } = asked(request.params, query.version);
    const { from, to } = span(query);
    const sum = new Total();
    for (let day = from; day < to; day++) await addTo(sum, store.rollups.day(day, digest), query);
    const { latency, confidence, inferences, adRate } = sum.summary();
    return {
      model_name: name,
      version,
      period_days: query.days,
      avg_inference_time_ms: latency.mean,
      avg_confidence: confidence.mean,
      total_inferences: inferences,
      ad_detection_rate: adRate,
    };
  });
  app.get('/api/v1/monitoring/models/:name/days', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const query = check(daysQuery, request.query, 'the query');
    const { name, version, digest } = asked(request.params, query.version);
    const { from, to } = span(query);
    const days = [];
    for (let day = from; day < to; day++) {
      const sum = await addTo(new Total(), store.rollups.day(day, digest), query);
      days.push({ day: dateOf(day), ...sum.summary() });
    }
    return { model: name, version, days };
  });
  app.get('/api/v1/monitoring/models/:name/hours', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const query = check(hoursQuery, request.query, 'the query');
    const { name, version, digest } = asked(request.params, query.version);
    const day = query.day ?? today();
    const hours = [];
    for (let hour = day * HOURS_OF_DAY; hour < (day + 1) * HOURS_OF_DAY; hour++) {
      const sum = await addTo(new Total(), store.rollups.hour(hour, digest), query);
      hours.push({ hour: new Date(hour * HOUR_MS).toISOString(), ...sum.summary() });
    }
    return { model: name, version, hours };
  });
  app.get('/api/v1/monitoring/devices/:id/days', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const { id } = check(z.object({ id: deviceId }), request.params, 'the path');
    knownDevice(store.state, id, 'monitor');
    const { from, to } = span(check(deviceQuery, request.query, 'the query'));
    const known = await store.rollups.deviceDays(id, from, to);
    const days = known.map(([day, { windows, missing, series, ...row }]) => ({
      day: dateOf(day),
      windows,
      owed: windows + missing,
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
}

async function addTo(
  sum: Total,
  rows: AsyncIterable<Of & { readonly row: ModelSums }>,
  { channel, hardware }: { readonly channel?: string | undefined; readonly hardware?: string | undefined },
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
