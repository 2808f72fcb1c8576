import type { ErrorCode } from '@adbreak/shared/errors.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import type { Attack } from '../attack.js';
import type { Ground, Rogue } from '../ground.js';
import { Between } from './between.js';
import {
  desiredOf,
  document,
  inForce,
  type Named,
  named,
  ownKey,
  plain,
  seal,
  stolenKey,
} from './forgery.js';

const DAY = 24 * 3_600_000;

interface Forgery {
  readonly what: string;
  readonly refused: ErrorCode;
  /** The device has fetched a version before, and knows the newest metadata. */
  readonly knows?: true;
  /** What whoever stands between says from now on. */
  readonly forge?: (says: Between['says'], ground: Ground, now: Named) => Promise<void>;
  /** How long it was kept from hearing anything else, milliseconds. */
  readonly later?: number;
  /** The version whose digest it is told in the place of the right one. */
  readonly as?: string;
}

const raised = ({ signed }: Named['targets'], by = 1) => ({ ...signed, version: signed.version + by });
const naming = (file: string, version: number) => ({ meta: { [file]: { version } } });
const file = (version: string) => Buffer.from(tinyRelease(version).file);

const FORGERIES: readonly Forgery[] = [
  {
    what: 'a time stamp of a key of its own',
    refused: 'metadata_forged',
    forge: async (says, _, { timestamp }) =>
      void says.set('/timestamp.json', seal(raised(timestamp), ownKey())),
  },
  {
    what: 'a time stamp of a key of its own, as the hub’s',
    refused: 'metadata_forged',
    forge: async (says, ground, { timestamp }) =>
      void says.set(
        '/timestamp.json',
        seal(raised(timestamp), ownKey(), await stolenKey(ground, 'timestamp')),
      ),
  },
  {
    what: 'a time stamp that was changed under its signature',
    refused: 'metadata_forged',
    forge: async (says, _, { timestamp }) =>
      void says.set('/timestamp.json', timestamp.text.replace(/"version":\d+/g, '"version":99')),
  },
  {
    what: 'a snapshot of a key of its own',
    refused: 'metadata_forged',
    forge: async (says, _, { snapshot }) => void says.set('.snapshot.json', seal(snapshot.signed, ownKey())),
  },
  {
    what: 'a list of a key of its own',
    refused: 'metadata_forged',
    forge: async (says, _, { targets }) => void says.set('.targets.json', seal(targets.signed, ownKey())),
  },
  {
    what: 'a list in which a digest was changed',
    refused: 'metadata_forged',
    forge: async (says, _, { targets }) =>
      void says.set(
        '.targets.json',
        targets.text.replaceAll(tinyRelease('2.0.0').manifest.digest, 'f'.repeat(64)),
      ),
  },
  {
    what: 'a root that names keys of its own',
    refused: 'metadata_forged',
    forge: async (says, _, { root }) => {
      const key = ownKey();
      const role = { keyids: [named(key).id], threshold: 1 };
      const roles = { root: role, targets: role, snapshot: role, timestamp: role };
      const signed = { ...raised(root), keys: { [named(key).id]: named(key).entry }, roles };
      says.set('/2.root.json', seal(signed, key));
    },
  },
  {
    what: 'a root that a stolen key of the list has signed',
    refused: 'metadata_forged',
    forge: async (says, ground, { root }) =>
      void says.set('/2.root.json', seal(raised(root), await stolenKey(ground, 'targets'))),
  },
  {
    what: 'a time stamp of 6 MB',
    refused: 'metadata_forged',
    forge: async (says) => void says.set('/timestamp.json', Buffer.alloc(6_000_000, 0x20)),
  },
  {
    what: 'prototype keys as a time stamp',
    refused: 'metadata_forged',
    forge: async (says) =>
      void says.set('/timestamp.json', '{"__proto__":{"signed":{}},"constructor":{"prototype":{}}}'),
  },
  {
    what: 'a list that the stolen key of the snapshot has signed',
    refused: 'metadata_forged',
    forge: async (says, ground, { targets }) =>
      void says.set('.targets.json', seal(targets.signed, await stolenKey(ground, 'snapshot'))),
  },
  {
    what: 'a time stamp that the stolen key of the snapshot has signed',
    refused: 'metadata_forged',
    knows: true,
    forge: async (says, ground, { timestamp }) =>
      void says.set('/timestamp.json', seal(raised(timestamp), await stolenKey(ground, 'snapshot'))),
  },
  {
    // A device that knows nothing yet takes the older list, which is signed; it has nothing that was not.
    what: 'a snapshot of the stolen key that leads back to the list of before',
    refused: 'not_found',
    forge: async (says, ground, { snapshot, targets }) => {
      const back = { ...snapshot.signed, ...naming('targets.json', targets.signed.version - 1) };
      says.set('.snapshot.json', seal(back, await stolenKey(ground, 'snapshot')));
    },
  },
  {
    what: 'by both keys of every hour, stolen, the list of before',
    refused: 'metadata_invalid',
    knows: true,
    forge: async (says, ground, { snapshot, timestamp, targets }) => {
      const { version } = raised(snapshot);
      const back = { ...raised(snapshot), ...naming('targets.json', targets.signed.version - 1) };
      says.set('.snapshot.json', seal(back, await stolenKey(ground, 'snapshot')));
      const next = { ...raised(timestamp), ...naming('snapshot.json', version) };
      says.set('/timestamp.json', seal(next, await stolenKey(ground, 'timestamp')));
    },
  },
  {
    what: 'by both keys of every hour, stolen, a list of its own',
    refused: 'metadata_forged',
    knows: true,
    forge: async (says, ground, { snapshot, timestamp, targets }) => {
      const [list, { version }] = [raised(targets), raised(snapshot)];
      const [hourly, daily] = [await stolenKey(ground, 'timestamp'), await stolenKey(ground, 'snapshot')];
      says.set('.targets.json', seal(list, daily));
      says.set(
        '.snapshot.json',
        seal({ ...raised(snapshot), ...naming('targets.json', list.version) }, daily),
      );
      says.set(
        '/timestamp.json',
        seal({ ...raised(timestamp), ...naming('snapshot.json', version) }, hourly),
      );
    },
  },
  {
    what: 'the time stamp of before, again',
    refused: 'metadata_invalid',
    knows: true,
    forge: async (says, ground) => void says.set('/timestamp.json', ground.earlier),
  },
  {
    what: 'nothing new for eight days',
    refused: 'metadata_invalid',
    later: 8 * DAY,
  },
  {
    what: 'nothing new for eight days, to a device that knows the newest',
    refused: 'metadata_invalid',
    knows: true,
    later: 8 * DAY,
  },
  {
    what: 'the snapshot of before under the time stamp of now',
    refused: 'metadata_invalid',
    forge: async (says, ground, { snapshot }) => {
      const before = await document(ground, `${snapshot.signed.version - 1}.snapshot.json`);
      says.set('.snapshot.json', before.text);
    },
  },
  {
    what: 'the list of before under the snapshot of now',
    refused: 'metadata_invalid',
    forge: async (says, ground, { targets }) => {
      const before = await document(ground, `${targets.signed.version - 1}.targets.json`);
      says.set('.targets.json', before.text);
    },
  },
  {
    what: 'the model of another version',
    refused: 'manifest_forged',
    forge: async (says) => void says.set('.model.tflite', file('1.0.0')),
  },
  {
    what: 'a model with one bit changed',
    refused: 'manifest_forged',
    forge: async (says) => {
      const changed = file('2.0.0');
      changed[100] = (changed[100] ?? 0) ^ 1;
      says.set('.model.tflite', changed);
    },
  },
  {
    what: 'a model and a byte more',
    refused: 'manifest_forged',
    forge: async (says) => void says.set('.model.tflite', Buffer.concat([file('2.0.0'), Buffer.of(0)])),
  },
  {
    what: 'half a model',
    refused: 'manifest_forged',
    forge: async (says) => void says.set('.model.tflite', file('2.0.0').subarray(0, 200)),
  },
  {
    what: 'a manifest of its own',
    refused: 'manifest_forged',
    forge: async (says) => {
      const manifest = { ...tinyRelease('2.0.0').manifest, threshold: 0 };
      says.set('.manifest.json', JSON.stringify(manifest));
    },
  },
  { what: 'the digest of another version, as an order', refused: 'manifest_forged', as: '1.0.0' },
];

/** Desired states; `revision` 5 is what the device has heard last. */
const WORDS: readonly (readonly [
  what: string,
  refused: ErrorCode,
  word: (ground: Ground, device: string) => Promise<string> | string,
  later?: number,
])[] = [
  ['without a signature', 'desired_forged', () => JSON.stringify(plain(6))],
  [
    'signed by a key of its own',
    'desired_forged',
    (_, device) => desiredOf({ device, revision: 6 }, ownKey()),
  ],
  [
    'signed by a key of its own, as the hub’s',
    'desired_forged',
    async (ground, device) =>
      desiredOf({ device, revision: 6 }, ownKey(), await stolenKey(ground, 'timestamp')),
  ],
  [
    'signed by the stolen key of the snapshot',
    'desired_forged',
    async (ground, device) => desiredOf({ device, revision: 6 }, await stolenKey(ground, 'snapshot')),
  ],
  [
    'changed under its signature',
    'desired_forged',
    async (ground, device) => (await hubs(ground, device, 6)).replace('2.0.0', '1.0.0'),
  ],
  [
    'signed as metadata is, without the mark',
    'desired_forged',
    async (ground, device) => hubs(ground, device, 6, { mark: (payload) => Buffer.from(payload) }),
  ],
  ['for another device', 'desired_forged', (ground) => hubs(ground, ground.good, 6)],
  ['of before, again', 'desired_untimely', (ground, device) => hubs(ground, device, 4)],
  ['of two days ago', 'desired_untimely', (ground, device) => hubs(ground, device, 6), 2 * DAY],
  [
    'of the year after next',
    'desired_untimely',
    (ground, device) => hubs(ground, device, 6, { issued: Date.now() + 700 * DAY }),
  ],
  ['of a number beyond all', 'desired_untimely', (ground, device) => hubs(ground, device, 9e15)],
  ['of prototype keys', 'desired_forged', () => '{"__proto__":{"signatures":[]},"constructor":{}}'],
];
async function hubs(
  ground: Ground,
  device: string,
  revision: number,
  more: Partial<Parameters<typeof desiredOf>[0]> = {},
): Promise<string> {
  return desiredOf({ device, revision, ...more }, await stolenKey(ground, 'timestamp'));
}

/** Who stands between the hub and a row's device. */
const betweens = new WeakMap<Rogue, Between>();
async function standBetween(ground: Ground, rogue: Rogue): Promise<Between> {
  const between = await Between.open(ground, rogue);
  betweens.set(rogue, between);
  return between;
}
function between(rogue: Rogue): Between {
  const one = betweens.get(rogue);
  if (one === undefined) throw new Error('nobody stands between the hub and the device');
  return one;
}
/** Throws where a device does not take what is good: then what it refuses says nothing. */
function mustBelieve({ code, message }: { readonly code: string | null; readonly message: string }): void {
  if (code !== null) throw new Error(`the device does not take what is good: ${message}`);
}

/** Of what devices are told in the hub's name. */
export const METADATA: readonly Attack[] = [
  ...FORGERIES.map(
    ({ what, refused, knows, forge, ...given }): Attack => ({
      name: `gives a device ${what}`,
      refused,
      prepare: async (ground, rogue) => {
        const one = await standBetween(ground, rogue);
        if (knows) mustBelieve(await one.take('1.0.0'));
      },
      attempt: async (ground, rogue) => {
        await forge?.(between(rogue).says, ground, await inForce(ground));
        const { code, holds } = await between(rogue).take('2.0.0', given);
        if (code === null) throw new Error('the device took it');
        if (holds.length !== (knows ? 1 : 0)) throw new Error(`the device holds ${holds}`);
        return { code };
      },
    }),
  ),
  ...WORDS.map(
    ([what, refused, word, later]): Attack => ({
      name: `gives a device a desired state ${what}`,
      refused,
      prepare: async (ground, rogue) => {
        const one = await standBetween(ground, rogue);
        mustBelieve(await one.hear(await hubs(ground, rogue.device, 5)));
      },
      attempt: async (ground, rogue) => {
        const { code } = await between(rogue).hear(await word(ground, rogue.device), later);
        if (code === null) throw new Error('the device follows it');
        // What comes from the hub itself is followed on.
        mustBelieve(await between(rogue).hear(await hubs(ground, rogue.device, 7)));
        return { code };
      },
    }),
  ),
];
