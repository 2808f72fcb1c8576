import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { episodesOfHours, storedState } from '@adbreak/hub/testing/store.js';

/** What changes when a device is refused, comes or goes, and when a person is there. */
const PASSING = [
  'lastSeen',
  'online',
  'linkSince',
  'lost',
  'refusedReports',
  'refusal',
  'clock',
  'used',
  'lastSignIn',
  // The gate's own look, as hours go by.
  'silentSince',
];

/**
 * All that an attack must leave as it is, as it lies on the hub's disk: what a hub remembers, sums by hour,
 * settings, and what is signed. A part of the state that is new is compared by itself; left out is by name
 * what passes, what looks of the gate change, and refused commands, which are remembered as such.
 */
export async function unchanging(folder: string): Promise<string> {
  const { outbox: _, time: _____, rollouts, operatorCommands, ...rest } = await storedState(folder);
  const state = {
    ...rest,
    operatorCommands: Object.entries(operatorCommands).filter(([, { reply }]) => reply.outcome === 'done'),
    rollouts: rollouts.map(({ evidence, last: __, history, drift: ___, seen: ____, ...rollout }) => ({
      ...rollout,
      orders: history.filter(({ verdict }) => verdict === 'ORDER'),
      devices: evidence.devices,
    })),
    hours: [...(await episodesOfHours(folder))].sort(),
    settings: await readFile(join(folder, 'settings.json'), 'utf8').catch(() => null),
    signed: await signed(join(folder, 'registry')),
  };
  return JSON.stringify(state, (key, value: unknown) => (PASSING.includes(key) ? undefined : value));
}

/** Roots, lists of targets, and what they name; the other two are signed anew by the hour. */
async function signed(registry: string): Promise<readonly string[]> {
  const metadata = (await readdir(join(registry, 'metadata'))).filter((name) => /root|targets/.test(name));
  return [...metadata, ...(await readdir(join(registry, 'targets')))].sort();
}

/** Around the first place where two texts differ. */
export function difference(before: string, after: string): string {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at += 1;
  const from = Math.max(0, at - 80);
  return `${before.slice(from, from + 200)}\n  ${after.slice(from, from + 200)}`;
}
