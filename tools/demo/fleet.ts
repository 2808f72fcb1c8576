import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { stringify } from 'yaml';
import { z } from 'zod';
import { Part } from './processes.js';
import { AGENTS, broadcastOf, FOLDER, FPS, say } from './settings.js';
import { watchAndLabel } from './viewer.js';

export async function startHub(parts: Part[], signal: AbortSignal): Promise<HubAddress> {
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

export async function startAgents(parts: Part[], hub: HubAddress, signal: AbortSignal): Promise<void> {
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
