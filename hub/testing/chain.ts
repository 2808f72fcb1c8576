import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { greyVideo, loopVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { fetch } from 'undici';
import { stringify } from 'yaml';
import { callHub, type HubAddress } from '../cli/client.js';
import { pushVersion } from '../cli/push.js';
import type { TestHub } from '../testing.js';

/** The real hub and real agents as processes, with models of a few hundred bytes and grey pictures. */
const AGENT = fileURLToPath(new URL('../../../edge/dist/main.js', import.meta.url));

interface Overview {
  readonly devices: {
    id: string;
    online: boolean;
    refusedReports: number;
    sequence: number;
    reported: {
      revision: number;
      serving: { version: string } | null;
      shadow: { version: string } | null;
      slot: string;
      problem: { code: string; message: string } | null;
      source: string;
    } | null;
  }[];
  readonly rollouts: {
    id: string;
    status: string;
    episodes: number;
    to: { version: string };
    history: { verdict: string; action: string; reason: string }[];
  }[];
  readonly models: Record<
    string,
    { production: string | null; versions: Record<string, { status: string }> }
  >;
}
export const overview = async (hub: TestHub) => (await callHub(hub, '/api/v1/overview')) as Overview;

export async function publish(
  hub: HubAddress,
  version: string,
  sign: 1 | -1 = 1,
  {
    promote = true,
    name = 'base-ad-detector',
    hardware,
  }: { promote?: boolean; name?: string; hardware?: string[] } = {},
): Promise<void> {
  const folder = join(await temporaryFolder(), version);
  const { file, manifest } = tinyRelease(version, sign);
  await mkdir(folder);
  await writeFile(join(folder, 'model.tflite'), file);
  const facts = { ...manifest, name, ...(hardware !== undefined && { hardware }) };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(facts));
  await pushVersion(hub, folder);
  if (promote)
    await callHub(hub, `/api/v1/models/${name}/versions/${version}/promote`, {
      method: 'POST',
      json: {},
    });
}

interface AgentOptions {
  device?: string;
  token?: string;
  state?: string;
  input?: string;
  kind?: string;
  channel?: string;
  /** Options of Node for its process. */
  node?: string[];
}
interface TestAgent {
  readonly child: ChildProcess;
  readonly words: () => string;
  readonly status: () => string;
  readonly state: string;
}

/** A test, or whoever else ends what was begun. */
interface Closing {
  after(close: () => Promise<void>): void;
}
export async function agentOf(
  t: Closing,
  hub: HubAddress & Pick<TestHub, 'folder'>,
  { device = 'pi-1', token, state, input, kind = 'file', channel = 'grey', node = [] }: AgentOptions = {},
): Promise<TestAgent> {
  const folder = await temporaryFolder();
  const claim =
    token ??
    ((await callHub(hub, '/api/v1/claims', { method: 'POST', json: {} })) as { tokens: [string] }).tokens[0];
  const video = input ?? join(folder, 'video.mkv');
  // Scenes of 8 s, bright ones are advertisements; black between them.
  if (input === undefined)
    greyVideo(
      video,
      Array.from({ length: 30 }, (_, i) =>
        i % 2 === 0 ? { level: i % 4 === 0 ? 60 : 190, seconds: 8 } : { level: 0, seconds: 1 },
      ),
    );
  await writeFile(
    join(folder, 'edge.yaml'),
    stringify({
      device,
      hub: hub.hub,
      authority: join(hub.folder, 'identity/ca.pem'),
      token: claim,
      state: state ?? join(folder, 'state'),
      source: { input: video, kind, fps: 2 },
      slice: { channel, site: 'test', hardware: 'pc' },
      status: { host: '127.0.0.1', port: 0 },
      windowSeconds: 1,
      labelSeconds: 1,
    }),
  );
  const child = spawn(process.execPath, [...node, AGENT, '--config', join(folder, 'edge.yaml')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await Promise.race([once(child, 'exit'), sleep(8000).then(() => child.kill('SIGKILL'))]);
  });
  return {
    child,
    words: () => words,
    status: () => /status page (\S+)/.exec(words)?.[1] ?? '',
    state: state ?? join(folder, 'state'),
  };
}

/** Hours of two scenes in turns, dark and bright, black between them: a scene that begins at a multiple of 16 s is dark, so programme. */
export async function scenes(): Promise<string> {
  const folder = await temporaryFolder();
  const video = join(folder, 'long.mkv');
  greyVideo(join(folder, 'two scenes.mkv'), [
    { level: 60, seconds: 7 },
    { level: 0, seconds: 1 },
    { level: 190, seconds: 7 },
    { level: 0, seconds: 1 },
  ]);
  await loopVideo(join(folder, 'two scenes.mkv'), video, 1500);
  return video;
}

/** The person at a status page, who knows what is on. */
export async function labelForever(
  url: string,
  truth: (start: number) => 'ad' | 'content',
  signal: AbortSignal,
): Promise<void> {
  const done = new Set<number>();
  while (!signal.aborted) {
    const state = (await fetch(new URL('/api/state', url), { signal })
      .then((answer) => answer.json())
      .catch(() => null)) as { recent: { id: number; start: number; label: string | null }[] } | null;
    for (const { id, start, label } of state?.recent ?? []) {
      if (label !== null || done.has(id)) continue;
      done.add(id);
      await fetch(new URL('/api/labels', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ episode: id, label: truth(start) }),
        signal,
      })
        .then((answer) => answer.arrayBuffer())
        .catch(() => undefined);
    }
    await sleep(100, undefined, { signal }).catch(() => undefined);
  }
}
