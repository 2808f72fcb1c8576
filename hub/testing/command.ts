import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HubAddress } from '../cli/client.js';
import type { TestHub } from '../testing.js';

export const BIN = fileURLToPath(new URL('../../bin/adbreak.js', import.meta.url));

interface Ran {
  readonly code: unknown;
  readonly out: string;
  readonly error: string;
}

/** A command against a hub of this process; not spawnSync, or the hub could not answer. */
export function runAt(hub: HubAddress & Pick<TestHub, 'folder'>, ...args: string[]): Promise<Ran> {
  return run(args, {
    ADBREAK_HUB: hub.hub,
    ADBREAK_TOKEN: hub.token,
    ADBREAK_CA: join(hub.folder, 'identity/ca.pem'),
  });
}

/** A command that asks no hub. */
export async function run(args: readonly string[], variables: Record<string, string> = {}): Promise<Ran> {
  const env = { ...process.env, ADBREAK_HUB: '', ADBREAK_TOKEN: '', ADBREAK_CA: '', ...variables };
  const child = spawn(process.execPath, [BIN, ...args], { env });
  const words = { out: '', error: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    words.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words.error += text;
  });
  const [code] = await once(child, 'close');
  return { code, ...words };
}
