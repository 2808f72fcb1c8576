import { AdbreakError } from '@adbreak/shared/errors.js';

/** What `key=value` and `key=` say of a device's tags; null takes one away. Throws `input_invalid` before anything is asked of the hub. */
export function tagChanges(words: readonly string[]): Record<string, string | null> {
  const changes = new Map<string, string | null>();
  for (const word of words) {
    const [, key, value] = /^([a-z0-9_-]{1,60})=(.{0,60})$/.exec(word) ?? [];
    if (key === undefined || value === undefined)
      throw new AdbreakError('input_invalid', `Cannot tag by ${JSON.stringify(word)}: it is not key=value`, {
        remedy:
          'Write ring=early to set a tag, ring= to take it away; a key has lower-case letters, digits, dashes and underscores.',
      });
    if (changes.has(key))
      throw new AdbreakError('input_invalid', `Cannot tag by ${JSON.stringify(word)}: ${key} comes twice`);
    changes.set(key, value === '' ? null : value);
  }
  return Object.fromEntries(changes);
}
