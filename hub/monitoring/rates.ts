import { hourOf } from '@adbreak/shared/evidence/world.js';
import { totalOf } from '../rollouts/evidence.js';
import type { FleetRates } from '../rollouts/forecast.js';
import { clusterOfSlice } from '../rollouts/slices.js';
import { count, percent } from '../rollouts/words.js';
import type { HubState } from '../store/state.js';
import { HOURS_OF_DAY } from './calendar.js';
import type { HourBins } from './reference.js';

/** Assumptions for a fleet that has shown nothing: a scene of a minute and a half, two versions that differ on a tenth. */
const ASSUMED = { episodesPerDay: 24 * 40, disagreement: 0.1, answered: 1, correlation: 0.02 };
const DAYS = 7;
/** Fewer tell nothing of how often versions differ. */
const LEAST_EPISODES = 100;

/** The hours of a model's production that its rates are measured in. */
export function hoursOfRates(now: Date): readonly [from: number, to: number] {
  const { hour } = hourOf(now.getTime());
  return [hour - HOURS_OF_DAY * DAYS, hour];
}

/**
 * A fleet's own rates: episodes from the last week of its production, disagreements and labels from its last rollout. Pure.
 * @param week the production's hours in `hoursOfRates`
 */
export function ratesOf(
  state: Pick<HubState, 'devices' | 'models' | 'rollouts'>,
  model: string,
  week: HourBins,
): FleetRates {
  const devices = Object.values(state.devices).filter((device) => device.model === model && !device.revoked);
  // The fleet's hours hold each channel once.
  const channels = new Set(
    devices.map(({ id, slice }) => (slice === null ? `device=${id}` : clusterOfSlice(slice))),
  ).size;
  const hours = [...week.values()];
  const episodes = hours.reduce((sum, bins) => sum + bins.reduce((a, b) => a + b, 0), 0);
  const last = state.rollouts.findLast(
    (rollout) => rollout.model === model && sumsOf(rollout).episodes >= LEAST_EPISODES,
  );
  const sums = last === undefined ? null : sumsOf(last);
  const draws = sums === null ? 0 : sums.answered + sums.open;
  const rates = {
    episodesPerDay:
      hours.length > 0 && channels > 0 ? (24 * episodes) / hours.length / channels : ASSUMED.episodesPerDay,
    disagreement:
      sums === null ? ASSUMED.disagreement : Math.min(0.5, Math.max(0.01, sums.differ / sums.episodes)),
    answered: sums !== null && draws > 0 ? sums.answered / draws : ASSUMED.answered,
    correlation: ASSUMED.correlation,
  };
  const known = sums !== null;
  return {
    ...rates,
    sources: [
      `${rates.episodesPerDay.toFixed(0)} episodes a device and day: ${hours.length > 0 ? `from ${count(hours.length, 'hour')} of its own` : 'assumed, nothing is measured yet'}`,
      `two versions differ on ${percent(rates.disagreement)}, ${percent(rates.answered)} of what is drawn gets an answer: ${known && last !== undefined ? `from rollout ${last.id}` : 'assumed, no rollout yet'}`,
      `a correlation of ${rates.correlation} within a channel: assumed`,
    ],
  };
}

/** What a rollout's devices found, each by itself. */
function sumsOf({ evidence }: HubState['rollouts'][number]) {
  let [episodes, differ, answered, open] = [0, 0, 0, 0];
  for (const device of Object.values(evidence.devices)) {
    const totals = totalOf(device.own);
    episodes += device.episodes;
    differ += device.differ;
    answered += totals.wins + totals.losses;
    open += totals.open;
  }
  return { episodes, differ, answered, open };
}
