import type { Effect } from '../rollouts/moves.js';
import type { HubState, Model } from './state.js';

/** The part of a decision's effects that is the hub's own memory: what changes in the registry, and what is left to do outside. */
export function keepEffects(
  state: Pick<HubState, 'models' | 'outbox'>,
  rollout: { readonly id: string; readonly model: string },
  number: number,
  effects: readonly Effect[],
): void {
  for (const [i, effect] of effects.entries()) {
    switch (effect.kind) {
      case 'assign':
      case 'start-round':
      case 'supersede-siblings':
        // The same decision has the same keys, however often it is written.
        state.outbox[`${rollout.id} ${number} ${i}`] = { kind: effect.kind, rollout: rollout.id };
        break;
      case 'set-production':
      case 'quarantine':
        changeModel(state.models[rollout.model], effect);
    }
  }
}

export function changeModel(
  model: Model | undefined,
  effect: Extract<Effect, { kind: 'set-production' | 'quarantine' }>,
): void {
  if (model === undefined) return;
  const version = model.versions[effect.version];
  if (effect.kind === 'quarantine') {
    if (version !== undefined) version.status = 'quarantined';
    return;
  }
  model.production = effect.version;
  model.exceptions = { ...effect.except };
  delete model.lifted;
  if (version !== undefined) version.wasProduction = true;
}
