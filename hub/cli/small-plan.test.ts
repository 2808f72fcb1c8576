import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { z } from 'zod';
import { configPath } from '../rollouts/fixtures.js';
import { BIN } from '../testing/command.js';
import { callHub } from './client.js';

const greeting = z.object({ httpPort: z.number(), token: z.string() });
const plans = z.object({ promote: z.string(), small: z.string().nullable() });

/** Which plans a hub takes where a promote call names none, as `adbreak hub start` has started it. */
async function plansOf(...args: string[]): Promise<z.infer<typeof plans>> {
  const folder = await temporaryFolder();
  const ports = ['--http-port', '0', '--mqtt-port', '0', '--local-port', 'none'];
  const hub = fork(BIN, ['hub', 'start', '--state', folder, ...ports, ...args], { silent: true });
  try {
    const [said] = await once(hub, 'message', { signal: AbortSignal.timeout(30_000) });
    const { httpPort, token } = greeting.parse(said);
    const authority = await readFile(join(folder, 'identity/ca.pem'), 'utf8');
    return plans.parse(
      await callHub({ hub: `https://127.0.0.1:${httpPort}`, token, authority }, '/api/v1/plans'),
    );
  } finally {
    const ended = once(hub, 'exit');
    hub.kill('SIGTERM');
    await ended;
  }
}

test('a hub that was started without a plan has one for small fleets beside the standard one; a plan that a person chose stands alone', async () => {
  assert.deepEqual(await plansOf(), { promote: 'standard', small: 'small' });
  assert.deepEqual(await plansOf('--plan', configPath('standard')), { promote: 'standard', small: null });
});
