import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type AuditLine, audit } from '@adbreak/shared/contract/http/audit.js';
import { type DeviceLine, fleet } from '@adbreak/shared/contract/http/fleet.js';
import { monitoring } from '@adbreak/shared/contract/http/monitoring.js';
import type { OperatorReply } from '@adbreak/shared/contract/operators.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy } from './cli/client.js';
import { agentOf, publish, scenes } from './testing/chain.js';
import { runAt } from './testing/command.js';
import { enrolByHand } from './testing/enrol.js';
import { makeOperator, TestOperator } from './testing/operator.js';
import { MODEL } from './testing/state.js';
import { type TestHub, testHub } from './testing.js';

/** A fleet of three, two models, and one device that goes from one to the other and back. */
const SPORTS = 'sports-ad-detector';
/** Registered, and not in production. */
const NEWS = 'news-ad-detector';

async function twoModels(t: TestContext): Promise<TestHub> {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '4.0.0', -1, { name: SPORTS });
  await publish(hub, '7.0.0', 1, { name: NEWS, promote: false });
  return hub;
}
async function lines(hub: TestHub): Promise<ReadonlyMap<string, DeviceLine>> {
  const { devices } = await callBy(hub, fleet.list, { query: {} });
  return new Map(devices.map((device) => [device.id, device]));
}
/** What each device runs, by its own word, once it is proved. */
async function running(hub: TestHub, wanted: Readonly<Record<string, string>>): Promise<boolean> {
  const found = await lines(hub);
  return Object.entries(wanted).every(([id, version]) => {
    const device = found.get(id);
    return device?.versions.serving?.version === version && device.versions.slot === 'confirmed';
  });
}
/** What each device shall run. */
async function models(hub: TestHub): Promise<Readonly<Record<string, string>>> {
  const found = [...(await lines(hub)).values()];
  return Object.fromEntries(
    found.map(({ id, model, versions }) => [id, `${model} ${versions.production?.version}`]),
  );
}
async function inferences(hub: TestHub, name: string, version: string): Promise<number> {
  const { metrics } = await callBy(hub, monitoring.performance, { params: { name }, query: { version } });
  return metrics.total_inferences;
}
/** The moves that the audit log has, the oldest first. */
async function moves(hub: TestHub): Promise<readonly AuditLine[]> {
  const { entries } = await callBy(hub, audit.list, { query: { what: 'device.set' } });
  return entries.toReversed();
}
const AT_HOME = { 'pi-1': `${MODEL} 1.0.0`, 'pi-2': `${MODEL} 1.0.0`, 'pi-3': `${MODEL} 1.0.0` };
const AWAY = { ...AT_HOME, 'pi-3': `${SPORTS} 4.0.0` };

test('from the command line: two stay on base, one is moved to sports and back; its windows count for what it runs, and rollouts of what it left are none of its business', {
  timeout: 180_000,
}, async (t) => {
  const hub = await twoModels(t);
  const input = await scenes();
  const agents = await Promise.all(
    ['pi-1', 'pi-2', 'pi-3'].map((device) => agentOf(t, hub, { device, input })),
  );
  await until(
    'all serve base',
    () => running(hub, { 'pi-1': '1.0.0', 'pi-2': '1.0.0', 'pi-3': '1.0.0' }),
    60,
  );
  const move = ['devices', 'set', 'pi-3', '--model', SPORTS];
  const dry = await runAt(hub, ...move, '--dry-run');
  const what = `pi-3\n  model: ${MODEL} → ${SPORTS}\n  it runs ${SPORTS} 4.0.0\n`;
  assert.deepEqual(dry, { code: 0, out: `${what}1 device would change, 0 are so already\n`, error: '' });
  assert.deepEqual([await models(hub), await moves(hub)], [AT_HOME, []]);

  const away = await runAt(hub, ...move);
  assert.deepEqual(away, { code: 0, out: `${what}1 device changed, 0 are so already\n`, error: '' });
  assert.match((await runAt(hub, ...move)).out, /^0 devices changed, 1 is so already\n$/);
  await until('pi-3 serves sports', () => running(hub, { 'pi-3': '4.0.0' }), 60);
  assert.ok(await running(hub, { 'pi-1': '1.0.0', 'pi-2': '1.0.0' }), 'the others serve base');
  assert.deepEqual(await models(hub), AWAY);

  await publish(hub, '2.0.0');
  await until('the two run the candidate beside production', async () => {
    const found = await lines(hub);
    return ['pi-1', 'pi-2'].every((id) => found.get(id)?.versions.shadow?.version === '2.0.0');
  });
  const apart = (await lines(hub)).get('pi-3');
  assert.deepEqual([apart?.versions.candidate, apart?.versions.shadow], [null, null]);
  await until('its windows count for sports', async () => (await inferences(hub, SPORTS, '4.0.0')) > 0);

  const back = await runAt(hub, 'devices', 'set', 'pi-3', '--model', MODEL);
  assert.equal(back.code, 0, back.error);
  await until('pi-3 serves base again', () => running(hub, { 'pi-3': '1.0.0' }), 60);
  await until('and runs the candidate like the others', async () => {
    const device = (await lines(hub)).get('pi-3');
    return device?.versions.shadow?.version === '2.0.0';
  });
  assert.deepEqual(
    (await moves(hub)).map(({ who, subject, before, after }) => [who, subject, before, after]),
    [
      ['token:first', 'pi-3', { model: MODEL }, { model: SPORTS }],
      ['token:first', 'pi-3', { model: SPORTS }, { model: MODEL }],
    ],
  );
  for (const { refusedReports, id, refusal } of (await lines(hub)).values())
    assert.equal(refusedReports, 0, `${id}: ${JSON.stringify(refusal)}`);

  const [first, second] = agents;
  first?.child.kill('SIGTERM');
  second?.child.kill('SIGKILL');
  await Promise.all([first, second].map((agent) => agent && once(agent.child, 'exit')));
  await until('who was cut off is lost', async () => (await lines(hub)).get('pi-2')?.link.state === 'lost');
  assert.equal((await lines(hub)).get('pi-1')?.link.state, 'offline', 'it has said goodbye');
});

function done(reply: OperatorReply) {
  assert.ok(reply.outcome === 'done', JSON.stringify(reply));
  return reply;
}
function codeOf(reply: OperatorReply): string {
  return reply.outcome === 'refused' ? reply.error.code : 'done';
}
const toSports = { command: 'set-device', device: 'pi-3', model: SPORTS } as const;
const toBase = { ...toSports, model: MODEL } as const;

test('over MQTT, by an operator: one of three is moved to sports and back; its windows count for what it runs, and the audit log says who did it', {
  timeout: 180_000,
}, async (t) => {
  const hub = await twoModels(t);
  for (const device of ['pi-1', 'pi-2']) await enrolByHand(hub, device);
  await agentOf(t, hub, { device: 'pi-3', kind: 'live' });
  await until('pi-3 serves base', () => running(hub, { 'pi-3': '1.0.0' }), 60);
  const desk = await TestOperator.connect(t, hub, await makeOperator(hub, 'desk', 'operator'));

  const named = { id: randomUUID() };
  const reply = done(await desk.ask(toSports, named));
  assert.deepEqual(
    [reply.model, reply.production?.version, reply.device],
    [SPORTS, '4.0.0', { id: 'pi-3', model: SPORTS, tags: {} }],
  );
  assert.deepEqual(await models(hub), AWAY);
  await until('pi-3 serves sports', () => running(hub, { 'pi-3': '4.0.0' }), 60);
  await until('its windows count for sports', async () => (await inferences(hub, SPORTS, '4.0.0')) > 0);

  done(await desk.ask(toBase));
  await until('pi-3 serves base again', () => running(hub, { 'pi-3': '1.0.0' }), 60);
  const before = await inferences(hub, MODEL, '1.0.0');
  await until('its windows count for base', async () => (await inferences(hub, MODEL, '1.0.0')) > before);
  assert.deepEqual(await models(hub), AT_HOME);
  const { problem, refusedReports } = (await lines(hub)).get('pi-3') ?? assert.fail('pi-3 is gone');
  assert.deepEqual([problem, refusedReports], [null, 0]);

  const [away, back, ...more] = await moves(hub);
  assert.deepEqual(
    [away, back].map((entry) => [entry?.who, entry?.from, entry?.subject, entry?.after]),
    [
      ['operator:desk', '127.0.0.1', 'pi-3', { model: SPORTS }],
      ['operator:desk', '127.0.0.1', 'pi-3', { model: MODEL }],
    ],
  );
  assert.deepEqual([away?.request, more], [named.id, []]);
});

test('a move over MQTT that comes again moves nothing, whoever has moved the device since', async (t) => {
  const hub = await twoModels(t);
  for (const device of ['pi-1', 'pi-2', 'pi-3']) await enrolByHand(hub, device);
  const desk = await TestOperator.connect(t, hub, await makeOperator(hub, 'desk', 'operator'));
  const named = { id: randomUUID(), deadline: new Date(Date.now() + 600_000).toISOString() };
  const reply = done(await desk.ask(toSports, named));
  assert.deepEqual(await desk.ask(toSports, named), reply);
  assert.equal(codeOf(await desk.ask(toBase, named)), 'conflict', 'another command of this name');
  const { at: _, ...same } = done(await desk.ask(toSports));
  const { at: __, ...first } = reply;
  assert.deepEqual(same, first, 'another command, for what is so already');
  assert.equal((await moves(hub)).length, 1);
  assert.equal((await runAt(hub, 'devices', 'set', 'pi-3', '--model', MODEL)).code, 0);
  assert.deepEqual(await desk.ask(toSports, named), reply);
  assert.deepEqual(await models(hub), AT_HOME);
});

test('who may not move a device, and where it cannot go, is refused with the code that the command line says', async (t) => {
  const hub = await twoModels(t);
  for (const device of ['pi-1', 'pi-2', 'pi-3']) await enrolByHand(hub, device);
  const desk = await TestOperator.connect(t, hub, await makeOperator(hub, 'desk', 'operator'));
  const screen = await TestOperator.connect(t, hub, await makeOperator(hub, 'screen', 'viewer'));
  assert.equal(codeOf(await screen.ask(toSports)), 'forbidden');
  for (const [to, code, why] of [
    [{ model: NEWS }, 'conflict', /news-ad-detector has no production version/],
    [{ model: 'no-such-model' }, 'not_found', /there is no model no-such-model/],
    [{ device: 'pi-9' }, 'not_found', /pi-9: it is not enrolled/],
  ] as const) {
    const { device, model } = { ...toSports, ...to };
    const reply = await desk.ask({ ...toSports, ...to });
    assert.ok(reply.outcome === 'refused', JSON.stringify(reply));
    assert.equal(reply.error.code, code);
    assert.match(reply.error.message, why);
    const typed = await runAt(hub, 'devices', 'set', device, '--model', model);
    assert.equal(typed.code, 1);
    assert.match(typed.error, new RegExp(`^error ${code}: .*${why.source}`));
  }
  assert.deepEqual([await models(hub), await moves(hub)], [AT_HOME, []]);
  const { entries } = await callBy(hub, audit.list, { query: { who: 'operator:screen' } });
  assert.deepEqual(
    entries.map(({ what, subject }) => [what, subject]),
    [['command.refused', 'set-device']],
  );
});
