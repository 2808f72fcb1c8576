import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AskedBy } from '@adbreak/shared/contract/http/contract.js';
import { deviceCommands } from '@adbreak/shared/contract/http/device-commands.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { fetch } from 'undici';
import { callBy } from './cli/client.js';
import { agentOf, overview, publish } from './testing/chain.js';
import { runAt } from './testing/command.js';
import { enrolByHand } from './testing/enrol.js';
import { auditLines } from './testing/store.js';
import { type TestHub, testHub } from './testing.js';

/** What a device does once, from the command line through the real hub to the real agent and back. */
type Body = AskedBy<typeof deviceCommands.command>['body'];
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();

async function fleet(t: TestContext) {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { kind: 'live' });
  await until('it is confirmed', async () =>
    (await overview(hub)).devices.some(({ online, reported }) => online && reported?.slot === 'confirmed'),
  );
  return { hub, agent };
}
async function answered(hub: TestHub, body: Body, id: string = randomUUID()) {
  const params = { id: 'pi-1', command: id };
  let standing = await callBy(hub, deviceCommands.command, { params, body });
  await until(`the answer to ${body.command}`, async () => {
    standing = await callBy(hub, deviceCommands.showCommand, { params });
    return standing.reply !== null;
  });
  const { reply } = standing;
  assert.ok(reply !== null);
  return reply;
}

test('a log, a measurement and a sign of life come from a real agent; the log without a secret', {
  timeout: 120_000,
}, async (t) => {
  const { hub, agent } = await fleet(t);
  const file = join(await temporaryFolder(), 'pi-1.log');
  const logs = await runAt(hub, 'devices', 'logs', 'pi-1', '--output', file);
  assert.equal(logs.code, 0, logs.error);
  const text = await readFile(file, 'utf8');
  assert.match(text, /^\d{4}-\d\d-\d\dT\S+Z pi-1: status page /m);
  assert.doesNotMatch(text, /adbreak_claim_[0-9a-f]/);

  const measured = await answered(hub, { command: 'benchmark', deadline: inMinutes(5), seconds: 1 });
  assert.ok(measured.outcome === 'done' && measured.command === 'benchmark', JSON.stringify(measured));
  assert.equal(measured.model.version, '1.0.0');
  assert.equal(
    measured.latency.reduce((sum, [, count]) => sum + count, 0),
    measured.inferences,
  );
  assert.ok(measured.inferences > 1 && measured.memoryMb > 10);

  const shown = await runAt(hub, 'devices', 'command', 'pi-1', 'identify', '--seconds', '60');
  assert.match(
    shown.out,
    /pi-1: it shows itself: (led and page|page; it has no light that its agent may blink)$/m,
  );
  const page = await fetch(new URL('/api/state', agent.status()));
  assert.equal(Reflect.get(Object(await page.json()), 'showing'), true);
  const listed = await runAt(hub, 'devices', 'commands', 'pi-1');
  assert.match(listed.out, /collect-logs .*: done\n.*benchmark .*: done\n.*identify .* by token:first: done/);
  assert.match((await auditLines(hub.folder)).join('\n'), /"who":"token:first","what":"device\.command"/);
});

test('a restart ends the agent once, and the one that began answers; the same command again restarts nothing', {
  timeout: 120_000,
}, async (t) => {
  const { hub, agent } = await fleet(t);
  const id = randomUUID();
  const body = { command: 'restart', deadline: inMinutes(10) } as const;
  await callBy(hub, deviceCommands.command, { params: { id: 'pi-1', command: id }, body });
  const [code] = await once(agent.child, 'exit');
  assert.equal(code, 75, agent.words());
  const waiting = await callBy(hub, deviceCommands.showCommand, { params: { id: 'pi-1', command: id } });
  assert.equal(waiting.reply, null);
  const next = await agentOf(t, hub, { state: agent.state, token: 'adbreak_claim_used', kind: 'live' });
  const reply = await answered(hub, body, id);
  assert.ok(reply.outcome === 'done' && reply.command === 'restart', JSON.stringify(reply));
  assert.deepEqual(await answered(hub, body, id), reply);
  assert.equal(next.child.exitCode, null);
});

test('a reload takes the configuration as it is by now; one that is wrong changes nothing and is told with its field', {
  timeout: 120_000,
}, async (t) => {
  const { hub, agent } = await fleet(t);
  const path = agent.child.spawnargs.at(-1) ?? '';
  const before = await readFile(path, 'utf8');
  await writeFile(path, before.replace('fps: 2', 'fps: 200'));
  const wrong = await answered(hub, { command: 'reload', deadline: inMinutes(5) });
  assert.ok(wrong.outcome === 'refused', JSON.stringify(wrong));
  assert.deepEqual([wrong.error.code, /source\.fps/.test(wrong.error.message)], ['input_invalid', true]);
  await writeFile(path, before.replace('channel: grey', 'channel: another'));
  const reply = await answered(hub, { command: 'reload', deadline: inMinutes(5) });
  assert.ok(reply.outcome === 'done', JSON.stringify(reply));
  await until('its next windows say so', async () =>
    JSON.stringify((await overview(hub)).devices).includes('"channel":"another"'),
  );
  assert.equal(agent.child.exitCode, null, 'it is one program');
});

test('a command waits for a device that is off, for as long as its deadline, and is refused where it makes no sense', {
  timeout: 120_000,
}, async (t) => {
  let ahead = 0;
  const hub = await testHub(t, { now: () => new Date(Date.now() + ahead) });
  await publish(hub, '1.0.0');
  await enrolByHand(hub, 'pi-1');
  const ask = (command: string, body: Body) =>
    callBy(hub, deviceCommands.command, { params: { id: 'pi-1', command }, body });
  const [first, second] = [randomUUID(), randomUUID()];
  const body = { command: 'identify', deadline: inMinutes(5), seconds: 5 } as const;
  assert.equal((await ask(first, body)).reply, null);
  assert.equal((await ask(first, body)).reply, null, 'the same again is one command');
  assert.equal(
    (await callBy(hub, deviceCommands.listCommands, { params: { id: 'pi-1' } })).commands.length,
    1,
  );
  await assert.rejects(ask(first, { ...body, seconds: 6 }), { code: 'conflict' });
  await assert.rejects(ask(second, { ...body, deadline: inMinutes(-1) }), { code: 'command_expired' });
  await assert.rejects(ask(second, { ...body, deadline: inMinutes(8 * 24 * 60) }), { code: 'input_invalid' });
  await assert.rejects(
    callBy(hub, deviceCommands.command, { params: { id: 'pi-9', command: second }, body }),
    { code: 'not_found' },
  );
  ahead = 6 * 60_000;
  const { reply } = await callBy(hub, deviceCommands.showCommand, { params: { id: 'pi-1', command: first } });
  assert.ok(reply?.outcome === 'refused' && reply.error.code === 'command_expired');
  const told = await runAt(hub, 'devices', 'command', 'pi-1', 'identify', '--wait', '0');
  assert.equal(told.code, 1);
  assert.match(told.error, /^pi-1: has not come yet; identify waits for it until \S+Z$/m);
  assert.match(told.error, /error timed_out: pi-1 has not answered yet/);
  for (let asked = 0; asked < 19; asked++) await ask(randomUUID(), { ...body, deadline: inMinutes(30) });
  await assert.rejects(ask(second, { ...body, deadline: inMinutes(30) }), { code: 'conflict' });
});

test('a power cut in the middle of a measurement: it is not begun anew, and what was asked for meanwhile is done when the device is back', {
  timeout: 120_000,
}, async (t) => {
  const { hub, agent } = await fleet(t);
  const [cut, meanwhile] = [randomUUID(), randomUUID()];
  const long = { command: 'benchmark', deadline: inMinutes(10), seconds: 60 } as const;
  await callBy(hub, deviceCommands.command, { params: { id: 'pi-1', command: cut }, body: long });
  const notes = () => readFile(join(agent.state, 'commands/000000000001.json'), 'utf8').catch(() => '');
  await until('it is under way', async () => (await notes()).includes(cut));
  agent.child.kill('SIGKILL');
  await once(agent.child, 'exit');
  await until('it is off', async () => (await overview(hub)).devices.every(({ online }) => !online));
  const told = await runAt(hub, 'devices', 'command', 'pi-1', 'reload', '--wait', '0', '--within', '2');
  assert.match(
    told.error,
    /^pi-1: lost: its session ended without a word since \S+Z, last seen \S+Z; reload waits for it until \S+Z$/m,
  );
  const sign = { command: 'identify', deadline: inMinutes(10), seconds: 5 } as const;
  const params = { id: 'pi-1', command: meanwhile };
  assert.equal((await callBy(hub, deviceCommands.command, { params, body: sign })).reply, null);
  await agentOf(t, hub, { state: agent.state, token: 'adbreak_claim_used', kind: 'live' });
  const interrupted = await answered(hub, long, cut);
  assert.ok(interrupted.outcome === 'refused', JSON.stringify(interrupted));
  assert.equal(interrupted.error.code, 'command_interrupted');
  assert.equal((await answered(hub, sign, meanwhile)).outcome, 'done');
});
