import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '@adbreak/shared/errors.js';

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
