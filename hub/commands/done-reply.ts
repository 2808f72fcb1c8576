import type { OperatorCommand, OperatorReply } from '@adbreak/shared/contract/operators.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { productionOf } from '../fleet/desired.js';
import { isActive } from '../rollouts/rollout.js';
import type { HubState, StoredRollout } from '../store/state.js';
import { rolloutStateOf } from './rollout-state.js';

/** As the contract bounds a reply. */
const MOST_ROLLOUTS = 10;

/**
 * The reply to a command that took effect, by the state as it leaves it; pure. It is written down in the transaction of
 * the deed, so devices that a rollout is going to reach may not be assigned yet: its retained state says that soon.
 */
export function doneReply(state: Readonly<HubState>, command: OperatorCommand, now: Date): OperatorReply {
  const { model, rollouts } = matterOf(state, command);
  const device = command.command === 'set-device' ? deviceOf(state, command.device) : null;
  return {
    outcome: 'done',
    at: now.toISOString(),
    model,
    production: productionOf(state, model),
    rollouts: rollouts.slice(-MOST_ROLLOUTS).map((rollout) => rolloutStateOf(rollout, now)),
    device,
  };
}

function matterOf(
  state: Readonly<HubState>,
  command: OperatorCommand,
): { readonly model: string; readonly rollouts: readonly StoredRollout[] } {
  const underWay = (model: string) => state.rollouts.filter((one) => one.model === model && isActive(one));
  switch (command.command) {
    case 'status':
      return { model: command.model, rollouts: underWay(command.model) };
    case 'set-device': {
      const model = ownValue(state.devices, command.device)?.model ?? '';
      return { model, rollouts: underWay(model) };
    }
    case 'promote': {
      const { model, version } = command;
      return { model, rollouts: underWay(model).filter(({ to }) => to.version === version) };
    }
    case 'rollback': {
      const asked = state.rollouts.find(({ id }) => id === command.rollout);
      const model = asked?.model ?? '';
      const back = underWay(model).filter(
        ({ kind, to }) => kind === 'rollback' && to.digest === asked?.from.digest,
      );
      return { model, rollouts: back.length > 0 || asked === undefined ? back : [asked] };
    }
    case 'pause':
    case 'resume':
    case 'approve':
    case 'abort': {
      const rollouts = state.rollouts.filter(({ id }) => id === command.rollout);
      return { model: rollouts[0]?.model ?? '', rollouts };
    }
  }
}

function deviceOf(state: Readonly<HubState>, id: string) {
  const device = ownValue(state.devices, id);
  return device === undefined ? null : { id, model: device.model, tags: { ...device.tags } };
}
