import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HubAddress } from '@adbreak/hub/cli/client.js';
import { z } from 'zod';
import { type Hold, Server } from './processes.js';

/** The hub as people start it, `adbreak hub start`, with a probe for its event loop. */
const BIN = fileURLToPath(new URL('../../../../hub/bin/adbreak.js', import.meta.url));
const PROBE = new URL('./probe.js', import.meta.url).href;
/** The gate looks so often that each turn holds a look; the hub's own default is 30 s. */
const TICK = '*/5 * * * * *';
const ANSWER_MS = 30_000;
/** For whoever looks for the time: HUB_FLAGS='--cpu-prof --cpu-prof-dir=.work/profile'. */
const FLAGS = (process.env['HUB_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');

const started = z.object({ httpPort: z.int(), mqttPort: z.int(), token: z.string().nullable() });
const probed = z.object({ probe: z.object({ p99: z.number(), longest: z.number(), busy: z.number() }) });
/** How long the event loop was held up, milliseconds, and the share of the time in which it was busy. */
export type Probe = z.infer<typeof probed>['probe'];

export interface Hub {
  readonly server: Server;
  readonly address: HubAddress;
  readonly mqttPort: number;
  readonly state: string;
  /** From the start of the process until it answers. */
  readonly startSeconds: number;
  /** Since it was asked last. */
  probe(): Promise<Probe>;
}

/** @param token the administrator's, where this is not the first start on the folder */
export async function startHub(state: string, hold: Hold, token = ''): Promise<Hub> {
  const before = performance.now();
  const options = ['--state', state, '--http-port', '0', '--mqtt-port', '0', '--tick', TICK];
  const server = await Server.start(
    'the hub',
    [process.execPath, ...FLAGS, '--import', PROBE, BIN, 'hub', 'start', ...options],
    hold,
  );
  const [hello] = await Promise.race([once(server.child, 'message'), server.failure()]);
  const startSeconds = (performance.now() - before) / 1000;
  const { httpPort, mqttPort, token: first } = started.parse(hello);
  const authority = await readFile(join(state, 'identity/ca.pem'), 'utf8');
  return {
    server,
    address: { hub: `https://127.0.0.1:${httpPort}`, token: first ?? token, authority },
    mqttPort,
    state,
    startSeconds,
    probe: async () => {
      const answer = once(server.child, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
      server.child.send('probe');
      return probed.parse((await answer)[0]).probe;
    },
  };
}
