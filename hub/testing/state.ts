import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import type { HubState } from '../store/state.js';

/** Entries of the hub's state for tests that need no devices behind them. */
export const MODEL = 'base-ad-detector';
export const AT = '2026-01-01T00:00:00.000Z';

export function deviceEntry(
  id: string,
  channel: string,
  change: Partial<HubState['devices'][string]> = {},
): HubState['devices'][string] {
  return {
    id,
    enrolled: AT,
    fingerprint: 'f'.repeat(64),
    certificateEnds: null,
    renewal: null,
    revoked: false,
    tags: {},
    slice: { channel, site: 'home', hardware: 'pi5' },
    model: MODEL,
    desired: null,
    online: true,
    lastSeen: null,
    reported: null,
    sequence: 0,
    missingWindows: 0,
    refusedReports: 0,
    ...change,
  };
}

/** Versions with a digest of their major number. */
export function modelEntry(
  production: string | null,
  versions: readonly string[],
): HubState['models'][string] {
  const entry = (version: string) => ({
    manifest: { ...tinyRelease(version).manifest, digest: (version[0] ?? '0').repeat(64) },
    status: 'available' as const,
    registered: AT,
    wasProduction: false,
    evaluations: [],
  });
  return {
    production,
    exceptions: {},
    versions: Object.fromEntries(versions.map((version) => [version, entry(version)])),
  };
}

/** An account, and a session of it. */
export const ANNA: HubState['accounts'][string] = {
  name: 'anna',
  role: 'viewer',
  password: null,
  created: AT,
  changed: AT,
  lastSignIn: null,
  networks: [],
};
export const SESSION = { hash: 'a'.repeat(64), account: 'anna', begun: AT, used: AT };

/** A training that waits. */
export const TRAINING: HubState['trainingJobs'][string] = {
  id: 't-1',
  model: MODEL,
  version: '1.0.0',
  configuration: 'training: { epochs: 3 }',
  settings: ['training.seed=2'],
  dataset: 'grey',
  who: 'token:first',
  asked: AT,
  standing: { state: 'queued' },
  interruptions: 0,
  progress: null,
  epochs: [],
};
