import type { VersionLine } from '@adbreak/shared/contract/http/models.js';
import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import { activeRollouts } from '../rollouts/lifecycle/memberships.js';
import { percentOf } from '../rollouts/rollout.js';
import type { HubState } from '../store/state.js';
import { knownModel, knownVersion } from './names.js';

type State = Readonly<HubState>;

/** A model in a line: what is in production, and the rollout that would change it. */
export function modelLine(state: State, name: string) {
  const { production } = knownModel(state, name, 'show');
  const [active] = activeRollouts(state, name);
  return {
    name,
    production,
    rollout:
      active === undefined
        ? null
        : {
            id: active.id,
            version: active.to.version,
            status: active.status,
            percent: percentOf(active),
          },
  };
}

/** A version in the words of a promote call. */
export function versionLine(state: State, name: string, version: string): VersionLine {
  const { model, entry } = knownVersion(state, { name, version }, 'show');
  const tried = activeRollouts(state, name).find(({ to }) => to.version === version);
  const isProduction = model.production === version;
  const { digest, bytes } = entry.manifest;
  return {
    version,
    status: statusOf(entry.status, isProduction, tried !== undefined),
    is_production: isProduction,
    rollout_percentage: percentActing(isProduction, tried),
    registered: entry.registered,
    digest,
    bytes,
    aliases: Object.entries(model.aliases ?? {})
      .filter(([, named]) => named === version)
      .map(([alias]) => alias),
    notes: entry.notes ?? '',
    archived: entry.archived ?? false,
  };
}

/** Where a version comes from, as far as its manifest and the rollouts know. */
export function lineageOf(
  state: State,
  name: string,
  { version, architecture, weights, createdAt }: Manifest,
) {
  const tried = state.rollouts.filter(({ model, to }) => model === name && to.version === version);
  return {
    architecture,
    weights,
    made: createdAt,
    rollouts: tried.map(({ id, from, status }) => ({ id, from: from.version, status })),
  };
}

function statusOf(
  kept: 'available' | 'quarantined',
  isProduction: boolean,
  isTried: boolean,
): VersionLine['status'] {
  if (isProduction) return 'production';
  return isTried ? 'canary' : kept;
}

function percentActing(isProduction: boolean, tried: Parameters<typeof percentOf>[0] | undefined): number {
  if (isProduction) return 100;
  return tried === undefined ? 0 : percentOf(tried);
}
