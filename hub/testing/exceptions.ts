import type { TestContext } from 'node:test';
import { callHub } from '../cli/client.js';
import { PLAN, started } from '../rollouts/fixtures.js';
import type { Rollout } from '../rollouts/rollout.js';
import { start } from '../rollouts/step.js';
import { openStore } from '../store/open.js';
import type { HubState, StoredRollout } from '../store/state.js';
import { type TestHub, testHub } from '../testing.js';
import { card } from './cards.js';
import { publish } from './chain.js';
import { MODEL } from './state.js';

/** Exceptions as completed rollouts leave them, without the days of evidence that a gate takes for that. */
export const AT = '2026-01-03T04:00:00.000Z';
export const REASONS = {
  slice: 'worse in channel=one: 30 won, 90 lost of 500 distinct episodes',
  device: 'pi-3 is unlike the others: tuner or capture',
} as const;
const ROLLOUT = 'base-ad-detector-2.0.0-abc123';

/** A rollout that left channel one and pi-3 behind. */
export function leftBehind(change: Partial<Rollout> = {}): StoredRollout {
  const behind = {
    excluded: { 'channel=one': { at: AT, reason: REASONS.slice } },
    setAside: { 'pi-3': { at: AT, reason: REASONS.device } },
  };
  return { ...start(started(PLAN, { id: ROLLOUT })), status: 'completed', ...behind, ...change, seen: 0 };
}

/** Puts 1.0.0 on channel one (pi-1, pi-2) and on pi-3; pi-4 is on production, 2.0.0. */
function leave(state: HubState): void {
  const model = state.models[MODEL];
  const [from, to] = ['1.0.0', '2.0.0'].map((version) => ({
    version,
    digest: model?.versions[version]?.manifest.digest ?? '',
  }));
  if (model === undefined || from === undefined || to === undefined) throw new Error('the hub has no model');
  for (const [id, channel] of Object.entries({ 'pi-1': 'one', 'pi-2': 'one', 'pi-3': 'two', 'pi-4': 'two' }))
    Object.assign(state.devices[id] ?? {}, { slice: { channel, site: 'home', hardware: 'pi5' } });
  Object.assign(model, { production: '2.0.0', exceptions: { 'channel=one': from, 'device=pi-3': from } });
  state.rollouts.push(leftBehind({ from, to }));
}

/** A real hub with four devices, whose last rollout left some of them behind: written into its state while it was stopped. */
export async function hubWithExceptions(t: TestContext): Promise<TestHub> {
  const first = await testHub(t);
  for (const version of ['1.0.0', '2.0.0', '3.0.0'])
    await publish(first, version, 1, { promote: version === '1.0.0' });
  for (const device of ['pi-1', 'pi-2', 'pi-3', 'pi-4']) {
    const { tokens } = (await callHub(first, '/api/v1/claims', { method: 'POST', json: {} })) as {
      tokens: [string];
    };
    const { csr } = await card(device);
    await callHub(first, '/api/v1/enrol', {
      method: 'POST',
      json: { token: tokens[0], device, csr, instance: 'i' },
    });
  }
  await first.running[Symbol.asyncDispose]();
  const store = await openStore(first.folder, () => new Date());
  await store.change(leave);
  await store.close();
  return restarted(t, first);
}

export async function restarted(t: TestContext, hub: TestHub): Promise<TestHub> {
  await hub.running[Symbol.asyncDispose]();
  return { ...(await testHub(t, { folder: hub.folder })), token: hub.token };
}

/** What each device shall run. */
export async function productions(hub: TestHub): Promise<Record<string, string | undefined>> {
  const { devices } = (await callHub(hub, '/api/v1/overview')) as {
    devices: { id: string; desired: { production: { version: string } } | null }[];
  };
  return Object.fromEntries(devices.map(({ id, desired }) => [id, desired?.production.version]));
}
