import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { modelRef } from '@adbreak/shared/contract/manifest.js';
import { desired } from '@adbreak/shared/contract/messages.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { z } from 'zod';

/** The hub's own word on everything, as far as it is held to it. */
const rollout = z.object({
  id: z.string(),
  status: z.string(),
  percent: z.number(),
  from: modelRef,
  to: modelRef,
  members: z.array(z.string()),
  acting: z.array(z.string()),
  excepted: z.record(z.string(), z.string()),
  setAside: z.record(z.string(), z.unknown()),
  evidence: z.record(z.string(), z.record(z.string(), z.unknown())),
});
export type RolloutView = z.infer<typeof rollout>;
const device = z.object({
  id: z.string(),
  model: z.string(),
  desired: desired.nullable(),
  sequence: z.int(),
  missingWindows: z.int(),
  refusedReports: z.int(),
});
const model = z.object({
  production: z.string().nullable(),
  exceptions: z.record(z.string(), modelRef),
  versions: z.record(z.string(), z.object({ manifest: z.object({ digest: z.string() }) })),
});
const overview = z.object({
  devices: z.array(device),
  models: z.record(z.string(), model),
  rollouts: z.array(rollout),
});
export type Overview = z.infer<typeof overview>;

export const overviewOf = async (hub: HubAddress): Promise<Overview> =>
  overview.parse(await callHub(hub, '/api/v1/overview'));
export const isActive = ({ status }: Pick<RolloutView, 'status'>) =>
  ['running', 'paused', 'suspended', 'watching'].includes(status);

/** The devices whose desired state is not what their rollout says, each with why; computed from the rollouts alone, not as the hub does it. */
export function desiredDiffers({ devices, models, rollouts }: Overview): string[] {
  return devices.flatMap((one) => {
    const wrong = wrongDesired(one, models[one.model], rollouts.filter(isActive));
    return wrong === null ? [] : [`${one.id}: ${wrong}`];
  });
}

function wrongDesired(
  { id, desired: has }: Overview['devices'][number],
  facts: Overview['models'][string] | undefined,
  active: readonly RolloutView[],
): string | null {
  const version = facts?.production ?? null;
  if (facts === undefined || version === null)
    return has === null ? null : 'nothing is in production, and it has a desired state';
  if (has === null) return 'it has no desired state';
  const own = active.filter(({ members }) => members.includes(id));
  if (own.length !== Math.min(1, active.length)) return `it is in ${own.length} of ${active.length} rollouts`;
  const [one] = own;
  const exception = ownValue(facts.exceptions, `device=${id}`)?.digest;
  const production =
    one === undefined
      ? (exception ?? facts.versions[version]?.manifest.digest)
      : (ownValue(one.excepted, id) ?? one.from.digest);
  const acts = one?.acting.includes(id) === true;
  if (one?.percent === 0 && acts) return `it acts in the shadow of ${one.id}`;
  if (one?.percent === 100 && !acts && ownValue(one.setAside, id) === undefined)
    return `it does not act though ${one.id} reaches all`;
  const wanted = {
    production,
    candidate: one?.to.digest ?? null,
    serve: acts ? 'candidate' : 'production',
    rollout: one?.id ?? null,
  };
  const found = {
    production: has.production.digest,
    candidate: has.candidate?.digest ?? null,
    serve: has.serve,
    rollout: has.rollout,
  };
  return JSON.stringify(found) === JSON.stringify(wanted)
    ? null
    : `it has ${JSON.stringify(found)}, and its rollout says ${JSON.stringify(wanted)}`;
}
