import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { agentOf, publish } from './testing/chain.js';
import { testHub } from './testing.js';

/** Sources that are open and never give anything. */
async function silentSources(t: TestContext): Promise<string[]> {
  const fifo = join(await temporaryFolder(), 'silent');
  execFileSync('mkfifo', [fifo]);
  const tuner = createServer().listen(0, '127.0.0.1');
  await once(tuner, 'listening');
  t.after(() => tuner.close());
  const address = tuner.address();
  assert.ok(typeof address === 'object' && address !== null);
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return [fifo, `rtsp://127.0.0.1:${address.port}/channel`, `udp://127.0.0.1:${port}`];
}

const named = (pid: number) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
async function childrenOf(pid: number): Promise<number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

test('an agent that is killed leaves neither ffmpeg on a silent source nor an inference process behind', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  for (const [i, input] of (await silentSources(t)).entries()) {
    const { child } = await agentOf(t, hub, { device: `pi-${i}`, input, kind: 'live' });
    const pid = child.pid ?? assert.fail('the agent did not start');
    const started = await until(`ffmpeg on ${input}`, async () => {
      const children = await childrenOf(pid);
      const words = await Promise.all(children.map(named));
      return (
        words.some((word) => word.startsWith('ffmpeg')) &&
        words.some((word) => word.includes('worker.js')) &&
        children
      );
    });
    child.kill('SIGKILL');
    await until(`the end of all that the agent on ${input} started`, async () =>
      (await Promise.all(started.map(named))).every((word) => word === ''),
    );
  }
});
