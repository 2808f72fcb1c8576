import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { z } from 'zod';
import { DesiredReader } from '../models/desired-reader.js';
import { ModelStore } from '../models/fetch.js';
import { Trust } from '../models/trust.js';

/**
 * What devices believe, in a process of its own: for attacks from outside, which must meet the agent's own
 * trust and nothing else of it. Each message is what a device is given, and by whom; each answer what it made
 * of it.
 */
const asked = z.object({
  /** The device's folder: what it has learnt stays there. */
  state: z.string(),
  hub: z.string(),
  identity: z.object({
    device: z.string(),
    key: z.string(),
    certificate: z.string(),
    authority: z.string(),
    mqtt: z.string(),
    root: z.string(),
  }),
  /** How far its clock has gone on since, milliseconds. */
  later: z.number(),
  /** A model that it shall fetch, or what came as its desired state. */
  give: z.union([
    z.object({ name: z.string(), version: z.string(), digest: z.string() }),
    z.object({ desired: z.string() }),
  ]),
});

async function believe(message: unknown): Promise<{ code: string | null; message: string; holds: string[] }> {
  const { state, hub, identity, later, give } = check(asked, message, 'what a device is given');
  const folder = join(state, 'models');
  await mkdir(folder, { recursive: true });
  const clocks = { system: () => Date.now() + later, steady: () => performance.now() };
  const trust = await Trust.open(join(state, 'trust.json'), identity.root, () => undefined, clocks);
  const models = new ModelStore(folder, identity, hub, () => trust.now());
  const roots = { trusted: () => models.trustedRoot(), follow: () => models.followRoot() };
  const reader = new DesiredReader({ device: identity.device, trust, roots });
  const holds = async () => (await readdir(folder)).filter((name) => name !== 'tuf').sort();
  try {
    if ('desired' in give) await reader.take(Buffer.from(give.desired));
    else await models.obtain(give.name, give);
    return { code: null, message: '', holds: await holds() };
  } catch (error) {
    const code = error instanceof AdbreakError ? error.code : 'unexpected';
    return { code, message: explain(error), holds: await holds() };
  }
}

const turns = new SerialRunner();
process.on('message', (message) => void turns.run(async () => process.send?.(await believe(message))));
