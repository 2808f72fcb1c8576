import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { FIRST_FILE } from '../store/state-folder.js';

const BIN = fileURLToPath(new URL('../../bin/adbreak.js', import.meta.url));
/** A start that fails is over in a second; a loaded machine is given time. The old one never ended. */
const LIMIT_MS = 40_000;
const FREE = ['--http-port', '0', '--mqtt-port', '0'];

/** `adbreak hub start` as a service manager runs it, until it ends by itself. */
async function failedStart(args: readonly string[]): Promise<{ code: number | null; words: string }> {
  const child = spawn(process.execPath, [BIN, 'hub', 'start', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const giveUp = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  await once(child, 'close');
  clearTimeout(giveUp);
  return { code: child.exitCode, words };
}

/** A hub that starts, and is told to end as soon as it has said where it listens. */
async function goodStart(
  args: readonly string[],
): Promise<{ code: number | null; said: string; greeted: string }> {
  const child = spawn(process.execPath, [BIN, 'hub', 'start', ...FREE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const words = { said: '', greeted: '' };
  for (const [stream, kind] of [
    [child.stdout, 'said'],
    [child.stderr, 'greeted'],
  ] as const)
    stream.setEncoding('utf8').on('data', (text: string) => {
      words[kind] += text;
      if (/^hub: https/m.test(words[kind]) && !child.killed) child.kill('SIGTERM');
    });
  await once(child, 'close');
  return { code: child.exitCode, ...words };
}

async function takenPort(t: TestContext): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return String(address.port);
}

test('a start that fails ends the process, with a code and one sentence', { timeout: 230_000 }, async (t) => {
  const folder = await temporaryFolder();
  const port = await takenPort(t);
  const state = (name: string) => ['--state', join(folder, name)];
  const noPlan = join(folder, 'plan.yaml');
  await writeFile(noPlan, 'name: [');
  const readOnly = await smallVolume(t, 64);
  execFileSync('mount', ['-o', 'remount,ro', readOnly]);
  await mkdir(join(folder, 'broken'));
  await writeFile(join(folder, 'broken/hub.json'), '{');
  for (const [what, args, words] of [
    [
      'HTTPS port taken',
      [...state('a'), '--http-port', port, '--mqtt-port', '0'],
      new RegExp(`^error conflict: Cannot listen for HTTPS on 127.0.0.1:${port} \\(listen EADDRINUSE`),
    ],
    [
      'MQTT port taken',
      [...state('b'), '--http-port', '0', '--mqtt-port', port],
      new RegExp(`^error conflict: Cannot listen for MQTT on 127.0.0.1:${port} \\(listen EADDRINUSE`),
    ],
    [
      'an address of another machine',
      [...state('c'), ...FREE, '--host', '192.0.2.1'],
      /^error conflict: Cannot listen for MQTT on 192\.0\.2\.1/,
    ],
    [
      'a tick that is none',
      [...state('d'), ...FREE, '--tick', 'often'],
      /^error input_invalid: Cannot start the hub: --tick must be a cron expression.*"often"/,
    ],
    [
      'a plan that is none',
      [...state('e'), ...FREE, '--plan', noPlan],
      /^error input_invalid: Cannot read the rollout plan .*plan\.yaml: it is not YAML/,
    ],
    [
      'a plan that is no file',
      [...state('f'), ...FREE, '--plan', folder],
      /^error input_invalid: Cannot read the rollout plan/,
    ],
    [
      'a volume that is read only',
      ['--state', readOnly, ...FREE],
      /^error input_invalid: Cannot keep the hub's state in .*EROFS/,
    ],
    ['a state that is damaged', [...state('broken'), ...FREE], /^error state_corrupt/],
  ] as const) {
    const { code, words: said } = await failedStart(args);
    assert.equal(code, 1, `${what}: ${said}`);
    assert.match(said, words, what);
    assert.match(said, /^error [a-z_]+: [^\n]+\n {2}what to do: [^\n]+\n$/, what);
  }
});

test('what a person gave is looked at before anything is opened or written', async () => {
  const folder = await temporaryFolder();
  for (const args of [
    ['--tick', '99 * * * * *'],
    ['--plan', '/nowhere.yaml'],
  ]) {
    const state = join(folder, 'state');
    assert.equal((await failedStart(['--state', state, ...FREE, ...args])).code, 1);
    await assert.rejects(stat(state), { code: 'ENOENT' }, args.join(' '));
  }
});

test('a hub says where it answers this machine in the clear; a port that was asked for and is taken ends the start', async (t) => {
  const folder = join(await temporaryFolder(), 'state');
  const start = async (port: string) => (await goodStart(['--state', folder, '--local-port', port])).greeted;
  const greeting = (more: string) => new RegExp(`^hub: https:\\S+  mqtt: \\d+${more}$`, 'm');
  assert.match(await start('0'), greeting('  on this machine also http://localhost:\\d+'));
  assert.match(await start('none'), greeting(''));
  const taken = await takenPort(t);
  const { code, words } = await failedStart(['--state', folder, ...FREE, '--local-port', taken]);
  assert.equal(code, 1);
  assert.match(words, new RegExp(`^error conflict: Cannot listen for plain HTTP on 127.0.0.1:${taken} `));
});

test('a hub whose first start failed starts where it failed', async (t) => {
  const folder = join(await temporaryFolder(), 'state');
  assert.equal(
    (await failedStart(['--state', folder, '--http-port', await takenPort(t), '--mqtt-port', '0'])).code,
    1,
  );
  const { code, greeted } = await goodStart(['--state', folder]);
  assert.equal(code, 0);
  assert.ok(greeted.includes(join(folder, FIRST_FILE)));
  const first = await readFile(join(folder, FIRST_FILE), 'utf8');
  assert.ok(first.includes(join(folder, 'identity/ca.pem')));
});

test('a state folder is for its owner alone, and no git takes it along', async () => {
  const checkout = await temporaryFolder();
  execFileSync('git', ['init', '--quiet', checkout]);
  const folder = join(checkout, 'fleet/state');
  assert.equal((await goodStart(['--state', folder])).code, 0);
  const mode = async (name: string) => (await stat(join(folder, name))).mode & 0o777;
  assert.equal(await mode('.'), 0o700);
  for (const name of [
    'identity/ca.key',
    'registry/keys/root.key',
    'registry/keys/timestamp.key',
    'hub.db',
    'settings.json',
  ])
    assert.equal(await mode(name), 0o600, name);
  assert.equal(execFileSync('git', ['-C', checkout, 'status', '--porcelain'], { encoding: 'utf8' }), '');
});

test('a folder that others may look into is told, a key that they can read is refused', async () => {
  const folder = join(await temporaryFolder(), 'state');
  assert.doesNotMatch((await goodStart(['--state', folder])).said, /warning/);
  await chmod(folder, 0o755);
  assert.match(
    (await goodStart(['--state', folder])).said,
    /warning: others may look into .*state; chmod 700 it/,
  );
  for (const name of ['identity/ca.key', 'registry/keys/snapshot.key']) {
    await chmod(join(folder, name), 0o640);
    const { code, words } = await failedStart(['--state', folder, ...FREE]);
    assert.equal(code, 1);
    assert.match(words, /^error key_exposed: Cannot use the key .*\.key: others can read it \(mode 640\)/);
    await chmod(join(folder, name), 0o600);
  }
});

test('a log that no person reads is JSON, and nothing else is on standard output then', async () => {
  const folder = join(await temporaryFolder(), 'state');
  const first = await goodStart(['--state', folder, '--log', 'json']);
  assert.match(
    first.greeted,
    /^how the first administrator gets in stands in \/.*first-administrator\.txt, until /m,
  );
  await chmod(folder, 0o755);
  const piped = await goodStart(['--state', folder]);
  assert.match(piped.said, /^\{"level":"info","time":"[^"]+Z","msg":"warning: others may look into .*"\}$/m);
  for (const { said, greeted } of [piped, await goodStart(['--state', folder, '--log', 'json'])]) {
    assert.match(greeted, /^hub: https/m);
    const lines = said.trimEnd().split('\n');
    assert.ok(lines.length > 0);
    for (const line of lines) assert.equal(typeof JSON.parse(line).msg, 'string', line);
  }
  const text = await goodStart(['--state', folder, '--log', 'text']);
  assert.match(text.said, /^\d{4}-\d\d-\d\dT[\d:.]+Z warning: others may look into/m);
});

test('without a terminal the first token and the link for the first account go to a file of the owner alone', async () => {
  const folder = join(await temporaryFolder(), 'state');
  const { said, greeted } = await goodStart(['--state', folder, '--name', 'hub.example']);
  assert.doesNotMatch(said + greeted, /adbreak_(token|first)_/);
  const path = join(folder, 'first-administrator.txt');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const text = await readFile(path, 'utf8');
  assert.match(text, /^https:\/\/hub\.example:\d+\/first\?code=adbreak_first_[0-9a-f]{40}$/m);
  assert.match(
    text,
    /^ {2}export ADBREAK_HUB=https:\S+ ADBREAK_CA=\S+ ADBREAK_TOKEN=adbreak_token_[0-9a-f]{40}$/m,
  );
  assert.doesNotMatch((await goodStart(['--state', folder])).said, /first administrator/);
});

test('at a terminal they stand there, and nowhere else', async () => {
  const folder = join(await temporaryFolder(), 'state');
  const command = [process.execPath, BIN, 'hub', 'start', ...FREE, '--state', folder].join(' ');
  // script(1) gives it a terminal, and us what stands there.
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    if (/first\?code=\w+\s/.test(screen)) child.kill('SIGTERM');
  });
  await once(child, 'close');
  assert.match(screen, /ADBREAK_TOKEN=adbreak_token_[0-9a-f]{40}/);
  assert.match(screen, /\/first\?code=adbreak_first_[0-9a-f]{40}/);
  assert.doesNotMatch(await readFile(join(folder, FIRST_FILE), 'utf8'), /adbreak_(token|first)_/);
});

test('a folder that is not the hub’s own is refused and left as it is', async () => {
  const root = await temporaryFolder();
  const source = join(root, 'hub');
  const documents = join(root, 'documents');
  const withState = join(root, 'with-state');
  for (const folder of [source, documents, withState]) await mkdir(folder);
  await writeFile(join(source, 'package.json'), '{}');
  await writeFile(join(documents, 'letter.txt'), '');
  // As 0.1 left it: a hub that ran in its own source folder.
  await writeFile(join(withState, 'package.json'), '{}');
  await writeFile(join(withState, 'hub.json'), '{}');
  for (const [folder, file] of [
    [source, 'package.json'],
    [documents, 'letter.txt'],
    [withState, 'package.json'],
  ] as const) {
    const { code, words } = await failedStart(['--state', folder, ...FREE]);
    assert.equal(code, 1);
    assert.ok(
      words.includes(
        `error input_invalid: Cannot keep the hub's state in ${folder}: the folder is not the hub's own, it holds ${file}`,
      ),
      words,
    );
    assert.match(words, /what to do: Give --state a folder of its own/);
    await assert.rejects(stat(join(folder, 'identity')), { code: 'ENOENT' });
  }
});

test('a signal to the command ends the program it started, with the signal’s exit code', async () => {
  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const output = join(await temporaryFolder(), 'one');
    const child = spawn(
      process.execPath,
      [BIN, 'dataset', 'broadcast', '--output', output, '--channel', 'one', '--seconds', '4000'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
    const ended = once(child, 'close');
    for (
      const deadline = Date.now() + LIMIT_MS;
      (await stat(`${output}.mkv.part`).catch(() => null)) === null;
    )
      assert.ok(Date.now() < deadline, 'the encoder never began');
    const [pid = ''] = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).split(' ');
    child.kill(signal);
    await ended;
    assert.equal(child.exitCode, expected, words);
    assert.equal(words.trim(), 'interrupted; nothing half-written was left');
    assert.equal(spawnSync('kill', ['-0', pid]).status, 1, 'the trainer is gone');
    await assert.rejects(stat(`${output}.mkv.part`), { code: 'ENOENT' });
  }
});
