import type { Desired, ModelRef } from '@adbreak/shared/contract/messages.js';
import { activeRollouts } from '../rollouts/memberships.js';
import { askedFor } from '../rollouts/step.js';
import type { HubState } from '../store/state.js';

/** What every device of a model shall run; pure. Devices of a model without production version get nothing. */
export function assignments(state: Readonly<HubState>, model: string): Map<string, Omit<Desired, 'revision'>> {
  const production = productionOf(state, model);
  if (production === null) return new Map();
  const rollouts = activeRollouts(state, model).map((rollout) => ({ rollout, members: new Set(rollout.members), acting: new Set(rollout.acting) }));
  const devices = Object.values(state.devices).filter((device) => device.model === model && !device.revoked);
  return new Map(
    devices.map(({ id, reported }) => {
      const found = rollouts.find(({ members }) => members.has(id));
      const rollout = found?.rollout;
      return [
        id,
        {
          model,
          // While a completed rollout is watched, the version before it goes on in the shadow: evidence keeps its sides.
          production: rollout?.from ?? production,
          candidate: rollout?.to ?? null,
          serve: found?.acting.has(id) ? 'candidate' : 'production',
          rollout: rollout?.id ?? null,
          evaluation: openRound(state, id),
          ask: rollout !== undefined && askedFor(rollout.last) && reported?.statusPage != null ? 'disagreements' : null,
          labelRate: rollout?.plan.labelRate ?? 1,
          draws: { perWeek: null, answerHours: 24 },
        },
      ];
    }),
  );
}

/** The round that a device shall answer next. */
function openRound(state: Readonly<HubState>, device: string): Desired['evaluation'] {
  const open = state.evaluations.find(({ status, cohort, answers }) => status === 'open' && cohort.includes(device) && answers[device] === undefined);
  return open === undefined ? null : open.request;
}

export function productionOf(state: Readonly<HubState>, model: string): ModelRef | null {
  const version = state.models[model]?.production ?? null;
  const digest = version === null ? undefined : state.models[model]?.versions[version]?.manifest.digest;
  return version === null || digest === undefined ? null : { version, digest };
}
