import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HubEnded, type HubProcess } from '@adbreak/hub/testing/killed.js';
import { z } from 'zod';
import type { HubSettings } from './hub-settings.js';

const HUB = fileURLToPath(new URL('./hub.js', import.meta.url));
const started = z.object({ httpPort: z.int(), mqttPort: z.int(), token: z.string() });

/**
 * Resolves when the hub answers; rejects with its words where it ends before. `after` hears how to end it.
 */
export async function startHub(
  settings: HubSettings,
  after: (close: () => void) => void,
): Promise<HubProcess & { readonly folder: string }> {
  const child: ChildProcess = fork(HUB, [JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  after(() => void child.kill('SIGTERM'));
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
  const [hello] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code, signal]) => Promise.reject(new HubEnded(code, signal, words))),
  ]);
  const { httpPort, mqttPort, token } = started.parse(hello);
  return {
    child,
    mqttPort,
    localPort: null,
    words: () => words,
    folder: settings.folder,
    hub: `https://127.0.0.1:${httpPort}`,
    token,
    authority: await readFile(join(settings.folder, 'identity/ca.pem'), 'utf8'),
  };
}
