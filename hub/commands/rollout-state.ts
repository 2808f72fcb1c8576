import type { RolloutState } from '@adbreak/shared/contract/operators.js';
import { isActive, percentOf } from '../rollouts/rollout.js';
import { episodesOf } from '../rollouts/standing.js';
import type { StoredRollout } from '../store/state.js';

const MOST_WORDS = 2000;
const NAME = 40;

/** How a rollout stands, as operators read it over MQTT. */
export function rolloutStateOf(rollout: StoredRollout, now: Date): RolloutState {
  const { id, model, kind, from, to, status, plan, stage, stageSince, ceiling, members, acting } = rollout;
  const name = (plan.stages[stage]?.name ?? '').slice(0, NAME);
  return {
    revision: rollout.seen,
    id,
    model,
    kind,
    from,
    to,
    status,
    stage: { index: stage, of: plan.stages.length, name, since: stageSince },
    percent: percentOf(rollout),
    ceiling,
    devices: { members: members.length, acting: acting.length },
    episodes: isActive(rollout) ? episodesOf(rollout) : (rollout.summary?.episodes ?? 0),
    last: lastOf(rollout),
    startedAt: rollout.startedAt,
    at: now.toISOString(),
  };
}

function lastOf({ last }: StoredRollout): RolloutState['last'] {
  if (last === null) return null;
  const { at, verdict, cause, reason, action } = last;
  return { at, verdict, cause, reason: reason.slice(0, MOST_WORDS), action: action.slice(0, NAME) };
}

/** When a rollout ended, milliseconds: with its last decision. Null while it is under way. */
export function endOf(rollout: StoredRollout): number | null {
  return isActive(rollout) ? null : Date.parse(rollout.last?.at ?? rollout.stageSince);
}
