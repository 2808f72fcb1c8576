import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState, Model } from '../store/state.js';

/** A model that has versions. Throws `not_found`. */
export function knownModel(state: Readonly<HubState>, name: string, what: string): Model {
  const model = ownValue(state.models, name);
  if (model === undefined)
    throw new AdbreakError('not_found', `Cannot ${what} ${name}: there is no such model`, {
      remedy: 'See `adbreak models list`.',
    });
  return model;
}
/** A version of it by its number or an alias, or the one in production. Throws `not_found`. */
export function knownVersion(
  state: Readonly<HubState>,
  { name, version }: { readonly name: string; readonly version: string },
  what: string,
) {
  const model = knownModel(state, name, what);
  const number =
    version === 'production' ? model.production : (ownValue(model.aliases ?? {}, version) ?? version);
  const entry = number === null ? undefined : ownValue(model.versions, number);
  if (number === null || entry === undefined)
    throw new AdbreakError('not_found', `Cannot ${what} ${name} ${version}: there is no such version`);
  return { model, number, entry };
}

export function knownDevice(
  state: Readonly<HubState>,
  id: string,
  what: string,
): HubState['devices'][string] {
  const device = ownValue(state.devices, id);
  if (device === undefined)
    throw new AdbreakError('not_found', `Cannot ${what} device ${id}: it is not enrolled`, {
      remedy: 'See `adbreak devices list`.',
    });
  return device;
}
