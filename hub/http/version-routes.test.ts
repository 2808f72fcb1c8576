import assert from 'node:assert/strict';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { models } from '@adbreak/shared/contract/http/models.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callBy, callHub } from '../cli/client.js';
import { publish } from '../testing/chain.js';
import { runAt } from '../testing/command.js';
import { hubWithExceptions } from '../testing/exceptions.js';
import { MODEL } from '../testing/state.js';
import { type TestHub, testHub } from '../testing.js';

const archive = (hub: TestHub, version: string, archived = true) =>
  callBy(hub, models.archive, { params: { name: MODEL, version }, body: { archived } });
const remove = (hub: TestHub, version: string) =>
  callBy(hub, models.remove, { params: { name: MODEL, version }, body: {} });
const promote = (hub: TestHub, version: string) =>
  callBy(hub, models.promote, { params: { name: MODEL, version }, body: {} });
const versions = async (hub: TestHub) =>
  (await callBy(hub, models.show, { params: { name: MODEL } })).versions;
const digestOf = (version: string) => tinyRelease(version).manifest.digest;

test('an archived version is out of sight and cannot be promoted until it is taken back; what is at work cannot be archived', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '1.1.0', 1, { promote: false });
  await archive(hub, '1.1.0');
  assert.doesNotMatch((await runAt(hub, 'models', 'show', MODEL)).out, /1\.1\.0/);
  assert.match((await runAt(hub, 'models', 'show', MODEL, '--all')).out, /^1\.1\.0 {2}archived/);
  await assert.rejects(promote(hub, '1.1.0'), { code: 'conflict', message: /it is archived/ });
  await assert.rejects(archive(hub, 'production'), { code: 'conflict', message: /it is in production/ });
  await archive(hub, '1.1.0', false);
  const { rollout } = await promote(hub, '1.1.0');
  for (const version of ['1.0.0', '1.1.0'])
    await assert.rejects(archive(hub, version), { code: 'conflict' }, version);
  const { lineage } = await callBy(hub, models.showVersion, { params: { name: MODEL, version: '1.1.0' } });
  assert.deepEqual(lineage.rollouts, [{ id: rollout?.id, from: '1.0.0', status: 'running' }]);
});

test('what is in production, in a rollout, left somewhere, named, or what a rollback needs, is not deleted', async (t) => {
  // 2.0.0 is in production by a completed rollout from 1.0.0, on which two exceptions stay.
  const hub = await hubWithExceptions(t);
  await assert.rejects(remove(hub, '2.0.0'), { code: 'conflict', message: /it is in production/ });
  await assert.rejects(remove(hub, '1.0.0'), { code: 'conflict', message: /a rollback of .* would go back/ });
  const alias = { params: { name: MODEL, alias: 'evening' }, body: { version: '3.0.0' } };
  await callBy(hub, models.alias, alias);
  await assert.rejects(remove(hub, '3.0.0'), { code: 'conflict', message: /evening is its name/ });
  await callBy(hub, models.alias, { ...alias, body: { version: null } });
  const { rollout } = await promote(hub, '3.0.0');
  await assert.rejects(remove(hub, '3.0.0'), { code: 'conflict', message: /rollout .* is running/ });
  assert.ok(rollout !== null);
  const { token } = await callBy(hub, tokens.create, { body: { id: 'ops', role: 'operator' } });
  await assert.rejects(remove({ ...hub, token }, '3.0.0'), {
    code: 'forbidden',
    message: /deleting a version needs the role admin/,
  });
  assert.deepEqual(
    (await versions(hub)).map(({ version }) => version),
    ['3.0.0', '2.0.0', '1.0.0'],
  );
});

test('a deleted version is gone from list, page and disk; its number stays taken, and no device is told of it', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '1.1.0', 1, { promote: false });
  const folder = join(hub.folder, 'registry/targets');
  const old = new Date(Date.now() - 2 * 24 * 3_600_000);
  for (const file of await readdir(folder)) await utimes(join(folder, file), old, old);
  const { code, out, error } = await runAt(hub, 'models', 'delete', MODEL, '1.1.0', '--reason', 'a mistake');
  assert.equal(code, 0, error);
  assert.match(out, /1\.1\.0 is deleted; its number stays taken/);
  assert.deepEqual(
    (await versions(hub)).map(({ version }) => version),
    ['1.0.0'],
  );
  const left = await readdir(folder);
  assert.ok(!left.includes(digestOf('1.1.0')) && left.includes(digestOf('1.0.0')));
  assert.equal(left.length, 2, 'the model of 1.0.0 and its manifest');
  const download = `/api/v1/models/${MODEL}/versions/1.1.0/download`;
  await assert.rejects(callHub(hub, download), { code: 'not_found' });
  await assert.rejects(remove(hub, '1.1.0'), { code: 'not_found' });
  await assert.rejects(publish(hub, '1.1.0', 1, { promote: false }), {
    code: 'conflict',
    message: /it exists already, or did/,
  });
  await hub.running[Symbol.asyncDispose]();
  const again = { ...(await testHub(t, { folder: hub.folder })), token: hub.token };
  assert.equal((await versions(again)).length, 1);
  const check = await runAt(again, 'hub', 'check', '--state', hub.folder);
  assert.doesNotMatch(`${check.out}${check.error}`, /1\.1\.0/, 'nothing is missing');
});
