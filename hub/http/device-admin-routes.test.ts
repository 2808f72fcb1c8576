import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { devices as cards } from '@adbreak/shared/contract/http/devices.js';
import { fleet } from '@adbreak/shared/contract/http/fleet.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { callBy, callHub } from '../cli/client.js';
import { card } from '../testing/cards.js';
import { publish } from '../testing/chain.js';
import { enrolByHand } from '../testing/enrol.js';
import { MODEL } from '../testing/state.js';
import { auditLines } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

const SPORTS = 'sports-ad-detector';

/** Three devices, a version in production of each of two models, and a rollout of the first one. */
async function furnished(t: Parameters<typeof testHub>[0]): Promise<TestHub> {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '4.0.0', 1, { name: SPORTS });
  for (const device of ['pi-1', 'pi-2', 'pi-3']) await enrolByHand(hub, device);
  await publish(hub, '2.0.0');
  return hub;
}
const show = (hub: TestHub, id: string) => callBy(hub, fleet.show, { params: { id } });
const change = (hub: TestHub, id: string, body: object) =>
  callBy(hub, fleet.change, { params: { id }, body });
const entries = async (hub: TestHub) =>
  (await auditLines(hub.folder)).map((line) => JSON.parse(line)).filter(({ what }) => what === 'device.set');
async function membersOf(hub: TestHub): Promise<string[]> {
  const { rollouts } = (await callHub(hub, '/api/v1/overview')) as { rollouts: { members: string[] }[] };
  return rollouts[0]?.members ?? [];
}

test('a device that is moved gets the production of its new model and leaves the rollout of the old one; moved back, it joins it again', async (t) => {
  const hub = await furnished(t);
  assert.deepEqual(await membersOf(hub), ['pi-1', 'pi-2', 'pi-3']);
  const dry = await change(hub, 'pi-1', { model: SPORTS, dry_run: true });
  const [first] = dry.changed;
  assert.deepEqual([first?.device, first?.production, dry.dry_run], ['pi-1', '4.0.0', true]);
  assert.match(first?.leaves ?? '', /^base-ad-detector-2\.0\.0-/);
  assert.equal((await show(hub, 'pi-1')).model, MODEL, 'a dry run changes nothing');

  await change(hub, 'pi-1', { model: SPORTS });
  const moved = await show(hub, 'pi-1');
  assert.deepEqual(
    [moved.model, moved.versions.production?.version, moved.versions.candidate, moved.versions.rollout],
    [SPORTS, '4.0.0', null, null],
  );
  assert.deepEqual(await membersOf(hub), ['pi-2', 'pi-3']);
  const again = await change(hub, 'pi-1', { model: SPORTS });
  assert.deepEqual([again.changed, again.unchanged], [[], ['pi-1']]);

  await change(hub, 'pi-1', { model: MODEL });
  const back = await show(hub, 'pi-1');
  assert.deepEqual(
    [back.model, back.versions.production?.version, back.versions.candidate?.version],
    [MODEL, '1.0.0', '2.0.0'],
  );
  assert.deepEqual(await membersOf(hub), ['pi-1', 'pi-2', 'pi-3']);
  assert.deepEqual(
    (await entries(hub)).map(({ who, subject, before, after, from }) => ({
      who,
      subject,
      before,
      after,
      from,
    })),
    [
      { before: { model: MODEL }, after: { model: SPORTS } },
      { before: { model: SPORTS }, after: { model: MODEL } },
    ].map((one) => ({ who: 'token:first', subject: 'pi-1', ...one, from: '127.0.0.1' })),
    'each change once, with what was and what is',
  );
});

test('many devices change together or not at all, and a dry run names each with what stands in its way', async (t) => {
  const hub = await furnished(t);
  const ask = (changes: object[], dry_run = false) =>
    callBy(hub, fleet.changes, { body: { changes: changes as never, dry_run } });
  const bad = [
    { device: 'pi-1', set: { model: SPORTS } },
    { device: 'pi-9', set: { model: SPORTS } },
  ];
  const looked = await ask(bad, true);
  assert.deepEqual(
    [looked.changed.map(({ device }) => device), looked.refused.map(({ device, code }) => [device, code])],
    [['pi-1'], [['pi-9', 'not_found']]],
  );
  await assert.rejects(ask(bad), { code: 'not_found', message: /1 of 2 devices, and changed none: .*pi-9/ });
  assert.equal((await show(hub, 'pi-1')).model, MODEL);
  await ask([{ where: { model: MODEL }, set: { tags: { ring: 'early' } } }]);
  const { devices } = await callBy(hub, fleet.list, { query: { tag: 'ring:early', limit: 2 } });
  assert.deepEqual(
    devices.map(({ id }) => id),
    ['pi-1', 'pi-2'],
  );
  const rest = await callBy(hub, fleet.list, { query: { tag: 'ring', after: 'pi-2' } });
  assert.deepEqual([rest.devices.map(({ id }) => id), rest.next], [['pi-3'], null]);
  assert.equal((await entries(hub)).length, 3);
});

test('a body that says nothing of whom, or both ways, or what is no field, is refused; a viewer changes nothing', async (t) => {
  const hub = await furnished(t);
  const post = (json: object, as: TestHub = hub) =>
    callHub(as, '/api/v1/devices/changes', { method: 'POST', json });
  for (const changes of [
    [],
    [{ set: {} }],
    [{ device: 'pi-1', where: { site: 'home' }, set: {} }],
    [{ where: {}, set: {} }],
    [{ device: 'pi-1', set: { hardware: 'pi5' } }],
    [{ device: 'pi-1', set: { site: 'a\nb' } }],
    [{ device: 'pi-1', set: { tags: { 'A B': 'x' } } }],
  ])
    await assert.rejects(post({ changes }), { code: 'input_invalid' }, JSON.stringify(changes));
  const { token } = await callBy(hub, tokens.create, { body: { id: 'eye', role: 'viewer' } });
  const viewer = { ...hub, token };
  await assert.rejects(post({ changes: [{ device: 'pi-1', set: {} }] }, viewer), { code: 'forbidden' });
  await assert.rejects(change(viewer, 'pi-1', { model: SPORTS }), { code: 'forbidden' });
  assert.equal((await show(viewer, 'pi-1')).model, MODEL);
});

test('a claim brings model and tags, and a tag the model of its rule; one for a model without production is refused', async (t) => {
  const first = await testHub(t);
  await publish(first, '1.0.0');
  await publish(first, '4.0.0', 1, { name: SPORTS });
  await publish(first, '5.0.0', 1, { name: 'news-ad-detector', promote: false });
  await first.running[Symbol.asyncDispose]();
  const path = join(first.folder, 'settings.json');
  const settings = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...settings, modelByTag: { 'use=sports': SPORTS } }));
  const hub = { ...(await testHub(t, { folder: first.folder })), token: first.token };
  const enrol = async (device: string, body: object) => {
    const { tokens: made } = await callBy(hub, cards.claim, { body });
    const { csr } = await card(device);
    const json = { token: made[0], device, csr, instance: 'i' };
    await callHub(hub, '/api/v1/enrol', { method: 'POST', json });
    const { model, tags, versions } = await show(hub, device);
    return [model, tags, versions.production?.version];
  };
  assert.deepEqual(await enrol('pi-1', {}), [MODEL, {}, '1.0.0']);
  const named = { model: SPORTS, tags: { ring: 'early' } };
  assert.deepEqual(await enrol('pi-2', named), [SPORTS, { ring: 'early' }, '4.0.0']);
  assert.deepEqual(await enrol('pi-3', { tags: { use: 'sports' } }), [SPORTS, { use: 'sports' }, '4.0.0']);
  const tag = (tags: Record<string, string | null>) =>
    callBy(hub, cards.changeTags, { params: { id: 'pi-1' }, body: { tags } });
  await tag({ use: 'sports' });
  assert.equal((await show(hub, 'pi-1')).model, SPORTS);
  await tag({ use: null });
  assert.equal((await show(hub, 'pi-1')).model, MODEL);
  await assert.rejects(callBy(hub, cards.claim, { body: { model: 'news-ad-detector' } }), {
    code: 'conflict',
    message: /no production version/,
  });
  await assert.rejects(callBy(hub, cards.claim, { body: { model: 'constructor' } }), { code: 'not_found' });
});
