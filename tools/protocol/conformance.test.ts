import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { callBy, callHub } from '@adbreak/hub/cli/client.js';
import { overview as overviewOf, publish } from '@adbreak/hub/testing/chain.js';
import { runAt } from '@adbreak/hub/testing/command.js';
import { enrolByHand } from '@adbreak/hub/testing/enrol.js';
import { auditLines } from '@adbreak/hub/testing/store.js';
import { type TestHub, testHub } from '@adbreak/hub/testing.js';
import { deviceCommands } from '@adbreak/shared/contract/http/device-commands.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PACKAGES = join(ROOT, '.work/conformance');
const MODEL = 'base-ad-detector';
const DEVICE = 'python-1';

const WISHES = ['start a round', 'collect its log', 'measure it', 'restart it', 'make an operator'] as const;
type Wish = (typeof WISHES)[number];
const line = z.union([
  z.strictObject({ please: z.enum(WISHES) }),
  z.strictObject({ check: z.string(), ok: z.boolean(), why: z.string().optional() }),
  z.strictObject({ checks: z.int(), failed: z.array(z.string()) }),
]);
type Line = z.infer<typeof line>;
const overview = z.object({
  devices: z.array(
    z.looseObject({
      id: z.string(),
      online: z.boolean(),
      sequence: z.int(),
      missingWindows: z.int(),
      refusedReports: z.int(),
      slice: z.unknown(),
      reported: z.looseObject({ revision: z.int(), serving: z.unknown(), problem: z.unknown() }).nullable(),
      desired: z.looseObject({ revision: z.int() }).nullable(),
    }),
  ),
});
const rounds = z.object({ evaluations: z.array(z.looseObject({ answered: z.array(z.string()) })) });

/** What only a person may do, when the device or the operator asks for it. */
async function oblige(hub: TestHub, folder: string, wish: Wish): Promise<void> {
  switch (wish) {
    case 'start a round':
      await callHub(hub, '/api/v1/evaluations', {
        method: 'POST',
        json: { model: MODEL, candidate: '2.0.0', quorum: 2, min_devices: 1 },
      });
      return;
    case 'collect its log':
      return command(hub, 'collect-logs');
    case 'measure it':
      return command(hub, 'benchmark');
    case 'restart it':
      return command(hub, 'restart');
    case 'make an operator': {
      const files = ['--csr', join(folder, 'desk.csr'), '--output', folder];
      const { code, error } = await runAt(
        hub,
        'operators',
        'certificate',
        'desk',
        '--role',
        'operator',
        ...files,
      );
      assert.equal(code, 0, error);
    }
  }
}
async function command(hub: TestHub, kind: 'collect-logs' | 'benchmark' | 'restart'): Promise<void> {
  const deadline = new Date(Date.now() + 600_000).toISOString();
  const params = { id: DEVICE, command: `${kind}-1` };
  await callBy(hub, deviceCommands.command, { params, body: { command: kind, deadline } });
}

/** Runs the Python device and operator to their end; gives what they printed, line by line. */
async function run(hub: TestHub, token: string): Promise<{ lines: Line[]; errors: string }> {
  const folder = await temporaryFolder();
  const child = spawn(
    'python3',
    [
      join(ROOT, 'scripts/conformance/run.py'),
      hub.hub,
      join(hub.folder, 'identity/ca.pem'),
      token,
      DEVICE,
      folder,
    ],
    {
      env: { ...process.env, PYTHONPATH: PACKAGES, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const closed = once(child, 'close');
  const lines: Line[] = [];
  for await (const text of createInterface(child.stdout)) {
    const said = line.parse(JSON.parse(text));
    if ('please' in said) await oblige(hub, folder, said.please);
    else lines.push(said);
  }
  await closed;
  return { lines, errors };
}

test('a device and an operator that were written in Python from docs/protocol do all that such do, and nothing that they may not', async (t) => {
  assert.ok(existsSync(join(PACKAGES, '.ready')), 'its packages are missing: run `make conformance`');
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '2.0.0', 1, { promote: false });
  // A round needs two devices that can be asked.
  await enrolByHand(hub, 'other');
  const { tokens } = z
    .object({ tokens: z.tuple([z.string()]) })
    .parse(await callHub(hub, '/api/v1/claims', { method: 'POST', json: {} }));

  const { lines, errors } = await run(hub, tokens[0]);
  const sum = lines.at(-1);
  assert.ok(sum !== undefined && 'checks' in sum, errors);
  assert.deepEqual(sum.failed, [], `${JSON.stringify(lines)}\n${errors}\n${hub.log.slice(-40).join('\n')}`);
  assert.equal(lines.length, sum.checks + 1);

  // What the hub has made of it.
  const device = overview
    .parse(await callHub(hub, '/api/v1/overview'))
    .devices.find(({ id }) => id === DEVICE);
  assert.ok(device?.reported != null && device.desired !== null);
  assert.deepEqual(
    [device.sequence, device.missingWindows, device.refusedReports, device.online],
    [4, 0, 6, false],
  );
  assert.deepEqual(device.slice, { channel: 'one', site: 'conformance', hardware: 'python' });
  assert.equal(device.reported.revision, device.desired.revision);
  const { commands } = await callBy(hub, deviceCommands.listCommands, { params: { id: DEVICE } });
  assert.deepEqual(
    commands.map(({ command: kind, outcome, code }) => [kind, code ?? outcome]),
    [
      ['collect-logs', 'done'],
      ['benchmark', 'conflict'],
      ['restart', 'done'],
    ],
  );
  const { rollouts } = await overviewOf(hub);
  assert.deepEqual(
    rollouts.map(({ to, status }) => [to.version, status]),
    [['2.0.0', 'aborted']],
  );
  const audit = (await auditLines(hub.folder)).join('\n');
  for (const what of ['model.promote', 'rollout.pause', 'rollout.resume', 'rollout.abort', 'device.set'])
    assert.ok(audit.includes(`"who":"operator:desk","what":"${what}"`), what);
  const { evaluations } = rounds.parse(await callHub(hub, '/api/v1/evaluations'));
  assert.deepEqual(
    evaluations.map(({ answered }) => answered),
    [[DEVICE]],
  );
});
