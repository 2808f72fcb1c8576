import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { pushVersion } from '@adbreak/hub/cli/push.js';
import { readPlan } from '@adbreak/hub/rollouts/plan.js';
import { entry, STATUSES } from '@adbreak/hub/rollouts/rollout.js';
import { manifest } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { type Interruption, onInterruption, runProgram } from '@adbreak/shared/program.js';
import { stringify } from 'yaml';
import { z } from 'zod';
import { Part, trainer } from './processes.js';
import { watchAndLabel } from './viewer.js';

/** `make demo`: the product's main job, on real parts, told as it happens. docs/architecture.md, "The demo". */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDER = resolve('.work/demo');
const MODEL = 'base-ad-detector';
const FPS = 2;
/** Two of them watch the same channel, as living rooms do: they see the same episodes, which count once. */
const AGENTS = [
  { device: 'pi-news', channel: 'one' },
  { device: 'pi-sports', channel: 'arena' },
  { device: 'pi-kitchen', channel: 'arena' },
] as const;
const CHANNELS = [...new Set(AGENTS.map(({ channel }) => channel))];
const broadcastOf = (channel: string) => join(FOLDER, `channel-${channel}`);
/**
 * Agents look as fast as they can, and a gate's days are seconds on the clock: a broadcast of 1300 s was over after 62 s on
 * an idle machine, before a rollback had its five days. The small network is several times as fast again.
 */
const SECONDS = { training: 260, broadcast: { pretrained: 4000, scratch: 8000 } };
/** A gate that has not decided by then will not: something is broken. */
const PATIENCE_MS = 240_000;
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
type View = z.infer<typeof view>;

const started = Date.now();
const secondsSoFar = () => Math.round((Date.now() - started) / 1000);
const say = (line: string) =>
  console.log(`${((Date.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);

/** Whatever ends the demo ends its parts: what they started ends with them, and their ports are free. */
async function main({ signal }: Interruption): Promise<void> {
  const parts: Part[] = [];
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const endParts = () => Promise.all(parts.map((part) => part[Symbol.asyncDispose]()));
  // At once, and again when the story has ended: it may have been about to start another.
  signal.addEventListener('abort', () => void endParts(), { once: true });
  try {
    const result = await tell(parts, stop);
    console.log(JSON.stringify({ ...result, seconds: secondsSoFar() }));
    if (process.env['ONCE'] === '1') return;
    say('the hub and the agents go on; Ctrl-C ends them');
    await once(signal, 'abort');
  } catch (error) {
    if (!signal.aborted)
      console.log(
        JSON.stringify({
          demo: 'failed',
          reason: error instanceof Error ? error.message : String(error),
          seconds: secondsSoFar(),
        }),
      );
    throw error;
  } finally {
    over.abort();
    await endParts();
  }
}

async function tell(parts: Part[], signal: AbortSignal) {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const weights = await fetchWeights(signal);
  const data = await makeData(signal);
  // Training takes one core, rendering what the agents will watch takes the other.
  const [manifests] = await Promise.all([
    makeModels(data, signal),
    process.env['VIDEO'] === undefined ? renderBroadcasts(SECONDS.broadcast[weights], signal) : undefined,
  ]);

  const hub = await startHub(parts, signal);
  await pushVersion(hub, join(FOLDER, 'models/1.0.0'));
  await callHub(hub, `/api/v1/models/${MODEL}/versions/1.0.0/promote`, {
    method: 'POST',
    json: { is_production: true, status: 'production', rollout_percentage: 100 },
  });
  say('version 1.0.0 is in production');
  await startAgents(parts, hub, signal);
  const plan = await readPlan(join(ROOT, 'configs/rollouts/demo.yaml'));
  say(
    `the demo's own plan: margin ${100 * plan.margin} points, alpha ${plan.alphaPromote}; ${plan.stages.map((s) => `${s.name} ${s.percent} % ≥ ${s.minEpisodes} episodes`).join(', ')}`,
  );

  const second = await rollOut(hub, '2.0.0', signal);
  if (second.status !== 'completed')
    throw new AdbreakError(
      'conflict',
      `Version 2.0.0 was to be promoted; it is ${second.status}: ${second.last?.reason}`,
      {
        remedy: `Look at ${FOLDER}/hub.log.`,
      },
    );
  const third = await rollOut(hub, '3.0.0', signal);
  if (third.status !== 'rolled-back')
    throw new AdbreakError(
      'conflict',
      `Version 3.0.0 was to be rolled back; it is ${third.status}: ${third.last?.reason}`,
      {
        remedy: `Look at ${FOLDER}/hub.log.`,
      },
    );
  const round = await askDevices(hub, signal);
  const state = z
    .object({ models: z.record(z.string(), z.object({ production: z.string().nullable() })) })
    .parse(await callHub(hub, '/api/v1/overview'));
  // The decision that counts: the completion, or the fall; the end of the watch says nothing of the model.
  const told = (one: View) => ({
    version: one.to.version,
    episodes: one.episodes,
    reason: one.history.findLast(({ verdict }) => verdict === 'PASS' || verdict === 'FAIL')?.reason ?? '',
  });
  return {
    demo: 'passed',
    production: state.models[MODEL]?.production,
    promoted: told(second),
    rolledBack: told(third),
    round,
    f1: Object.fromEntries(
      manifests.map(({ version, metrics }) => [version, Math.round(metrics.f1 * 1000) / 1000]),
    ),
  };
}

async function fetchWeights(signal: AbortSignal): Promise<'pretrained' | 'scratch'> {
  try {
    await trainer(['weights', 'pull'], say, signal);
    return 'pretrained';
  } catch (error) {
    signal.throwIfAborted();
    say(`no pretrained weights, so a small network is trained from scratch (${explain(error)})`);
    return 'scratch';
  }
}

async function makeData(signal: AbortSignal): Promise<string> {
  const data = join(FOLDER, 'data');
  const { VIDEO, LABELS } = process.env;
  if (VIDEO === undefined) {
    say('rendering a synthetic broadcast: training data, and a fresh broadcast for each agent');
    const synthesize = (splits: string) =>
      trainer(
        [
          'dataset',
          'synthesize',
          '--output',
          data,
          '--seconds',
          String(SECONDS.training),
          '--seed',
          process.env['SEED'] ?? '1',
          '--splits',
          splits,
        ],
        () => undefined,
        signal,
      );
    await Promise.all([synthesize('train'), synthesize('val,test')]);
  } else {
    if (LABELS === undefined)
      throw new AdbreakError('labels_invalid', 'Cannot run the demo on VIDEO without LABELS=file.csv');
    say(`cutting ${VIDEO}: training data, and a part of its own for each agent`);
    await trainer(
      [
        'dataset',
        'cut',
        '--video',
        VIDEO,
        '--labels',
        LABELS,
        '--output',
        data,
        '--live',
        ...CHANNELS.map(broadcastOf),
      ],
      say,
      signal,
    );
  }
  return data;
}

/** Three versions: the first from two minutes of one channel, the second from everything, the third from labels exchanged by mistake. */
async function makeModels(data: string, signal: AbortSignal) {
  const { VIDEO } = process.env;
  const wrong = await exchangeLabels(data);
  const make = async (version: string, args: readonly string[]) => {
    await trainer(
      [
        'train',
        '--name',
        MODEL,
        '--version',
        version,
        '--output',
        join(FOLDER, 'models', version),
        '--cache',
        join(FOLDER, 'features'),
        '--fps',
        String(FPS),
        ...args,
      ],
      (line) => {
        if (!line.startsWith('  ')) say(`${version}: ${line}`);
      },
      signal,
    );
    return manifest.parse(
      JSON.parse(await readFile(join(FOLDER, 'models', version, 'manifest.json'), 'utf8')),
    );
  };
  const second = await make('2.0.0', ['--data', data]);
  const [first, third] = await Promise.all([
    make('1.0.0', ['--data', data, '--first', '130', ...(VIDEO === undefined ? ['--only', 'one'] : [])]),
    make('3.0.0', ['--data', wrong]),
  ]);
  return [first, second, third];
}

/** The same recordings, with ad and content exchanged in one of them: a mistake of an import, made on purpose. */
async function exchangeLabels(data: string): Promise<string> {
  const wrong = join(FOLDER, 'data-wrong');
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(wrong, split), { recursive: true });
    const names = (await readdir(join(data, split))).sort();
    const victim = split === 'train' ? names.find((name) => name.endsWith('.csv')) : undefined;
    for (const name of names) {
      if (!name.endsWith('.csv')) await symlink(join(data, split, name), join(wrong, split, name));
      else if (name !== victim) await copyFile(join(data, split, name), join(wrong, split, name));
      else {
        const text = await readFile(join(data, split, name), 'utf8');
        await writeFile(
          join(wrong, split, name),
          text.replace(/,(ad|content)$/gm, (_, label: string) => (label === 'ad' ? ',content' : ',ad')),
        );
      }
    }
  }
  return wrong;
}

async function renderBroadcasts(seconds: number, signal: AbortSignal): Promise<void> {
  for (const channel of CHANNELS)
    await trainer(
      [
        'dataset',
        'broadcast',
        '--output',
        broadcastOf(channel),
        '--channel',
        channel,
        '--seed',
        `${process.env['SEED'] ?? '1'}/${channel}`,
        '--seconds',
        String(seconds),
      ],
      () => undefined,
      signal,
    );
}

async function startHub(parts: Part[], signal: AbortSignal): Promise<HubAddress> {
  signal.throwIfAborted();
  const hello = await Part.start(
    'hub',
    [
      'hub',
      'start',
      '--state',
      join(FOLDER, 'hub'),
      '--http-port',
      process.env['PORT'] ?? '0',
      '--mqtt-port',
      '0',
      '--tick',
      '* * * * * *',
    ],
    join(FOLDER, 'hub.log'),
    parts,
  );
  const { httpPort, token } = z.object({ httpPort: z.number(), token: z.string() }).parse(hello);
  const hub = `https://127.0.0.1:${httpPort}`;
  say(`hub: ${hub}/#token=${token}`);
  return { hub, token, authority: await readFile(join(FOLDER, 'hub/identity/ca.pem'), 'utf8') };
}

async function startAgents(parts: Part[], hub: HubAddress, signal: AbortSignal): Promise<void> {
  for (const { device, channel } of AGENTS) {
    const {
      tokens: [token],
    } = z
      .object({ tokens: z.array(z.string()) })
      .parse(await callHub(hub, '/api/v1/claims', { method: 'POST', json: { device } }));
    const config = join(FOLDER, `${device}.yaml`);
    await writeFile(
      config,
      stringify({
        device,
        hub: hub.hub,
        authority: join(FOLDER, 'hub/identity/ca.pem'),
        token,
        state: join(FOLDER, `${device}-state`),
        source: { input: `${broadcastOf(channel)}.mkv`, kind: 'file', fps: FPS },
        slice: { channel, site: 'demo', hardware: process.arch },
        status: { host: '127.0.0.1', port: 0 },
        windowSeconds: 2,
        labelSeconds: 3,
      }),
      { mode: 0o600 },
    );
    signal.throwIfAborted();
    const hello = await Part.start('agent', ['--config', config], join(FOLDER, `${device}.log`), parts);
    const { status } = z.object({ status: z.string() }).parse(hello);
    say(`${device} watches channel ${channel}: ${status}`);
    void watchAndLabel(status, `${broadcastOf(channel)}.csv`, 1 / FPS, signal);
  }
}

/** A secure federated round: 2.0.0 against 1.0.0 on what people labelled at the pages; no frame and no single count leaves a device. */
async function askDevices(hub: HubAddress, signal: AbortSignal) {
  say(
    'a secure federated round over the frames that people labelled, which stayed on the devices: 1.0.0 beside 2.0.0',
  );
  const answer = z.object({
    id: z.string(),
    status: z.string(),
    text: z.string().optional(),
    result: z.object({
      answered: z.number(),
      episodes: z.number(),
      difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
    }),
  });
  const started = answer.parse(
    await callHub(hub, '/api/v1/evaluations', {
      method: 'POST',
      json: {
        model: MODEL,
        candidate: '1.0.0',
        quorum: AGENTS.length,
        min_devices: AGENTS.length,
        hours: 0.1,
        secure: true,
      },
    }),
  );
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    await sleep(1000, undefined, { signal });
    const {
      status,
      text = '',
      result,
    } = answer.parse(await callHub(hub, `/api/v1/evaluations/${started.id}`));
    if (status !== 'closed') continue;
    for (const line of text.split('\n')) console.log(`        ${line}`);
    if (result.difference === null)
      throw new AdbreakError('conflict', `The round ${started.id} closed without a result`, {
        remedy: `Look at the logs in ${FOLDER}.`,
      });
    return { devices: result.answered, episodes: result.episodes, ...result.difference };
  }
  throw new AdbreakError(
    'conflict',
    `The round ${started.id} has not closed within ${PATIENCE_MS / 1000} s`,
    { remedy: `Look at the logs in ${FOLDER}.` },
  );
}

/** `adbreak rollouts explain`, as the operator would ask for it. */
async function tellWhy(hub: HubAddress, { id, to }: View): Promise<void> {
  const { text } = z.object({ text: z.string() }).parse(await callHub(hub, `/api/v1/rollouts/${id}/explain`));
  say(`what the hub says of ${to.version} (adbreak rollouts explain ${id}):`);
  for (const line of text.split('\n')) console.log(`        ${line}`);
}

/** Registers and promotes a version, and tells each decision of the gate until it is over. */
async function rollOut(hub: HubAddress, version: string, signal: AbortSignal): Promise<View> {
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

const interruption = onInterruption();
await runProgram(() => main(interruption), interruption);
