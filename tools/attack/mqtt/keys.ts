import { connectDevice } from '@adbreak/hub/testing/killed.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';

/** What a device says beside windows, as it would be right. */
const WORDS: readonly (readonly [kind: string, right: () => object])[] = [
  ['status', () => ({ online: true, agent: 'rogue', at: now() })],
  [
    'reported',
    () => ({
      revision: 0,
      serving: null,
      shadow: null,
      slot: 'factory',
      problem: null,
      source: 'running',
      statusPage: null,
      at: now(),
    }),
  ],
  ['events', () => ({ kind: 'signal-lost', at: now(), reason: 'none' })],
  ['evaluations/constructor', () => ({ round: 'constructor', at: now() })],
];
const POISONS: readonly (readonly [what: string, key: string])[] = [
  ['`__proto__`', '"__proto__":{"online":true}'],
  ['`constructor`', '"constructor":{"prototype":{"online":true}}'],
  ['`toString`', '"toString":"x"'],
];
const now = () => new Date().toISOString();

/** Keys that every object has, in each kind of message that a device writes; windows are among the lies. */
export const KEYS: readonly Attack[] = WORDS.flatMap(([kind, right]) =>
  POISONS.map(
    ([what, key]): Attack => ({
      name: `says ${what} as a key at ${kind}`,
      refused: 'input_invalid',
      attempt: async (ground, rogue) => {
        const client = connectDevice(rogue.identity, ground.hub);
        rogue.after(() => client.end(true));
        await until('it is connected', () => client.connected);
        const payload = JSON.stringify(right()).replace('{', `{${key},`);
        await client.publishAsync(`adbreak/v1/devices/${rogue.device}/${kind}`, payload, { qos: 1 });
        return { about: `refused a message of ${rogue.device}` };
      },
    }),
  ),
);
