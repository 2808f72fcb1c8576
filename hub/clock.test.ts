import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts } from '@adbreak/shared/contract/http/accounts.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { callBy, callHub } from './cli/client.js';
import { Browser } from './testing/browser.js';
import { publish } from './testing/chain.js';
import { run } from './testing/command.js';
import { makeOperator, TestOperator } from './testing/operator.js';
import { tamper } from './testing/store.js';
import { testHub } from './testing.js';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PASSWORD = 'five quiet herons wade';

async function steppedHub(t: Parameters<typeof testHub>[0]) {
  let now = START;
  const hub = await testHub(t, { now: () => new Date(now) });
  await callBy(hub, accounts.add, { body: { name: 'anna', role: 'operator', password: PASSWORD } });
  const signIn = async () => {
    const browser = new Browser(hub);
    assert.equal((await browser.post('/sign-in', { name: 'anna', password: PASSWORD })).status, 303);
    return browser;
  };
  const set = (ms: number) => {
    now = START + ms;
  };
  return { hub, signIn, set };
}
const status = async (browser: Browser) => (await browser.get('/api/v1/overview')).status;

test('a clock that is ahead for a while forgets no session, and one that was begun then is none when it is back', async (t) => {
  const { signIn, set } = await steppedHub(t);
  const before = await signIn();
  set(30 * DAY);
  assert.equal(await status(before), 401, 'by what the clock says');
  const ahead = await signIn();
  assert.equal(await status(ahead), 200);
  set(60_000);
  assert.deepEqual([await status(before), await status(ahead)], [200, 401]);
});

test('a clock that is set back opens no token and no session again, also of a hub that is started anew', async (t) => {
  const { hub, signIn, set } = await steppedHub(t);
  const { token } = await callBy(hub, tokens.create, { body: { id: 'day', role: 'viewer', days: 1 } });
  const day = { ...hub, token };
  const session = await signIn();
  for (let hour = 0; hour <= 25; hour++) {
    set(hour * HOUR);
    await callHub(hub, '/api/v1/overview');
  }
  set(HOUR / 2);
  await assert.rejects(callHub(day, '/api/v1/overview'), { code: 'unauthorized', message: /day expired/ });
  assert.equal(await status(session), 401);
  await hub.running[Symbol.asyncDispose]();
  const again = await testHub(t, { folder: hub.folder, now: () => new Date(START + HOUR / 2) });
  await assert.rejects(callHub({ ...again, token }, '/api/v1/overview'), { code: 'unauthorized' });
  assert.match(again.log.join('\n'), /this hub has lived through 2026-01-02T01:00.*stays ended/);
  // What is made now lasts as long as it says.
  const next = await callBy({ ...again, token: hub.token }, tokens.create, {
    body: { id: 'next', role: 'viewer', days: 1 },
  });
  await callHub({ ...again, token: next.token }, '/api/v1/overview');
});

test('who stands at the hub may say that its clock is right, after it was wrong for days: a new token opens it', async (t) => {
  const first = await testHub(t);
  await first.running[Symbol.asyncDispose]();
  const floor = new Date(Date.now() + 1000 * DAY).toISOString();
  const note = JSON.stringify({ floor, ahead: null });
  await tamper(first.folder, `update meta set value = '${note}' where key = 'time'`);
  const hub = await testHub(t, { folder: first.folder });
  await assert.rejects(callHub({ ...hub, token: first.token }, '/api/v1/overview'), { code: 'unauthorized' });
  await hub.running[Symbol.asyncDispose]();
  const checked = await run(['hub', 'check', '--state', first.folder]);
  assert.match(checked.out, /wrong +clock .*the time that the hub has lived through[\s\S]*adbreak hub token/);
  const made = await run(['hub', 'token', '--state', first.folder]);
  assert.equal(made.code, 0, made.error);
  const token = /adbreak_token_[0-9a-f]{40}/.exec(made.out)?.[0] ?? '';
  await callHub({ ...(await testHub(t, { folder: first.folder })), token }, '/api/v1/overview');
});

test('a clock that is ahead for a while forgets no name of a command: sent again, it moves nothing', {
  timeout: 60_000,
}, async (t) => {
  let step = 0;
  const hub = await testHub(t, { now: () => new Date(Date.now() + step) });
  await publish(hub, '1.0.0');
  await publish(hub, '2.0.0', 1, { promote: false });
  const pair = await makeOperator(hub, 'desk', 'operator');
  const desk = await TestOperator.connect(t, hub, pair);
  const named = { id: randomUUID(), deadline: new Date(Date.now() + 300_000).toISOString() };
  const promote = { command: 'promote', model: 'base-ad-detector', version: '2.0.0' } as const;
  const first = await desk.ask(promote, named);
  assert.equal(first.outcome, 'done');
  step = 40 * DAY;
  // Looks come every second, and forget what is over.
  await sleep(3000);
  step = 0;
  assert.deepEqual(await desk.ask(promote, named), first);
});
