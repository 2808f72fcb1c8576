import { MOST_TAGS } from '@adbreak/shared/contract/http/devices.js';
import type { DeviceChange, DeviceFilter, DeviceSet } from '@adbreak/shared/contract/http/fleet.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { activeRollouts } from '../rollouts/lifecycle/memberships.js';
import { channelKey } from '../rollouts/slices.js';
import type { HubState } from '../store/state.js';
import { productionOf } from './desired.js';
import { type ModelByTag, modelAfter } from './model-rules.js';

/** What people make of devices: another model, tags, a site, a channel. What would follow, and the change itself; pure. */
type Known = Pick<HubState, 'devices' | 'models' | 'rollouts'>;
type Device = HubState['devices'][string];

/** One device, by its name, or those with something in common. */
export interface Ask {
  readonly device?: string | undefined;
  readonly where?: DeviceFilter | undefined;
  readonly set: DeviceSet;
}
export interface Named {
  readonly device: string;
  readonly set: DeviceSet;
}
export interface Refused {
  readonly device: string;
  readonly error: AdbreakError;
}
export interface Outcome {
  readonly changed: readonly { readonly change: DeviceChange; readonly set: DeviceSet }[];
  readonly unchanged: readonly string[];
  readonly refused: readonly Refused[];
}

/** The devices that are meant, each once. Throws `input_invalid` where one is meant twice. */
export function devicesMeant(state: Known, asks: readonly Ask[]): readonly Named[] {
  const meant = new Map<string, DeviceSet>();
  for (const { device, where, set } of asks) {
    const ids = where === undefined ? [device ?? ''] : devicesWhere(state, where).map(({ id }) => id);
    for (const id of ids) {
      if (meant.has(id))
        throw new AdbreakError('input_invalid', `Cannot change device ${id}: it comes twice`, {
          remedy: 'Say of each device once what it shall be.',
        });
      meant.set(id, set);
    }
  }
  return [...meant].map(([device, set]) => ({ device, set }));
}

/** The devices of a fleet that fit; those whose identity was revoked are none of it. */
export function devicesWhere({ devices }: Pick<Known, 'devices'>, where: DeviceFilter): Device[] {
  return Object.values(devices).filter((device) => !device.revoked && fits(device, where));
}

export function fits(
  device: Device,
  { model, site, channel, hardware, tags, online }: DeviceFilter,
): boolean {
  const now = placeOf(device);
  return (
    (model === undefined || device.model === model) &&
    (site === undefined || now.site === site) &&
    (channel === undefined || (now.channel !== null && channelKey(now.channel) === channelKey(channel))) &&
    (hardware === undefined || device.slice?.hardware === hardware) &&
    (online === undefined || device.online === online) &&
    Object.entries(tags ?? {}).every(([key, value]) => {
      const own = ownValue(device.tags, key);
      return own !== undefined && (value === null || own === value);
    })
  );
}

/** Where a device stands and what it watches: as people have said, else as its reports say. */
export function placeOf({ place, slice }: Pick<Device, 'place' | 'slice'>) {
  return { site: place?.site ?? slice?.site ?? null, channel: place?.channel ?? slice?.channel ?? null };
}

/** What would change, device by device. */
export function outcomeOf(state: Known, named: readonly Named[], rules: ModelByTag): Outcome {
  const changed: Outcome['changed'][number][] = [];
  const unchanged: string[] = [];
  const refused: Refused[] = [];
  for (const { device, set } of named) {
    const found = changeOf(state, device, set, rules);
    if (found instanceof AdbreakError) refused.push({ device, error: found });
    else if (found === null) unchanged.push(device);
    else changed.push({ change: found, set });
  }
  return { changed, unchanged, refused };
}

/** Null where the device is so already; an error, which nobody has thrown, where it cannot become so. */
function changeOf(
  state: Known,
  id: string,
  set: DeviceSet,
  rules: ModelByTag,
): DeviceChange | AdbreakError | null {
  const device = ownValue(state.devices, id);
  if (device === undefined)
    return refusal('not_found', id, 'it is not enrolled', 'See `adbreak devices list`.');
  if (device.revoked)
    return refusal(
      'conflict',
      id,
      'its identity was revoked',
      `Enrol it again first: \`adbreak devices claim --device ${id}\`.`,
    );
  const tags = tagsAfter(device.tags, set);
  const count = Object.keys(tags).length;
  if (count > MOST_TAGS)
    return refusal('input_invalid', id, `it would have ${count} tags, at most ${MOST_TAGS}`);
  const model = set.model ?? modelAfter(device, tags, rules);
  const why = model === device.model ? null : unfit(state, device, model);
  if (why !== null) return why;
  const before = { model: device.model, tags: { ...device.tags }, ...placeOf(device) };
  const after = { model, tags, ...placeAfter(device, set) };
  const isSame =
    model === device.model && sameTags(tags, device.tags) && !moves(device, set, 'site', 'channel');
  if (isSame) return null;
  const left = activeRollouts(state, device.model).find(({ members }) => members.includes(id));
  return {
    device: id,
    before,
    after,
    production: model === device.model ? null : (productionOf(state, model)?.version ?? null),
    leaves: model === device.model ? null : (left?.id ?? null),
    online: device.online,
  };
}

function refusal(code: ErrorCode, id: string, why: string, remedy?: string): AdbreakError {
  return new AdbreakError(code, `Cannot change device ${id}: ${why}`, remedy === undefined ? {} : { remedy });
}

/** Why a device cannot run the production of a model. One that has said nothing of its hardware yet may try. */
function unfit(state: Known, { id, slice }: Device, model: string): AdbreakError | null {
  const known = ownValue(state.models, model);
  if (known === undefined)
    return refusal('not_found', id, `there is no model ${model}`, 'See `adbreak models list`.');
  const manifest = known.production === null ? undefined : known.versions[known.production]?.manifest;
  if (manifest === undefined)
    return refusal(
      'conflict',
      id,
      `${model} has no production version`,
      `Promote one first: \`adbreak models promote ${model} VERSION\`.`,
    );
  const { hardware, version } = manifest;
  if (hardware === undefined || slice === null || hardware.includes(slice.hardware)) return null;
  return refusal(
    'conflict',
    id,
    `${model} ${version} is for ${hardware.join(', ')}, and its hardware is ${slice.hardware}`,
    'Name other devices, or register a version that is for this hardware too.',
  );
}

type Tags = Readonly<Record<string, string>>;
function tagsAfter(before: Tags, { tags, only_tags = false }: DeviceSet): Record<string, string> {
  if (tags === undefined) return { ...before };
  const all = new Map<string, string | null>([
    ...(only_tags ? [] : Object.entries(before)),
    ...Object.entries(tags),
  ]);
  return Object.fromEntries(
    [...all].flatMap(([key, value]): [string, string][] => (value === null ? [] : [[key, value]])),
  );
}
function sameTags(a: Tags, b: Tags): boolean {
  const entries = Object.entries(a);
  return entries.length === Object.keys(b).length && entries.every(([key, one]) => ownValue(b, key) === one);
}

/**
 * Whether what is asked of a place differs from what is there. To be told what its reports say anyway is no
 * change: a table that was exported can be imported again.
 */
function moves(device: Device, set: DeviceSet, ...names: readonly ('site' | 'channel')[]): boolean {
  return names.some((name) => {
    const asked = set[name];
    if (asked === undefined) return false;
    return asked === null ? device.place?.[name] !== undefined : placeOf(device)[name] !== asked;
  });
}
/** As its reports say it where a word of people is taken back: known with the next one. */
function placeAfter(device: Device, set: DeviceSet) {
  const now = placeOf(device);
  return {
    site: set.site === undefined ? now.site : set.site,
    channel: set.channel === undefined ? now.channel : set.channel,
  };
}

/** The change itself, in place; once more, it changes nothing. */
export function applyChange(
  { devices }: Pick<HubState, 'devices'>,
  { device: id, after }: DeviceChange,
  set: DeviceSet,
): void {
  const device = devices[id];
  if (device === undefined) return;
  const place = { ...device.place };
  for (const name of ['site', 'channel'] as const) {
    const asked = set[name];
    if (asked === undefined || !moves(device, set, name)) continue;
    if (asked === null) delete place[name];
    else place[name] = asked;
  }
  device.model = after.model;
  device.tags = { ...after.tags };
  if (Object.keys(place).length > 0) device.place = place;
  else delete device.place;
  if (device.slice !== null) device.slice = placed(device.slice, device.place);
}

type Slice = NonNullable<Device['slice']>;
/** Where counts belong, where people have said it: a device's own word gives way, its hardware stays. */
export function placed(slice: Slice, place: Device['place']): Slice {
  return place === undefined
    ? slice
    : { ...slice, site: place.site ?? slice.site, channel: place.channel ?? slice.channel };
}
