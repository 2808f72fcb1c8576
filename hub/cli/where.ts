import type { DeviceFilter } from '@adbreak/shared/contract/http/fleet.js';
import { AdbreakError } from '@adbreak/shared/errors.js';

const KEYS = ['model', 'site', 'channel', 'hardware', 'tag', 'online'] as const;
type Key = (typeof KEYS)[number];

/** `--where site=home,tag=ring:early`, as often as it comes. */
export function addConditions(text: string, before: readonly string[]): string[] {
  return [...before, ...text.split(',').map((one) => one.trim())];
}

/** The conditions as the list of devices takes them. Throws `input_invalid` for what is none. */
export function queryOf(conditions: readonly string[]) {
  const query: Partial<Record<Key, string>> = {};
  for (const condition of conditions) {
    const [, name = '', value] = /^([a-z]+)=(.{1,121})$/.exec(condition) ?? [];
    const key = KEYS.find((one) => one === name);
    if (key === undefined || value === undefined) throw invalid(condition, 'it is no condition');
    if (query[key] !== undefined) throw invalid(condition, `${key} comes twice`);
    query[key] = value;
  }
  const { online, ...rest } = query;
  if (online === undefined) return rest;
  if (online !== 'true' && online !== 'false') throw invalid(`online=${online}`, 'it is true or false');
  return { ...rest, online } as const;
}

/** The same as what a change takes. */
export function filterOf(conditions: readonly string[]): DeviceFilter {
  const { tag, online, ...rest } = { tag: undefined, online: undefined, ...queryOf(conditions) };
  return {
    ...rest,
    ...(tag !== undefined && { tags: tagOf(tag) }),
    ...(online !== undefined && { online: online === 'true' }),
  };
}

/** `ring`: whatever its value; `ring:early`: this one. */
function tagOf(tag: string): Record<string, string | null> {
  const [key = '', ...value] = tag.split(':');
  return { [key]: value.length === 0 ? null : value.join(':') };
}

function invalid(condition: string, why: string): AdbreakError {
  return new AdbreakError('input_invalid', `Cannot look for ${JSON.stringify(condition)}: ${why}`, {
    remedy:
      'Write --where site=home,tag=ring:early; there is model, site, channel, hardware, tag=KEY, tag=KEY:VALUE, online=true.',
  });
}
