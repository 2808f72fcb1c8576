import { createHash } from 'node:crypto';
import type { HubState } from '../store/state.js';
import { cohort, type Member, reaches } from './cohort.js';
import { isActive, percentOf, type Rollout } from './rollout.js';

/** The rollouts whose candidates run somewhere: one, or a group of candidates beside the same production. */
export function activeRollouts(state: Pick<HubState, 'rollouts'>, model: string): Rollout[] {
  return state.rollouts.filter((rollout) => rollout.model === model && isActive(rollout));
}

/** Who shall run each active rollout's candidate, and on whom it acts; pure. Of several candidates each device gets one, by rendezvous hashing: when one ends, only its devices move. */
export function memberships(
  state: Pick<HubState, 'rollouts' | 'devices'>,
  model: string,
): Map<string, { readonly members: string[]; readonly acting: string[] }> {
  const rollouts = activeRollouts(state, model);
  const devices: Member[] = Object.values(state.devices).filter((device) => device.model === model && !device.revoked);
  const owner = (device: Member) =>
    rollouts
      .map(({ id }) => ({ id, weight: createHash('sha256').update(`${id}\0${device.id}`).digest('hex') }))
      .sort((a, b) => (a.weight < b.weight ? 1 : -1))[0]?.id;
  return new Map(
    rollouts.map((rollout) => {
      const own = rollouts.length === 1 ? devices : devices.filter((device) => owner(device) === rollout.id);
      const stage = rollout.status === 'watching' ? undefined : rollout.plan.stages[rollout.stage];
      const percent = percentOf(rollout);
      const acting = cohort(
        rollout.id,
        own.filter((device) => reaches(stage?.where, device)),
        percent,
        new Set(percent > 0 ? rollout.acting : []),
      );
      // Who acts already and is out of this stage's reach goes on acting.
      const present = new Set(own.map(({ id }) => id));
      const kept = percent > 0 ? rollout.acting.filter((id) => present.has(id)) : [];
      return [rollout.id, { members: [...present].sort(), acting: [...new Set([...kept, ...acting])].sort() }];
    }),
  );
}
