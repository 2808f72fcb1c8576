import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { pushVersion } from '@adbreak/hub/cli/push.js';
import { signingRequest } from '@adbreak/hub/testing/enrol.js';
import { errorFromAnswer } from '@adbreak/shared/contract/wire-error.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { Agent, fetch } from 'undici';
import { z } from 'zod';
import type { Enrolled, Fleet } from './load.js';
import { EPISODES } from './reports.js';

/** A fleet behind a hub, made through its public doors: claims, certificates, models, a rollout. */
const MODEL = 'base-ad-detector';
const AT_ONCE = 32;
const ADDRESSES = 64;
/** As many as one call makes. */
const CLAIMS = 1000;

const claims = z.object({ tokens: z.array(z.string()) });
const enrolled = z.object({ certificate: z.string() });
const begun = z.object({
  rollout: z.object({
    id: z.string(),
    startedAt: z.iso.datetime(),
    from: z.object({ digest: z.string() }),
    to: z.object({ digest: z.string() }),
    plan: z.object({ windowSeconds: z.number() }),
  }),
});

/**
 * Enrols the fleet and begins a rollout by the hub's standard plan. Devices come before the first version: a
 * hub that has one tells every device what to run at each enrolment, and this is not what is measured.
 */
export async function makeFleet(
  hub: HubAddress,
  count: number,
  signal: AbortSignal,
  heard: (enrolled: number) => void,
): Promise<Fleet> {
  const devices = await enrolAll(hub, count, signal, heard);
  for (const version of ['1.0.0', '2.0.0']) await push(hub, version);
  await promote(hub, '1.0.0');
  const { id, startedAt, from, to, plan } = begun.parse(await promote(hub, '2.0.0')).rollout;
  const length = plan.windowSeconds * 1000;
  const hour = Math.floor(Date.parse(startedAt) / length) * length;
  return {
    authority: hub.authority,
    devices,
    pairing: { rollout: id, production: from.digest, candidate: to.digest, hour, length },
  };
}

async function enrolAll(
  hub: HubAddress,
  count: number,
  signal: AbortSignal,
  heard: (enrolled: number) => void,
): Promise<Enrolled[]> {
  const tokens: string[] = [];
  while (tokens.length < count) {
    const json = { count: Math.min(CLAIMS, count - tokens.length) };
    tokens.push(...claims.parse(await callHub(hub, '/api/v1/claims', { method: 'POST', json })).tokens);
  }
  // One connection for many enrolments: cards have one each, but handshakes are not what is measured. From many
  // addresses: of one the hub answers so many a second that have no certificate yet.
  const dispatchers = Array.from(
    { length: ADDRESSES },
    (_, i) => new Agent({ connect: { ca: hub.authority }, connections: 1, localAddress: `127.6.0.${i + 1}` }),
  );
  const devices: Enrolled[] = [];
  let [next, done] = [0, 0];
  const some = async () => {
    for (let index = next++; index < count; index = next++) {
      signal.throwIfAborted();
      const [name, token] = [`pi-${index}`, tokens[index] ?? ''];
      devices[index] = await enrol(hub, name, token, dispatchers[index % ADDRESSES]);
      done += 1;
      heard(done);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, some));
  } finally {
    for (const dispatcher of dispatchers) await dispatcher.destroy();
  }
  return devices;
}

async function enrol(
  { hub }: HubAddress,
  device: string,
  token: string,
  dispatcher: Agent | undefined,
): Promise<Enrolled> {
  const { key, csr } = await signingRequest();
  const answer = await fetch(new URL('/api/v1/enrol', hub), {
    ...(dispatcher && { dispatcher }),
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, device, csr, instance: 'bench' }),
  });
  const value: unknown = await answer.json();
  if (!answer.ok) throw errorFromAnswer(value, answer.status);
  return { device, key, certificate: enrolled.parse(value).certificate };
}

async function push(hub: HubAddress, version: string): Promise<void> {
  const folder = join(await temporaryFolder(), version);
  const { file, manifest } = tinyRelease(version);
  await mkdir(folder);
  await writeFile(join(folder, 'model.tflite'), file);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  await pushVersion(hub, folder);
}

function promote(hub: HubAddress, version: string): Promise<unknown> {
  return callHub(hub, `/api/v1/models/${MODEL}/versions/${version}/promote`, { method: 'POST', json: {} });
}

const overview = z.object({
  devices: z.array(z.object({ id: z.string(), sequence: z.int(), refusedReports: z.int() })),
});
const counted = z.object({
  status: z.string(),
  evidence: z.record(z.string(), z.object({ episodes: z.number() })),
});

/**
 * What was acknowledged must be what the hub has: the last number of each device, none refused, each report
 * counted once as evidence of a rollout that still runs. A rate of acknowledgements that keep nothing would
 * be none.
 */
export async function checkKept(
  hub: HubAddress,
  rollout: string,
  acknowledged: ReadonlyMap<string, number>,
): Promise<void> {
  const { devices } = overview.parse(await callHub(hub, '/api/v1/overview'));
  const { status, evidence } = counted.parse(await callHub(hub, `/api/v1/rollouts/${rollout}`));
  const wrong = devices.flatMap(({ id, sequence, refusedReports }) => {
    const sent = acknowledged.get(id) ?? 0;
    const episodes = evidence[id]?.episodes ?? 0;
    if (sequence === sent && refusedReports === 0 && episodes === sent * EPISODES) return [];
    return [
      `${id}: ${sent} acknowledged, its last number is ${sequence}, ${refusedReports} refused, ${episodes / EPISODES} counted as evidence`,
    ];
  });
  if (status !== 'running')
    throw new Error(`the rollout ${rollout} is ${status}: reports were no evidence while it was measured`);
  if (wrong.length > 0)
    throw new Error(
      `the hub has not kept what it acknowledged, of ${wrong.length} devices; ${wrong.slice(0, 3).join('; ')}`,
    );
}
