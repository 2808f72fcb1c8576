import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callBy, callHub } from '@adbreak/hub/cli/client.js';
import { publish } from '@adbreak/hub/testing/chain.js';
import { enrol, type HubProcess, type Identity, spawnHub } from '@adbreak/hub/testing/killed.js';
import { makeOperator } from '@adbreak/hub/testing/operator.js';
import { storedState } from '@adbreak/hub/testing/store.js';
import { accounts } from '@adbreak/shared/contract/http/accounts.js';
import { deviceCommands } from '@adbreak/shared/contract/http/device-commands.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { z } from 'zod';

/**
 * A hub against its own OpenAPI document: schemathesis (MIT) makes requests from the schemas, such as fit and
 * such as do not, and holds each answer to what the document says of it.
 */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PACKAGES = join(ROOT, '.work/conformance');

export interface Asking {
  /** Of each operation in the fuzzing phase, beside what the schemas' edges give where `edges`. */
  readonly examples: number;
  readonly edges: boolean;
  readonly seconds: number;
  readonly seed: number;
}
export interface Held {
  readonly requests: number;
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Whether every answer was what the document says, and no fault. */
  readonly conforms: boolean;
  /** What schemathesis printed. */
  readonly words: string;
}
interface Closing {
  after(close: () => void): void;
}
/** Names that the hub knows: by the begin of a path, then by the parameter or the field of a form. */
type Known = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
const MODEL = 'base-ad-detector';
const OTHERS = ['pi-2', 'pi-3'];
const PASSWORD = 'five quiet herons wade';
const counted = z.record(z.string().regex(/^\d{3}$/), z.int().nonnegative());

/** Starts a hub that has something to say, and asks it. Throws where Python's packages are missing. */
export async function askByDocument(t: Closing, asking: Asking): Promise<Held> {
  if (!existsSync(join(PACKAGES, '.ready')))
    throw new Error('the Python packages are missing: run `make conformance`');
  const folder = await temporaryFolder();
  // In development an answer that says more than its contract is a fault.
  const hub = await spawnHub(t, folder, '', { env: { NODE_ENV: 'development' } });
  const identity = await enrol(hub, 'pi-1');
  const known = await furnish(hub, folder, identity.device);
  const work = await temporaryFolder();
  const count = join(work, 'count.json');
  const config = await writeConfig(work, hub, identity, asking);
  const { code, words } = await schemathesis(config, hub, asking.seconds, {
    ADBREAK_COUNT: count,
    ADBREAK_KNOWN: JSON.stringify(known),
  });
  const statuses = counted.parse(JSON.parse(await readFile(count, 'utf8').catch(() => '{}')));
  await callHub(hub, '/healthz');
  const requests = Object.values(statuses).reduce((sum, n) => sum + n, 0);
  const ended = connectionsEnded(hub.words());
  return {
    requests,
    statuses,
    conforms: code === 0 && hasNoFault(statuses),
    words: [words, ...ended].join('\n'),
  };
}

/** What the hub says of connections that it ended; of a request that was refused the other side has the answer. */
function connectionsEnded(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => /\bhttp: /.test(line))
    .slice(-20);
}

/** 501 says that something is not built yet, by the document too. */
function hasNoFault(statuses: Readonly<Record<string, number>>): boolean {
  return Object.keys(statuses).every((status) => Number(status) < 500 || status === '501');
}

/**
 * Versions, a rollout that is paused, devices with a round and a command, people, a token and an operator: so
 * that most doors have something behind them. What there is, by the paths and parameters that name it.
 */
async function furnish(hub: HubProcess, folder: string, device: string): Promise<Known> {
  for (const version of ['1.0.0', '2.0.0']) await publish(hub, version);
  await publish(hub, '3.0.0', 1, { promote: false });
  const rollout = (await storedState(folder)).rollouts[0]?.id ?? '';
  const post = (path: string, json: object) => callHub(hub, `/api/v1/${path}`, { method: 'POST', json });
  await post(`rollouts/${rollout}/pause`, { reason: 'asked' });
  for (const other of OTHERS) await enrol(hub, other);
  await post('evaluations', { model: MODEL, candidate: '3.0.0', quorum: 2, min_devices: 1 });
  const round = (await storedState(folder)).evaluations[0]?.id ?? '';
  const deadline = new Date(Date.now() + 3_600_000).toISOString();
  const command = { command: 'identify', deadline, seconds: 1 } as const;
  const params = { id: device, command: 'identify-1' };
  await callBy(hub, deviceCommands.command, { params, body: command });
  await callBy(hub, tokens.create, { body: { id: 'script', role: 'viewer' } });
  await callBy(hub, accounts.add, { body: { name: 'somebody', role: 'viewer', password: PASSWORD } });
  await makeOperator(hub, 'desk', 'operator');
  const target = { name: [MODEL], version: ['2.0.0'], file: filesOf('2.0.0') };
  return {
    '/api/v1/models/': { name: [MODEL], version: ['1.0.0', '2.0.0', 'production'], alias: ['stable'] },
    '/api/v1/monitoring/models/': { name: [MODEL] },
    '/api/v1/monitoring/devices/': { id: [device] },
    '/api/v1/rollouts/': { id: [rollout] },
    '/api/v1/devices/': { id: [device, ...OTHERS], command: [params.command] },
    // The one that asks goes on: behind its certificate there are doors, too.
    '/api/v1/devices/{id}/revoke': { id: OTHERS },
    '/api/v1/evaluations/': { id: [round] },
    '/agent/evaluations/': { round: [round] },
    '/api/v1/tokens/': { id: ['script'] },
    '/api/v1/users/': { name: ['somebody'] },
    '/api/v1/operators/': { name: ['desk'] },
    '/tuf/metadata/': { file: ['timestamp.json', '1.root.json'] },
    '/tuf/targets/': target,
    '/sign-in': { name: ['somebody'], password: [PASSWORD] },
  };
}
/** As TUF's consistent snapshots name them: by what they hold. */
function filesOf(version: string): string[] {
  const { manifest } = tinyRelease(version);
  return [`${manifest.digest}.model.tflite`];
}

async function writeConfig(
  folder: string,
  hub: HubProcess,
  { key, certificate }: Identity,
  { examples, edges, seed }: Asking,
): Promise<string> {
  const paths = { key: join(folder, 'key.pem'), certificate: join(folder, 'certificate.pem') };
  await writeFile(paths.key, key, { mode: 0o600 });
  await writeFile(paths.certificate, certificate);
  // JSON's strings are TOML's.
  const text = JSON.stringify;
  const lines = [
    `seed = ${seed}`,
    `hooks = ${text(join(ROOT, 'scripts/conformance/http_hooks.py'))}`,
    // With more, Python's parser of its own sources fails now and then ("AST constructor recursion depth").
    'workers = 1',
    'continue-on-failure = true',
    'request-timeout = 60',
    // Its own authority; a client of Python's is made to check it elsewhere (scripts/conformance/https.py).
    'tls-verify = false',
    `request-cert = ${text(paths.certificate)}`,
    `request-cert-key = ${text(paths.key)}`,
    'suppress-health-check = ["all"]',
    '[headers]',
    `Authorization = ${text(`Bearer ${hub.token}`)}`,
    `Origin = ${text(hub.hub)}`,
    '[generation]',
    'mode = "all"',
    `max-examples = ${examples}`,
    'no-shrink = true',
    'database = "none"',
    'with-security-parameters = false',
    '[checks]',
    'enabled = false',
    '[checks.not_a_server_error]',
    'enabled = true',
    'expected-statuses = ["2xx", "3xx", "4xx", "501"]',
    ...['status_code', 'content_type', 'response_schema', 'response_headers'].flatMap((name) => [
      `[checks.${name}_conformance]`,
      'enabled = true',
    ]),
    '[phases.examples]',
    'enabled = false',
    '[phases.coverage]',
    `enabled = ${edges}`,
    '[phases.stateful]',
    'enabled = false',
  ];
  const path = join(folder, 'schemathesis.toml');
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

async function schemathesis(
  config: string,
  hub: HubProcess,
  seconds: number,
  variables: Readonly<Record<string, string>>,
): Promise<{ code: unknown; words: string }> {
  const args = ['-m', 'schemathesis.cli', '--config-file', config, 'run', `${hub.hub}/api/v1/openapi.json`];
  const env = {
    ...process.env,
    ...variables,
    PYTHONPATH: PACKAGES,
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONWARNINGS: 'ignore',
  };
  // Under a limit of its own it asks until that is over, and takes what is under way then for an error of the network.
  const timeout = seconds * 1000;
  // It keeps notes where it runs.
  const child = spawn('python3', args, {
    cwd: dirname(config),
    env,
    timeout,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
  const [code] = await once(child, 'close');
  return { code, words };
}
