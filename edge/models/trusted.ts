import { join } from 'node:path';
import type { Identity } from '../identity/identity.js';
import { DesiredReader } from './desired-reader.js';
import { ModelStore } from './fetch.js';
import { Trust } from './trust.js';

interface Place {
  /** The agent's state folder. */
  readonly state: string;
  readonly hub: string;
  readonly log: (line: string) => void;
  /** An agent that stops waits for no hub. */
  readonly signal: AbortSignal;
}

/**
 * What this device believes of its hub: models and desired states by their signatures, both by the latest
 * time that the hub has signed.
 */
export async function openTrusted(
  identity: Identity,
  { state, hub, log, signal }: Place,
): Promise<{ trust: Trust; models: ModelStore; reader: DesiredReader }> {
  const trust = await Trust.open(join(state, 'trust.json'), identity.root, log);
  const models = new ModelStore(join(state, 'models'), identity, hub, () => trust.now());
  if (trust.enrolledAnew) await models.forgetMetadata();
  const roots = { trusted: () => models.trustedRoot(), follow: () => models.followRoot(signal) };
  return { trust, models, reader: new DesiredReader({ device: identity.device, trust, roots }) };
}
