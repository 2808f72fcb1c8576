import { MODEL_NAME } from '@adbreak/shared/contract/manifest.js';
import { deviceId } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { z } from 'zod';
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

/** Names that something new may bear: the hub keeps devices and models in objects under their names. */
const free = (name: string) => !(name in Object.prototype);
const TAKEN = 'is a name that every object has: choose another one';
export const newDevice = deviceId.refine(free, TAKEN);
export const modelName = z.string().regex(MODEL_NAME, 'must be a model name');
export const newModel = modelName.refine(free, TAKEN);
