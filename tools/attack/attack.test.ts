import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callBy, callHub } from '@adbreak/hub/cli/client.js';
import { Browser } from '@adbreak/hub/testing/browser.js';
import { publish } from '@adbreak/hub/testing/chain.js';
import { connectDevice } from '@adbreak/hub/testing/killed.js';
import { makeOperator } from '@adbreak/hub/testing/operator.js';
import { storedState } from '@adbreak/hub/testing/store.js';
import { accounts } from '@adbreak/shared/contract/http/accounts.js';
import { deviceCommands } from '@adbreak/shared/contract/http/device-commands.js';
import { models } from '@adbreak/shared/contract/http/models.js';
import { operators } from '@adbreak/shared/contract/http/operators.js';
import { rollouts } from '@adbreak/shared/contract/http/rollouts.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import { until } from '@adbreak/shared/testing/until.js';
import { type Attack, attack } from './attack.js';
import { Ground, PASSWORD } from './ground.js';
import { HTTP } from './http/rows.js';
import { METADATA } from './metadata/rows.js';
import { honest } from './mqtt/lies.js';
import { MQTT } from './mqtt/rows.js';

const ALL = [...HTTP, ...MQTT, ...METADATA];
let ground: Ground;
before(async () => {
  ground = await Ground.open();
});
after(() => ground.close());

const HARMLESS: Attack = { name: 'x', refused: 'forbidden', attempt: async () => ({ code: 'forbidden' }) };
async function why(row: Attack): Promise<string> {
  const lines: string[] = [];
  const outcome = await attack(ground, [row], (line) => lines.push(line));
  assert.deepEqual(outcome, { attacks: 1, refused: 0, broken: [row.name], p99_ms: null });
  return lines.join('\n');
}

test('a row that is let through, refused otherwise, or that changes something is broken, and is told with its reason', async () => {
  const through = async () => {
    throw new Error('it heard everything');
  };
  assert.match(await why({ ...HARMLESS, attempt: through }), /^BROKEN +x, .* s: it heard everything/);
  const other = async () => ({ code: 'not_found' });
  assert.match(await why({ ...HARMLESS, attempt: other }), /refused with not_found instead of forbidden/);
  const changing: Attack['attempt'] = async (_, rogue) => {
    const client = connectDevice(rogue.identity, ground.hub);
    rogue.after(() => client.end(true));
    await until('it is connected', () => client.connected);
    const said = { revision: 0, serving: null, shadow: null, slot: 'factory', problem: null };
    const rest = { source: 'running', statusPage: null, at: new Date().toISOString() };
    await client.publishAsync(topicOf(rogue.device, 'reported'), JSON.stringify({ ...said, ...rest }), {
      qos: 1,
    });
    return { code: 'forbidden' };
  };
  assert.match(
    await why({ ...HARMLESS, attempt: changing }),
    /it changed the hub's state:\n.*"reported":null/,
  );
});

test('whatever an attacker could change is seen, one by one', async () => {
  const { hub, good, rollout } = ground;
  const version = { params: { name: 'base-ad-detector', version: '2.0.0' } };
  const order = { params: { id: rollout }, body: { reason: 'a deed' } };
  const name = { name: 'deed' };
  const deadline = new Date(Date.now() + 60_000).toISOString();
  const deeds: Readonly<Record<string, () => Promise<unknown>>> = {
    claim: () => callHub(hub, '/api/v1/claims', { method: 'POST', json: {} }),
    token: () => callBy(hub, tokens.create, { body: { id: 'deed', role: 'viewer' } }),
    account: () => callBy(hub, accounts.add, { body: { ...name, role: 'viewer', password: PASSWORD } }),
    session: () => new Browser(hub).post('/sign-in', { ...name, password: PASSWORD }),
    operator: () => makeOperator(hub, 'deed', 'viewer'),
    role: () => callBy(hub, operators.setRole, { params: name, body: { role: 'admin' } }),
    tag: () => callHub(hub, `/api/v1/devices/${good}/tags`, { method: 'PUT', json: { tags: { a: 'b' } } }),
    command: () =>
      callBy(hub, deviceCommands.command, {
        params: { id: good, command: 'deed-0001' },
        body: { command: 'restart', deadline },
      }),
    notes: () => callBy(hub, models.note, { ...version, body: { notes: 'a deed' } }),
    resume: () => callBy(hub, rollouts.resume, order),
    pause: () => callBy(hub, rollouts.pause, order),
    version: () => publish(hub, '3.0.0', 1, { promote: false }),
  };
  for (const [what, deed] of Object.entries(deeds)) {
    const before = await ground.unchanging();
    assert.equal(await ground.unchanging(), before, `nothing happens before ${what}`);
    await deed();
    assert.notEqual(await ground.unchanging(), before, what);
  }
});

test('a row of each kind is refused with its code, and changes nothing', async () => {
  const rows = [
    'reads by #',
    'writes another’s status',
    'comes without a certificate',
    'reports a billion frames',
    'a token of the role viewer: all that is above it, at once',
    'a session of the role operator: all that is above it, at once',
    'an operator brings a plan of their own: promote',
    'a page of another site sends JSON in an administrator’s name',
    'guesses tokens',
    'comes with a session of an account that was removed',
    'an operator reads by adbreak/v1/operators/D/replies/+',
    'an operator of the role viewer commands all that is above it, at once',
    'an operator sends another command under a name that was used',
    'gives a device a list that the stolen key of the snapshot has signed',
    'gives a device the time stamp of before, again',
    'gives a device a desired state for another device',
  ].map((name) => ALL.find((row) => row.name === name) ?? assert.fail(name));
  const lines: string[] = [];
  const outcome = await attack(ground, [HARMLESS, ...rows], (line) => lines.push(line));
  const all = rows.length + 1;
  assert.deepEqual(outcome, { attacks: all, refused: all, broken: [], p99_ms: null }, lines.join('\n'));
});

test('what the lies are made of is true: it is taken', async () => {
  const rogue = await ground.enrol();
  const client = connectDevice(rogue.identity, ground.hub);
  await until('it is connected', () => client.connected);
  for (const window of [honest(1), honest(2, -2)])
    await client.publishAsync(topicOf(rogue.device, 'windows'), JSON.stringify(window), { qos: 1 });
  client.end(true);
  const { sequence, refusedReports } = (await storedState(ground.folder)).devices[rogue.device] ?? {};
  assert.deepEqual({ sequence, refusedReports }, { sequence: 2, refusedReports: 0 });
});

test('no two rows have one name', () => {
  assert.equal(new Set(ALL.map(({ name }) => name)).size, ALL.length);
});
