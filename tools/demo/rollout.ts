import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { pushVersion } from '@adbreak/hub/cli/push.js';
import { readPlan } from '@adbreak/hub/rollouts/plan.js';
import { entry } from '@adbreak/hub/rollouts/rollout.js';
import { STATUSES } from '@adbreak/shared/contract/http/rollout-view.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { FOLDER, MODEL, PATIENCE_MS, ROOT, say } from './settings.js';

const view = z.object({
  id: z.string(),
  to: z.object({ version: z.string() }),
  status: z.enum(STATUSES),
  stageName: z.string(),
  episodes: z.number(),
  last: entry.nullable(),
  history: z.array(entry),
});
const overview = z.object({
  rollouts: z.array(view),
  devices: z.array(z.object({ id: z.string(), reported: z.object({ source: z.string() }).nullable() })),
});
export type View = z.infer<typeof view>;

/** `adbreak rollouts explain`, as the operator would ask for it. */
async function tellWhy(hub: HubAddress, { id, to }: View): Promise<void> {
  const { text } = z.object({ text: z.string() }).parse(await callHub(hub, `/api/v1/rollouts/${id}/explain`));
  say(`what the hub says of ${to.version} (adbreak rollouts explain ${id}):`);
  for (const line of text.split('\n')) console.log(`        ${line}`);
}

/** Registers and promotes a version, and tells each decision of the gate until it is over. */
export async function rollOut(hub: HubAddress, version: string, signal: AbortSignal): Promise<View> {
  await pushVersion(hub, join(FOLDER, 'models', version));
  await callHub(hub, `/api/v1/models/${MODEL}/versions/${version}/promote`, {
    method: 'POST',
    json: {
      status: 'production',
      rollout_percentage: 100,
      plan: await readPlan(join(ROOT, 'configs/rollouts/demo.yaml')),
    },
  });
  say(`version ${version}: in the shadow of production on every device`);
  const deadline = Date.now() + PATIENCE_MS;
  let told = 0;
  let lastSaid = Date.now();
  for (;;) {
    await sleep(500, undefined, { signal });
    const { rollouts, devices } = overview.parse(await callHub(hub, '/api/v1/overview'));
    const current = rollouts.find(({ to }) => to.version === version);
    if (current === undefined) throw new AdbreakError('not_found', `The hub has no rollout of ${version}`);
    for (const entry of current.history.slice(told))
      say(`  gate at ${entry.stage}: ${entry.verdict} → ${entry.action}: ${entry.reason}`);
    if (current.history.length > told) lastSaid = Date.now();
    told = current.history.length;
    if (current.status !== 'running' && current.status !== 'suspended' && current.status !== 'watching') {
      await tellWhy(hub, current);
      return current;
    }
    if (Date.now() - lastSaid > 10_000) {
      say(`  ${current.stageName}: ${current.last?.reason ?? 'waiting for evidence'}`);
      lastSaid = Date.now();
    }
    if (devices.every(({ reported }) => reported?.source === 'ended'))
      throw new AdbreakError(
        'conflict',
        `The broadcasts ended before the gate decided on ${version}: ${current.last?.reason}`,
        {
          remedy: 'Give a longer recording.',
        },
      );
    if (Date.now() > deadline)
      throw new AdbreakError(
        'conflict',
        `The gate has not decided on ${version} within ${PATIENCE_MS / 1000} s: ${current.last?.reason}`,
        {
          remedy: `Look at the logs in ${FOLDER}.`,
        },
      );
  }
}
