import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { activeRollouts } from '../rollouts/lifecycle/memberships.js';
import type { HubState } from '../store/state.js';
import { productionOf } from './desired.js';

/** Versions that nobody needs any more: what still needs one, and the change itself; pure. */
type Known = Pick<HubState, 'models' | 'rollouts' | 'evaluations'>;

/**
 * Throws `conflict` where a version is needed: it is in production, in a rollout or a round, stays somewhere by
 * an exception, or is what a rollback would go back to. One that is to be deleted has no alias either.
 */
export function refuseNeeded(
  state: Known,
  { model, version }: { readonly model: string; readonly version: string },
  doing: 'archive' | 'delete',
): void {
  const why =
    neededFor(state, model, version) ?? (doing === 'delete' ? namedBy(state, model, version) : null);
  if (why !== null)
    throw new AdbreakError('conflict', `Cannot ${doing} ${model} ${version}: ${why.reason}`, {
      remedy: why.remedy,
    });
}

interface Need {
  readonly reason: string;
  readonly remedy: string;
}
function neededFor(state: Known, model: string, version: string): Need | null {
  const production = productionOf(state, model);
  if (production?.version === version)
    return { reason: 'it is in production', remedy: 'Roll another version out first.' };
  const running = activeRollouts(state, model).find(({ from, to, exceptions }) =>
    // An abort brings its exceptions back.
    [from, to, ...Object.values(exceptions)].some((one) => one.version === version),
  );
  if (running !== undefined)
    return {
      reason: `rollout ${running.id} is ${running.status}, and needs it`,
      remedy: `Wait for it, or \`adbreak rollouts abort ${running.id}\`.`,
    };
  const last = state.rollouts.findLast(
    (one) => one.model === model && one.status === 'completed' && one.to.digest === production?.digest,
  );
  if (last?.from.version === version)
    return {
      reason: `a rollback of ${last.id} would go back to it`,
      remedy: `It may go once another version than ${last.to.version} is in production.`,
    };
  const stays = Object.entries(ownValue(state.models, model)?.exceptions ?? {}).find(
    ([, one]) => one.version === version,
  );
  if (stays !== undefined)
    return {
      reason: `${stays[0]} stays on it`,
      remedy: `Lift that first: \`adbreak models exceptions ${model}\`.`,
    };
  const round = state.evaluations.find(
    (one) =>
      one.status === 'open' &&
      one.model === model &&
      [one.request.production, one.request.candidate].some((arm) => arm.version === version),
  );
  if (round === undefined) return null;
  return { reason: `the round ${round.id} is open, and about it`, remedy: 'Wait until it is closed.' };
}

function namedBy({ models }: Known, model: string, version: string): Need | null {
  const aliases = Object.entries(ownValue(models, model)?.aliases ?? {});
  const alias = aliases.find(([, named]) => named === version)?.[0];
  if (alias === undefined) return null;
  return {
    reason: `${alias} is its name`,
    remedy: `Take that away: \`adbreak models alias ${model} ${alias} --remove\`.`,
  };
}

/** Takes a version out, in place; its number and its digest are remembered. Once more, it changes nothing. */
export function forgetVersion(
  { models }: Pick<HubState, 'models'>,
  model: string,
  version: string,
  at: Date,
) {
  const entry = models[model];
  const known = entry?.versions[version];
  if (entry === undefined || known === undefined) return;
  entry.deleted = {
    ...entry.deleted,
    [version]: { digest: known.manifest.digest, at: at.toISOString() },
  };
  delete entry.versions[version];
}
