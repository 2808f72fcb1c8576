import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '@adbreak/shared/errors.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { card } from '../testing/cards.js';
import { BIN, runAt } from '../testing/command.js';
import { auditLines } from '../testing/store.js';
import { testHub } from '../testing.js';
import { callHub } from './client.js';

const adbreak = (...args: string[]) =>
  spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ADBREAK_HUB: '', ADBREAK_TOKEN: '', ADBREAK_CA: '', ADBREAK_MODELS: '/nowhere' },
  });

test('every command that a remedy names exists', () => {
  const remedies = Object.values(ERROR_CODES)
    .map(({ remedy }) => remedy)
    .join(' ');
  const commands = new Set(
    [...remedies.matchAll(/`adbreak ([a-z]+)(?: ([a-z]+))?/g)].map(([, command = '', sub = '']) =>
      `${command} ${sub}`.trim(),
    ),
  );
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
  const run = (...args: string[]) => runAt(hub, ...args);
  assert.match((await run('rollouts', 'list')).out, /no rollouts yet/);
  for (const version of ['1.0.0', '2.0.0']) {
    const folder = join(hub.folder, `release-${version}`);
    const { file, manifest } = tinyRelease(version);
    await mkdir(folder);
    await writeFile(join(folder, 'model.tflite'), file);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    assert.equal((await run('models', 'push', folder)).code, 0);
    const promoted = await run('models', 'promote', 'base-ad-detector', version);
    assert.equal(promoted.code, 0);
    // For people a line and what to do next; for scripts --json.
    if (version === '1.0.0') assert.equal(promoted.out, 'base-ad-detector 1.0.0 is the production version\n');
    else
      assert.match(
        promoted.out,
        /^base-ad-detector-2\.0\.0-\w+ {2}1\.0\.0 → 2\.0\.0 {2}running \(shadow, 0 %\).*\n$/,
      );
    if (version === '2.0.0')
      assert.match(promoted.error, /next: `adbreak rollouts watch base-ad-detector-2\.0\.0/);
    assert.match(
      (await run('models', 'push', folder)).error,
      new RegExp(`exists already.*\\n.*adbreak train --version ${version.slice(0, -1)}1`),
    );
  }
  const seen = JSON.stringify(await callHub(hub, '/api/v1/overview'));
  assert.doesNotMatch(seen, /"seen":/, 'the notes of the store are its own');
  const list = (await run('rollouts', 'list')).out;
  const id = /^(\S+) {2}1\.0\.0 → 2\.0\.0 {2}running \(shadow, 0 %\)/m.exec(list)?.[1] ?? '';
  assert.notEqual(id, '', list);
  assert.match((await run('rollouts', 'plan', 'base-ad-detector')).out, /shadow 0 % .*none: shadow on all/);
  assert.match((await run('rollouts', 'explain', id)).out, /What would change it/);
  assert.match((await run('rollouts', 'pause', id, '--reason', 'lunch')).out, /paused/);
  const watching = run('rollouts', 'watch', id, '--seconds', '0.2');
  assert.equal((await run('rollouts', 'resume', id)).code, 0);
  assert.match((await run('rollouts', 'abort', id, '--reason', 'enough')).out, /aborted/);
  const { out: watched } = await watching;
  assert.match(watched, /ORDER → abort: token:first: enough/);
  // The gate may look at any moment, so what was ordered is read from the history.
  assert.match(watched, /ORDER → resume: token:first$/m, 'no reason is no text');
  assert.match((await run('rollouts', 'force', id)).error, /required option '--reason/);
  assert.match(
    (await run('rollouts', 'resume', id)).error,
    /error conflict: Cannot resume rollout .*: it is aborted/,
  );
  assert.match((await run('evaluations', 'list')).out, /no rounds yet/);
  assert.match(
    (await run('evaluations', 'start', '--model', 'base-ad-detector', '--candidate', '2.0.0')).error,
    /0 devices can be asked, the quorum is 10/,
  );
});

test('tags are added, changed and taken away one by one; a malformed one changes nothing', async (t) => {
  const hub = await testHub(t);
  const { tokens } = (await callHub(hub, '/api/v1/claims', { method: 'POST', json: {} })) as {
    tokens: [string];
  };
  const { csr } = await card('pi-1');
  await callHub(hub, '/api/v1/enrol', {
    method: 'POST',
    json: { token: tokens[0], device: 'pi-1', csr, instance: 'i' },
  });
  const tags = async () =>
    ((await callHub(hub, '/api/v1/overview')) as { devices: { tags: Record<string, string> }[] }).devices[0]
      ?.tags;
  const tag = (...words: string[]) => runAt(hub, 'devices', 'tag', 'pi-1', ...words);
  assert.equal((await tag('ring=early', 'room=attic')).code, 0);
  for (const word of ['hello', '=x', 'Ring=x', 'ring=x=y'.padEnd(90, 'z')]) {
    const { code, error } = await tag(word);
    assert.equal(code, 1, word);
    assert.match(error, /error input_invalid: Cannot tag by ".*": it is not key=value/);
    assert.deepEqual(await tags(), { ring: 'early', room: 'attic' }, word);
  }
  assert.equal((await tag('ring=late', 'sum=a=b')).code, 0);
  assert.deepEqual(await tags(), { ring: 'late', room: 'attic', sum: 'a=b' });
  assert.equal((await tag('room=')).code, 0);
  assert.deepEqual(await tags(), { ring: 'late', sum: 'a=b' });
});

test('a plan is named or brought as a file; the hub lists its own', async (t) => {
  const hub = await testHub(t);
  const plans = (await runAt(hub, 'rollouts', 'plans')).out;
  assert.match(
    plans,
    /^standard {2}margin 2 points, alpha 0\.05, 5 devices; shadow 0 %, canary 10 %, half 50 %, all 100 %$/m,
  );
  assert.match(plans, /^demo .*\(where promote names none; for administrators\)$/m);
  assert.match(plans, /^rollback {2}no harm, for going back only.*\(where rollback names none\)$/m);
  assert.match(
    (await runAt(hub, 'rollouts', 'plan', 'base-ad-detector', '--plan', 'standard')).out,
    /half 50 %/,
  );
  const file = fileURLToPath(new URL('../../../configs/rollouts/standard.yaml', import.meta.url));
  assert.match((await runAt(hub, 'rollouts', 'plan', 'base-ad-detector', '--plan', file)).out, /half 50 %/);
  assert.match(
    (await runAt(hub, 'rollouts', 'plan', 'base-ad-detector', '--plan', 'nothing')).error,
    /error not_found: Cannot use the plan nothing/,
  );
});

test('a token that was lost is made anew on the machine of the hub while it is stopped', async (t) => {
  const hub = await testHub(t);
  const running = adbreak('hub', 'token', '--state', hub.folder);
  assert.match(running.stderr, /error conflict: Cannot use the state folder .*: a hub runs on it/);
  await hub.running[Symbol.asyncDispose]();
  const { stdout, stderr } = adbreak('hub', 'token', '--state', hub.folder);
  const token = /ADBREAK_TOKEN=(adbreak_token_[0-9a-f]{40})\n/.exec(stdout)?.[1] ?? assert.fail(stderr);
  const again = { ...(await testHub(t, { folder: hub.folder })), token };
  await callHub(again, '/api/v1/tokens', { method: 'POST', json: { id: 'eye', role: 'viewer' } });
  await callHub({ ...again, token: hub.token }, '/api/v1/overview');
  assert.match(
    (await auditLines(hub.folder)).join('\n'),
    /"who":"hub","what":"token\.create","subject":"admin-[0-9a-f]{6}","after":\{"role":"admin"\}/,
  );
  assert.match(
    adbreak('hub', 'token', '--state', join(hub.folder, 'nothing')).stderr,
    /error not_found: Cannot make a token: no hub has been started/,
  );
  assert.match(adbreak('models', 'list').stderr, /adbreak hub token --state DIR/);
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
