import type { Desired, ModelRef } from '@adbreak/shared/contract/messages.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { activeRollouts, exceptionOf } from '../rollouts/lifecycle/memberships.js';
import type { Rollout } from '../rollouts/rollout.js';
import type { HubState } from '../store/state.js';

/** What every device of a model shall run; pure. Devices of a model without production version get nothing. */
export function assignments(
  state: Readonly<HubState>,
  model: string,
): Map<string, Omit<Desired, 'revision'>> {
  const production = productionOf(state, model);
  if (production === null) return new Map();
  const rollouts = activeRollouts(state, model).map((rollout) => ({
    rollout,
    members: new Set(rollout.members),
    acting: new Set(rollout.acting),
  }));
  const devices = Object.values(state.devices).filter((device) => device.model === model && !device.revoked);
  return new Map(
    devices.map((device) => {
      const { id, reported } = device;
      const exception = exceptionOf(state, model, device);
      const found = rollouts.find(({ members }) => members.has(id));
      const rollout = found?.rollout;
      return [
        id,
        {
          model,
          // While a completed rollout is watched, the version before it goes on in the shadow: evidence keeps its sides.
          production: productionIn(rollout, id, exception) ?? exception ?? production,
          candidate: rollout?.to ?? null,
          serve: found?.acting.has(id) ? 'candidate' : 'production',
          rollout: rollout?.id ?? null,
          evaluation: openRound(state, id),
          // As long as a rollout looks at evidence, people are asked about what was drawn.
          ask: rollout !== undefined && reported?.statusPage != null ? 'disagreements' : null,
          draws: drawsOf(rollout),
        },
      ];
    }),
  );
}

/** Whether a device's desired state says what it shall; compared field by field, for a fleet is compared at every look. */
export function sameAssignment(wanted: Omit<Desired, 'revision'>, desired: Desired | null): boolean {
  return (
    desired !== null &&
    desired.model === wanted.model &&
    sameModel(desired.production, wanted.production) &&
    sameModel(desired.candidate, wanted.candidate) &&
    desired.serve === wanted.serve &&
    desired.rollout === wanted.rollout &&
    // What a round asks for is fixed when it begins.
    desired.evaluation?.round === wanted.evaluation?.round &&
    desired.ask === wanted.ask &&
    desired.draws.perWeek === wanted.draws.perWeek &&
    desired.draws.answerHours === wanted.draws.answerHours
  );
}
function sameModel(a: ModelRef | null, b: ModelRef | null): boolean {
  return a === b || (a !== null && b !== null && a.digest === b.digest && a.version === b.version);
}

/**
 * As it is published: what has its default is left out, and read as its default. An agent of 0.1.0 refuses a message with a
 * key that it does not know, and would take no model at all.
 */
export function forTheWire({ evaluation, ask, draws, ...known }: Desired): Partial<Desired> {
  const plain = draws.perWeek === NO_DRAWS.perWeek && draws.answerHours === NO_DRAWS.answerHours;
  return {
    ...known,
    ...(evaluation !== null && { evaluation }),
    ...(ask !== null && { ask }),
    ...(!plain && { draws }),
  };
}

/** In a rollout: its production, or the older version that an earlier rollout left on this device. Null without a rollout. */
function productionIn(
  rollout: Rollout | undefined,
  device: string,
  exception: ModelRef | null,
): ModelRef | null {
  if (rollout === undefined) return null;
  return ownValue(rollout.excepted, device) === undefined ? rollout.from : (exception ?? rollout.from);
}

/** The draws of a device that is in no rollout, and what an agent takes where the message names none. */
const NO_DRAWS: Desired['draws'] = { perWeek: null, answerHours: 24 };

function drawsOf(rollout: Rollout | undefined): Desired['draws'] {
  if (rollout === undefined) return NO_DRAWS;
  const { labels, answerHours } = rollout.plan;
  return { perWeek: labels === 'all' ? null : labels.perDeviceAndWeek, answerHours };
}

/** The round that a device shall answer next. */
function openRound(state: Readonly<HubState>, device: string): Desired['evaluation'] {
  const open = state.evaluations.find(
    ({ status, cohort, answers }) =>
      status === 'open' && cohort.includes(device) && answers[device] === undefined,
  );
  return open === undefined ? null : open.request;
}

export function productionOf(state: Pick<HubState, 'models'>, model: string): ModelRef | null {
  const version = state.models[model]?.production ?? null;
  const digest = version === null ? undefined : state.models[model]?.versions[version]?.manifest.digest;
  return version === null || digest === undefined ? null : { version, digest };
}
