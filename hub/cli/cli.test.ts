import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '@adbreak/shared/errors.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { testHub } from '../testing.js';

const BIN = fileURLToPath(new URL('../../bin/adbreak.js', import.meta.url));
const adbreak = (...args: string[]) =>
  spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env: { ...process.env, ADBREAK_HUB: '', ADBREAK_TOKEN: '', ADBREAK_CA: '' } });

test('every command that a remedy names exists', () => {
  const remedies = Object.values(ERROR_CODES)
    .map(({ remedy }) => remedy)
    .join(' ');
  const commands = new Set([...remedies.matchAll(/`adbreak ([a-z]+)(?: ([a-z]+))?/g)].map(([, command = '', sub = '']) => `${command} ${sub}`.trim()));
  assert.ok(commands.size >= 5, [...commands].join());
  for (const command of commands) {
    const [name = '', sub] = command.split(' ');
    const { status, stdout } = adbreak(name, '--help');
    assert.equal(status, 0, command);
    if (sub !== undefined) assert.match(stdout, new RegExp(`\\b${sub}\\b`), command);
  }
});

test('commands of edge and trainer run as processes and hand their exit code on', () => {
  const missing = adbreak('detect', 'x.mkv');
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /--model/);
  assert.match(adbreak('model', 'inspect', '/nowhere').stderr, /error not_found/);
});

test('rollouts are listed, planned, explained, ordered and watched from the command line', async (t) => {
  const hub = await testHub(t);
  const ca = join(hub.folder, 'identity/ca.pem');
  // Not spawnSync: the hub answers in this process.
  const run = async (...args: string[]) => {
    const child = spawn(process.execPath, [BIN, ...args], { env: { ...process.env, ADBREAK_HUB: hub.hub, ADBREAK_TOKEN: hub.token, ADBREAK_CA: ca } });
    const words = { out: '', error: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      words.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words.error += text;
    });
    const [code] = await once(child, 'close');
    return { code, ...words };
  };
  assert.match((await run('rollouts', 'list')).out, /no rollouts yet/);
  for (const version of ['1.0.0', '2.0.0']) {
    const folder = join(hub.folder, `release-${version}`);
    const { file, manifest } = tinyRelease(version);
    await mkdir(folder);
    await writeFile(join(folder, 'model.tflite'), file);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    assert.equal((await run('models', 'push', folder)).code, 0);
    assert.equal((await run('models', 'promote', 'base-ad-detector', version)).code, 0);
  }
  const list = (await run('rollouts', 'list')).out;
  const id = /^(\S+) {2}1\.0\.0 → 2\.0\.0 {2}running \(shadow, 0 %\)/m.exec(list)?.[1] ?? '';
  assert.notEqual(id, '', list);
  assert.match((await run('rollouts', 'plan', 'base-ad-detector')).out, /shadow 0 % .*none: shadow on all/);
  assert.match((await run('rollouts', 'explain', id)).out, /What would change it/);
  assert.match((await run('rollouts', 'pause', id, '--reason', 'lunch')).out, /paused/);
  const watching = run('rollouts', 'watch', id, '--seconds', '0.2');
  assert.match((await run('rollouts', 'abort', id, '--reason', 'enough')).out, /aborted/);
  assert.match((await watching).out, /ORDER → abort: token:first: enough/);
  assert.match((await run('rollouts', 'force', id)).error, /required option '--reason/);
  assert.match((await run('rollouts', 'resume', id)).error, /error conflict: Cannot resume rollout .*: it is aborted/);
  assert.match((await run('evaluations', 'list')).out, /no rounds yet/);
  assert.match((await run('evaluations', 'start', '--model', 'base-ad-detector', '--candidate', '2.0.0')).error, /0 devices can be asked, the quorum is 10/);
});

test('a mistake is one sentence and an exit code', () => {
  for (const [args, words] of [
    [['models', 'list'], /error unauthorized: Cannot reach the hub: give --ca/],
    [['bogus'], /unknown command/],
    [['hub', 'start', '--http-port', '99999'], /must be a port/],
    [['hub', 'start', '--state', '/etc/hostname/none'], /error.*ENOTDIR/],
  ] as const) {
    const { status, stderr } = adbreak(...args);
    assert.equal(status, 1, args.join(' '));
    assert.match(stderr, words);
  }
});
