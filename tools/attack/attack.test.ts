import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectDevice } from '@adbreak/hub/testing/killed.js';
import { storedState } from '@adbreak/hub/testing/store.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import { until } from '@adbreak/shared/testing/until.js';
import { type Attack, attack } from './attack.js';
import { Ground } from './ground.js';
import { HTTP } from './http/rows.js';
import { honest } from './mqtt/lies.js';
import { MQTT } from './mqtt/rows.js';

let ground: Ground;
before(async () => {
  ground = await Ground.open();
});
after(() => ground.close());

const HARMLESS: Attack = { name: 'x', refused: 'forbidden', attempt: async () => ({ code: 'forbidden' }) };
async function why(row: Attack): Promise<string> {
  const lines: string[] = [];
  const outcome = await attack(ground, [row], (line) => lines.push(line));
  assert.deepEqual(outcome, { attacks: 1, refused: 0, broken: [row.name] });
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
  ].map((name) => [...MQTT, ...HTTP].find((row) => row.name === name) ?? assert.fail(name));
  const lines: string[] = [];
  const outcome = await attack(ground, [HARMLESS, ...rows], (line) => lines.push(line));
  assert.deepEqual(outcome, { attacks: 10, refused: 10, broken: [] }, lines.join('\n'));
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
  const all = [...MQTT, ...HTTP];
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
});
