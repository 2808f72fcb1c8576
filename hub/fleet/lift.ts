import { ownValue } from '@adbreak/shared/own-value.js';
import type { Executor } from '../rollouts/lifecycle/executor.js';
import type { Store } from '../store/store.js';
import { applyLift, type Lift, liftOf } from './exceptions.js';

interface LiftRequest {
  readonly model: string;
  readonly name: string;
  readonly who: string;
  readonly reason: string;
}

/**
 * Puts what an exception holds back on production by a person's word: on disk and in the audit log first, then to the
 * devices. Once more, it changes nothing, and publishes what an earlier call did not come to. Throws what `liftOf` throws.
 */
export function liftException(
  { store, executor, now }: { readonly store: Store; readonly executor: Executor; readonly now: () => Date },
  { model, name, who, reason }: LiftRequest,
): Promise<Lift> {
  return executor.betweenRollouts(model, async () => {
    const lift = liftOf(store.state, model, name);
    if (lift.kind === 'lift') {
      const { version } = lift.exception;
      await store.change(
        (state) =>
          applyLift(ownValue(state.models, model), { name, version, at: now().toISOString(), who, reason }),
        {
          who,
          what: 'exception.lift',
          subject: `${model} ${name}`,
          before: version,
          after: { production: lift.production, reason, devices: lift.moves.map(({ device }) => device) },
        },
      );
    }
    await executor.assign(model);
    return lift;
  });
}
