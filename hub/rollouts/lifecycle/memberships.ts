import { createHash } from 'node:crypto';
import type { ModelRef } from '@adbreak/shared/contract/messages.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState } from '../../store/state.js';
import { apartBy, isEmpty } from '../apart.js';
import { cohort, type Member, reaches } from '../cohort.js';
import { isActive, percentOf, type Rollout } from '../rollout.js';
import { channelKey, slicesOfDevice } from '../slices.js';

/** The rollouts whose candidates run somewhere: one, or a group of candidates beside the same production. */
export function activeRollouts(state: Pick<HubState, 'rollouts'>, model: string): Rollout[] {
  return state.rollouts.filter((rollout) => rollout.model === model && isActive(rollout));
}

export interface Membership {
  readonly members: string[];
  readonly acting: string[];
  /** Members whose production is another version than the rollout's, by its digest. */
  readonly excepted: Record<string, string>;
}

/** Who shall run each active rollout's candidate, and on whom it acts; pure. Of several candidates each device gets one. */
export function memberships(
  state: Pick<HubState, 'rollouts' | 'devices' | 'models'>,
  model: string,
): Map<string, Membership> {
  const rollouts = activeRollouts(state, model);
  const devices: Member[] = Object.values(state.devices).filter(
    (device) => device.model === model && !device.revoked,
  );
  const dealt = deal(rollouts, devices);
  return new Map(
    rollouts.map((rollout) => {
      const own = dealt.get(rollout.id) ?? [];
      const stage = rollout.status === 'watching' ? undefined : rollout.plan.stages[rollout.stage];
      const percent = percentOf(rollout);
      // Who is judged apart stays on production, whatever the stage.
      const free = own.filter(
        ({ id, slice }) =>
          apartBy(id, slice, rollout, ownValue(rollout.evidence.devices, id)?.named) === null,
      );
      const present = new Set(free.map(({ id }) => id));
      const kept = percent > 0 ? rollout.acting.filter((id) => present.has(id)) : [];
      const acting = cohort(
        rollout.id,
        free.filter((device) => reaches(stage?.where, device)),
        percent,
        new Set(kept),
      );
      const excepted = own.flatMap((device): [string, string][] => {
        const stays = exceptionOf(state, model, device);
        return stays === null || stays.digest === rollout.from.digest ? [] : [[device.id, stays.digest]];
      });
      return [
        rollout.id,
        {
          members: own.map(({ id }) => id).sort(),
          // Who acts already and is out of this stage's reach goes on acting.
          acting: [...new Set([...kept, ...acting])].sort(),
          excepted: Object.fromEntries(excepted),
        },
      ];
    }),
  );
}

/**
 * Candidates beside one production share the devices evenly, channel by channel: who belongs to one already stays there, the
 * others go to the candidate that has fewest of their channel, then fewest at all. A candidate that begins beside others takes
 * its share of every channel from them.
 */
function deal(rollouts: readonly Rollout[], devices: readonly Member[]): Map<string, Member[]> {
  const [first] = rollouts;
  if (first === undefined) return new Map();
  if (rollouts.length === 1) return new Map([[first.id, [...devices]]]);
  const hands = new Map(rollouts.map(({ id }): [string, Member[]] => [id, []]));
  const perChannel = new Map<string, number>();
  const channelOf = ({ slice, id }: Member) => (slice === null ? `device=${id}` : channelKey(slice.channel));
  const give = (rollout: string, device: Member) => {
    hands.get(rollout)?.push(device);
    const key = JSON.stringify([rollout, channelOf(device)]);
    perChannel.set(key, (perChannel.get(key) ?? 0) + 1);
  };
  const holder = new Map(
    rollouts.flatMap(({ id, members }) => members.map((device): [string, string] => [device, id])),
  );
  const rank = (device: Member) =>
    createHash('sha256')
      .update(`${rollouts.map(({ id }) => id).join()}\0${device.id}`)
      .digest('hex');
  const ordered = devices
    .map((device) => ({ device, rank: rank(device) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const onChannel = new Map<string, number>();
  for (const device of devices) onChannel.set(channelOf(device), (onChannel.get(channelOf(device)) ?? 0) + 1);
  const begins = rollouts.some(({ members }) => members.length === 0);
  const most = (device: Member) =>
    begins ? Math.ceil((onChannel.get(channelOf(device)) ?? 0) / rollouts.length) : Number.POSITIVE_INFINITY;
  const waiting = ordered.filter(({ device }) => {
    const there = holder.get(device.id);
    if (
      there === undefined ||
      (perChannel.get(JSON.stringify([there, channelOf(device)])) ?? 0) >= most(device)
    )
      return true;
    give(there, device);
    return false;
  });
  for (const { device } of waiting) {
    const load = ({ id }: Rollout) =>
      [perChannel.get(JSON.stringify([id, channelOf(device)])) ?? 0, hands.get(id)?.length ?? 0] as const;
    const least = rollouts.reduce((best, one) => {
      const [[a, b], [c, d]] = [load(one), load(best)];
      return a < c || (a === c && b < d) ? one : best;
    }, first);
    give(least.id, device);
  }
  return hands;
}

/** The version that stays on a device though the fleet went on: the candidate was worse there. Null where there is none. */
export function exceptionOf(
  { models }: Pick<HubState, 'models'>,
  model: string,
  { id, slice }: Pick<Member, 'id' | 'slice'>,
): ModelRef | null {
  const exceptions = ownValue(models, model)?.exceptions ?? {};
  if (isEmpty(exceptions)) return null;
  const names = exceptionNames({ id, slice });
  return names.map((name) => ownValue(exceptions, name)).find((one) => one !== undefined) ?? null;
}

/** The names under which an exception holds a device; the first that there is decides. */
export function exceptionNames({ id, slice }: Pick<Member, 'id' | 'slice'>): readonly string[] {
  return [`device=${id}`, ...(slice === null ? [] : slicesOfDevice(slice))];
}
