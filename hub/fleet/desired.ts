import type { Desired, ModelRef } from '@adbreak/shared/contract/messages.js';
import { cohort } from '../rollouts/cohort.js';
import { percentOf, type Rollout } from '../rollouts/rollout.js';
import type { HubState } from '../store/state.js';

/** A rollout whose candidate still runs somewhere. */
export function activeRollout(state: Readonly<HubState>, model: string): Rollout | undefined {
  return state.rollouts.find((rollout) => rollout.model === model && (rollout.status === 'running' || rollout.status === 'suspended'));
}

/** What every device of a model shall run; pure. Devices of a model without production version get nothing. */
export function assignments(state: Readonly<HubState>, model: string): Map<string, Omit<Desired, 'revision'>> {
  const production = productionOf(state, model);
  const devices = Object.values(state.devices)
    .filter((device) => device.model === model && !device.revoked)
    .map(({ id }) => id);
  if (production === null) return new Map();
  const rollout = activeRollout(state, model);
  const acting = rollout === undefined ? new Set<string>() : cohort(rollout.id, devices, percentOf(rollout));
  return new Map(
    devices.map((device) => [
      device,
      {
        model,
        production,
        candidate: rollout?.to ?? null,
        serve: acting.has(device) ? 'candidate' : 'production',
        rollout: rollout?.id ?? null,
      },
    ]),
  );
}

export function productionOf(state: Readonly<HubState>, model: string): ModelRef | null {
  const version = state.models[model]?.production ?? null;
  const digest = version === null ? undefined : state.models[model]?.versions[version]?.manifest.digest;
  return version === null || digest === undefined ? null : { version, digest };
}
