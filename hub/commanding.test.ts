import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { operators } from '@adbreak/shared/contract/http/operators.js';
import { type OperatorReply, type OperatorRole, operatorTopic } from '@adbreak/shared/contract/operators.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, callHub } from './cli/client.js';
import { overview, publish } from './testing/chain.js';
import { enrolByHand } from './testing/enrol.js';
import { in5Minutes, makeOperator, TestOperator } from './testing/operator.js';
import { auditLines } from './testing/store.js';
import { type TestHub, testHub } from './testing.js';

/** Rollouts over MQTT: the real broker, real certificates, the real gate. */
const MODEL = 'base-ad-detector';
const HOUR = 3_600_000;

async function commanded(t: TestContext, role: OperatorRole = 'operator') {
  let ahead = 0;
  const hub = await testHub(t, { now: () => new Date(Date.now() + ahead) });
  await publish(hub, '1.0.0');
  await publish(hub, '2.0.0', 1, { promote: false });
  await enrolByHand(hub, 'pi-1');
  const pair = await makeOperator(hub, 'desk', role);
  const step = (by: number) => {
    ahead += by;
  };
  return { hub, pair, step, desk: await TestOperator.connect(t, hub, pair) };
}
function done(reply: OperatorReply) {
  assert.ok(reply.outcome === 'done', JSON.stringify(reply));
  return reply;
}
function codeOf(reply: OperatorReply): string {
  return reply.outcome === 'refused' ? reply.error.code : 'done';
}
const promote = { command: 'promote', model: MODEL, version: '2.0.0' } as const;
const rolloutsOf = async (hub: TestHub) => (await overview(hub)).rollouts;

test('a rollout is begun, paused, resumed and ended over MQTT, and its retained state follows each word', async (t) => {
  const { hub, desk, pair } = await commanded(t);
  const begun = done(await desk.ask(promote));
  const [rollout] = begun.rollouts;
  assert.ok(rollout !== undefined);
  assert.deepEqual(
    [begun.production?.version, rollout.to.version, rollout.status],
    ['1.0.0', '2.0.0', 'running'],
  );
  const { id } = rollout;
  for (const [command, status] of [
    ['pause', 'paused'],
    ['resume', 'running'],
    ['abort', 'aborted'],
  ] as const) {
    const reply = done(await desk.ask({ command, rollout: id, reason: `because of ${command}` }));
    assert.deepEqual(
      reply.rollouts.map((one) => [one.id, one.status]),
      [[id, status]],
    );
    await until(`its state says ${status}`, () => desk.stateOf(id)?.status === status);
  }
  const states = desk.states.flatMap((one) => (one.id === id && one.state !== null ? [one.state] : []));
  assert.deepEqual(
    states.map(({ revision }) => revision),
    states.map(({ revision }) => revision).toSorted((a, b) => a - b),
    'the highest is the newest',
  );
  assert.match(states.at(-1)?.last?.reason ?? '', /because of abort/);
  const late = await TestOperator.connect(t, hub, { ...pair, name: 'desk' });
  await until('who comes later reads it too', () => late.stateOf(id)?.status === 'aborted');
  const lines = (await auditLines(hub.folder)).join('\n');
  for (const what of ['model.promote', 'rollout.pause', 'rollout.resume', 'rollout.abort'])
    assert.match(lines, new RegExp(`"who":"operator:desk","what":"${what.replace('.', '\\.')}"`));
});

test('the same command again, also of a hub that was started anew, moves nothing and has the same reply; another one under its name is a conflict', async (t) => {
  const { hub, desk, pair } = await commanded(t);
  const named = { id: randomUUID(), deadline: in5Minutes() };
  const first = done(await desk.ask(promote, named));
  assert.deepEqual(await desk.ask(promote, named), first);
  assert.equal(codeOf(await desk.ask({ ...promote, percent: 10 }, named)), 'conflict');
  const paused = { command: 'pause', rollout: first.rollouts[0]?.id ?? '' } as const;
  const order = { id: randomUUID(), deadline: named.deadline };
  const reply = done(await desk.ask(paused, order));
  await hub.running[Symbol.asyncDispose]();
  const again = { ...(await testHub(t, { folder: hub.folder })), token: hub.token };
  const after = await TestOperator.connect(t, again, pair);
  await until('the state is published anew', () => after.states.length > 0);
  assert.deepEqual(await after.ask(promote, named), first);
  assert.deepEqual(await after.ask(paused, order), reply);
  const all = await rolloutsOf(again);
  assert.deepEqual(
    all.map(({ status, history }) => [status, history.filter(({ verdict }) => verdict === 'ORDER').length]),
    [['paused', 1]],
  );
});

test('the role of this moment decides, in an open session too, and a refused attempt is in the audit log', async (t) => {
  const { hub, desk } = await commanded(t, 'viewer');
  const status = { command: 'status', model: MODEL } as const;
  assert.equal(done(await desk.ask(status)).production?.version, '1.0.0');
  assert.equal(codeOf(await desk.ask(promote)), 'forbidden');
  assert.deepEqual(await rolloutsOf(hub), []);
  await callBy(hub, operators.setRole, { params: { name: 'desk' }, body: { role: 'operator' } });
  const begun = done(await desk.ask(promote));
  await callBy(hub, operators.setRole, { params: { name: 'desk' }, body: { role: 'viewer' } });
  assert.equal(
    codeOf(await desk.ask({ command: 'abort', rollout: begun.rollouts[0]?.id ?? '' })),
    'forbidden',
  );
  assert.deepEqual(
    (await rolloutsOf(hub)).map((one) => one.status),
    ['running'],
  );
  const refused = (await auditLines(hub.folder)).filter((line) => line.includes('"command.refused"'));
  assert.deepEqual(
    refused.map((line) => /"who":"operator:desk".*"subject":"(\w+)"/.exec(line)?.[1]),
    ['promote', 'abort'],
  );
});

test('what is late, too far ahead, unknown, too long or no command is refused with its code, and acknowledged', async (t) => {
  const { hub, desk } = await commanded(t);
  const at = (by: number) => new Date(Date.now() + by).toISOString();
  const codes: string[] = [];
  for (const [command, deadline] of [
    [promote, at(-1000)],
    [promote, at(25 * HOUR)],
    [{ ...promote, version: '9.9.9' }, at(HOUR)],
    [{ ...promote, plan: 'no-such-plan' }, at(HOUR)],
    [{ command: 'pause', rollout: 'no-such-rollout' }, at(HOUR)],
    [{ command: 'status', model: 'constructor' }, at(HOUR)],
    [{ ...promote, force: true }, at(HOUR)],
    [{ command: 'pause', rollout: 'r', reason: 'x'.repeat(9000) }, at(HOUR)],
    [{ command: 'dance' }, at(HOUR)],
  ] as const)
    codes.push(codeOf(await desk.ask(command, { deadline })));
  assert.deepEqual(codes, [
    'command_expired',
    'input_invalid',
    'not_found',
    'not_found',
    'not_found',
    'not_found',
    'input_invalid',
    'input_too_large',
    'input_invalid',
  ]);
  await desk.client.publishAsync(operatorTopic('desk', 'commands', 'no-json-at-all'), '{', { qos: 1 });
  await until('its reply', () => desk.replies.get('no-json-at-all')?.map(codeOf)[0] === 'input_invalid');
  assert.deepEqual(await rolloutsOf(hub), []);
});

test('more than sixty commands in a minute are refused, and the same ones may come again later', async (t) => {
  const { desk } = await commanded(t);
  const status = { command: 'status', model: MODEL } as const;
  const replies = await Promise.all(Array.from({ length: 70 }, () => desk.ask(status)));
  const refused = replies.map(codeOf).filter((code) => code !== 'done');
  assert.ok(refused.length >= 5 && refused.every((code) => code === 'too_many_requests'), refused.join());
});

test('revocation ends a session within a moment and lets none in again; a new certificate of the name does', async (t) => {
  const { hub, desk, pair } = await commanded(t);
  const closed = new Promise<void>((resolve) => desk.client.once('close', () => resolve()));
  await callBy(hub, operators.revoke, { params: { name: 'desk' } });
  await closed;
  await assert.rejects(TestOperator.connect(t, hub, pair));
  const next = await TestOperator.connect(t, hub, await makeOperator(hub, 'desk', 'operator'));
  assert.equal(codeOf(await next.ask({ command: 'status', model: MODEL })), 'done');
  await assert.rejects(makeOperator(hub, 'desk', 'admin'), { code: 'conflict' });
  await assert.rejects(
    callHub({ ...hub, token: 'none' }, '/api/v1/operators'),
    (error: { code?: string }) => error.code === 'unauthorized',
  );
});

test('a certificate that has ended commands nothing, also in a session that began before', async (t) => {
  const { desk, step } = await commanded(t);
  step(366 * 24 * HOUR);
  const closed = new Promise<void>((resolve) => desk.client.once('close', () => resolve()));
  desk.client.publish(
    operatorTopic('desk', 'commands', randomUUID()),
    JSON.stringify({ deadline: in5Minutes(), ...promote }),
    { qos: 1 },
  );
  await closed;
});

test('thirty days after its end a rollout is taken away from the topic', async (t) => {
  const { hub, desk, step, pair } = await commanded(t);
  const [rollout] = done(await desk.ask(promote)).rollouts;
  const id = rollout?.id ?? '';
  done(await desk.ask({ command: 'abort', rollout: id }));
  await until('it has ended', () => desk.stateOf(id)?.status === 'aborted');
  step(29 * 24 * HOUR);
  const later = await TestOperator.connect(t, hub, pair);
  await until('it is still shown', () => later.stateOf(id)?.status === 'aborted');
  step(2 * 24 * HOUR);
  await until('it is forgotten', () => later.stateOf(id) === null);
});

test('a device’s tags are changed over MQTT, one by one; a model that is not there is refused', async (t) => {
  const { desk } = await commanded(t);
  const tags = { room: 'bar', old: 'x' };
  done(await desk.ask({ command: 'set-device', device: 'pi-1', tags }));
  const reply = done(
    await desk.ask({ command: 'set-device', device: 'pi-1', tags: { old: null, floor: '2' } }),
  );
  assert.deepEqual(reply.device, { id: 'pi-1', model: MODEL, tags: { room: 'bar', floor: '2' } });
  const other = { command: 'set-device', device: 'pi-1', model: 'sports-ad-detector' } as const;
  assert.equal(codeOf(await desk.ask(other)), 'not_found');
  assert.equal(codeOf(await desk.ask({ command: 'set-device', device: 'pi-9', tags })), 'not_found');
});
