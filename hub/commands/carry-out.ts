import type { OperatorCommand } from '@adbreak/shared/contract/operators.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { devicesOf } from '../fleet/members.js';
import { nameOf, type Person, requireRole } from '../identity/secrets.js';
import type { Executor } from '../rollouts/lifecycle/executor.js';
import { type Plans, usualPlan } from '../rollouts/lifecycle/plans.js';
import type { HubState } from '../store/state.js';
import type { Store } from '../store/store.js';
import { planFor } from './plans.js';

/** What carries commands out: what HTTP has, and nothing besides. */
export interface Hands {
  readonly store: Store;
  readonly executor: Pick<Executor, 'find' | 'promote' | 'order' | 'rollback'>;
  readonly plans: Plans;
  /** Changes a device's model or tags; null takes a tag away. */
  readonly setDevice: (
    device: string,
    change: { readonly model: string | null; readonly tags: Readonly<Record<string, string | null>> },
    who: string,
  ) => Promise<void>;
}

/** By command, the audit entries of the transactions that carry it out: one of them is all of it. */
export const DEEDS: Readonly<Record<OperatorCommand['command'], readonly string[]>> = {
  promote: ['model.promote', 'rollout.ceiling'],
  pause: ['rollout.pause'],
  resume: ['rollout.resume'],
  approve: ['rollout.approve'],
  abort: ['rollout.abort'],
  // One that is still watched goes back as the end of its rollout.
  rollback: ['rollout.rollback', 'rollout.abort'],
  'set-device': ['device.set'],
  status: [],
};

/** Carries a command out, through the same door as HTTP. Throws coded where it does not fit; then nothing was changed. */
export async function carryOut(hands: Hands, who: Person, command: OperatorCommand): Promise<void> {
  const { store, executor, plans } = hands;
  const name = nameOf(who);
  switch (command.command) {
    case 'status':
      knownModel(store.state, command.model);
      return;
    case 'promote': {
      const { model, version, percent, supersede } = command;
      const subject = `${model} ${version}`;
      const plan = await planFor(hands, who, command.plan ?? undefined, {
        otherwise: usualPlan(plans, devicesOf(store.state, model).length),
        subject,
      });
      await executor.promote({ model, version, percent, plan, supersede, who: name });
      return;
    }
    case 'rollback': {
      const { rollout, reason } = command;
      const { id } = executor.find(rollout);
      const asked = command.plan ?? undefined;
      const plan = await planFor(hands, who, asked, { otherwise: plans.rollback, subject: id });
      await executor.rollback(id, plan, name, reason);
      return;
    }
    case 'set-device':
      return hands.setDevice(command.device, command, name);
    case 'approve': {
      const { plan, stage } = executor.find(command.rollout);
      requireRole(who, plan.stages[stage]?.approve ?? 'operator', 'approving this stage');
      await executor.order(command.rollout, 'approve', name, command.reason);
      return;
    }
    case 'pause':
    case 'resume':
    case 'abort':
      await executor.order(command.rollout, command.command, name, command.reason);
  }
}

/** What a command is about, as people say it after "Cannot". */
export function whatIs(command: OperatorCommand): string {
  switch (command.command) {
    case 'status':
      return `tell how ${command.model} stands`;
    case 'promote':
      return `promote ${command.model} ${command.version}`;
    case 'rollback':
      return `roll ${command.rollout} back`;
    case 'set-device':
      return `set device ${command.device}`;
    case 'approve':
    case 'pause':
    case 'resume':
    case 'abort':
      return `${command.command} rollout ${command.rollout}`;
  }
}

function knownModel(state: Readonly<HubState>, name: string): void {
  if (ownValue(state.models, name) === undefined)
    throw new AdbreakError('not_found', `Cannot tell how ${name} stands: there is no such model`, {
      remedy: 'See `adbreak models list`.',
    });
}
