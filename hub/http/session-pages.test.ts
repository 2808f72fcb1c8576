import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { accounts, SESSION_COOKIE } from '@adbreak/shared/contract/http/accounts.js';
import { fleet } from '@adbreak/shared/contract/http/fleet.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { openBrowser, SHOTS } from '@adbreak/shared/testing/browser.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { callBy } from '../cli/client.js';
import { overview, publish } from '../testing/chain.js';
import { runAt } from '../testing/command.js';
import { enrolByHand, type HandMade, mqttOf } from '../testing/enrol.js';
import { type TestHub, testHub } from '../testing.js';

const PASSWORD = 'five quiet herons wade';
const NEXT = 'six loud herons stand still';

let browser: Browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

/** A session that ends without a word: the hub calls the device lost. */
async function seenOnce(hub: TestHub, card: HandMade): Promise<void> {
  const topic = `adbreak/v1/devices/${card.device}/status`;
  const says = (online: boolean) => JSON.stringify({ online, agent: 'test', at: new Date().toISOString() });
  const will = { topic, payload: Buffer.from(says(false)), qos: 1, retain: true } as const;
  const client = await mqttOf(hub, card, { will });
  client.on('error', () => undefined);
  await client.publishAsync(topic, says(true), { qos: 1 });
  client.stream.destroy();
  const line = () => callBy(hub, fleet.show, { params: { id: card.device } });
  await until('it is lost', async () => (await line()).link.state === 'lost');
}

/** A person’s browser; the fleet’s authority is none that it knows. */
function visit(hub: TestHub, javaScriptEnabled: boolean): Promise<BrowserContext> {
  return browser.newContext({ baseURL: hub.hub, ignoreHTTPSErrors: true, javaScriptEnabled });
}
async function signIn(page: Page, password: string): Promise<void> {
  await page.goto('/sign-in');
  await page.getByLabel('Name').fill('anna');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('people sign in, change their password and sign out without a script', async (t) => {
  const hub = await testHub(t);
  await callBy(hub, accounts.add, { body: { name: 'anna', role: 'operator', password: PASSWORD } });
  const context = await visit(hub, false);
  t.after(() => context.close());
  const page = await context.newPage();
  await signIn(page, 'not that one at all');
  assert.match((await page.getByRole('alert').textContent()) ?? '', /the name or the password is wrong/);
  assert.equal(await page.getByLabel('Name').inputValue(), 'anna', 'it need not be typed again');
  await page.screenshot({ path: join(SHOTS, 'hub-sign-in.png') });

  await signIn(page, PASSWORD);
  assert.equal(new URL(page.url()).pathname, '/');
  const [cookie] = await context.cookies();
  const { name, httpOnly, secure, sameSite, path } = cookie ?? assert.fail('there is no cookie');
  assert.deepEqual(
    { name, httpOnly, secure, sameSite, path },
    { name: SESSION_COOKIE, httpOnly: true, secure: true, sameSite: 'Strict', path: '/' },
  );

  await page.goto('/account');
  await page.getByLabel('The one of now').fill(PASSWORD);
  await page.getByLabel('The next one').fill(NEXT);
  await page.getByLabel('Once more').fill(NEXT);
  await page.getByRole('button', { name: 'Change it' }).click();
  assert.match((await page.getByRole('status').textContent()) ?? '', /The password is changed/);
  await page.screenshot({ path: join(SHOTS, 'hub-account.png') });
  await page.getByRole('button', { name: 'Sign out' }).click();
  assert.equal(new URL(page.url()).pathname, '/sign-in');
  assert.deepEqual(await context.cookies(), []);
});

test('the first page shows the fleet to who has signed in, and their name; to others the ways in', async (t) => {
  const hub = await testHub(t);
  await callBy(hub, accounts.add, { body: { name: 'anna', role: 'viewer', password: PASSWORD } });
  const context = await visit(hub, true);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto('/');
  await page.getByRole('link', { name: 'With name and password' }).click();
  await signIn(page, PASSWORD);
  await page.getByRole('link', { name: 'anna (viewer)' }).waitFor();
  await page.getByText(/^as of /).waitFor();
  assert.equal(await page.locator('#sign').isHidden(), true);
  await callBy(hub, accounts.remove, { params: { name: 'anna' } });
  await page.getByText('the session has ended').waitFor();
  assert.equal(await page.locator('#sign').isVisible(), true);
});

test('a link that holds a token is followed where nobody is there, and takes the place of no session and no token', async (t) => {
  const hub = await testHub(t);
  await callBy(hub, accounts.add, { body: { name: 'anna', role: 'viewer', password: PASSWORD } });
  const { token } = await callBy(hub, tokens.create, { body: { id: 'stranger', role: 'viewer' } });
  const kept = (page: Page) => page.evaluate("sessionStorage.getItem('token')");
  const context = await visit(hub, true);
  t.after(() => context.close());
  const nobody = await context.newPage();
  await nobody.goto(`/#token=${hub.token}`);
  await nobody.getByText(/^as of /).waitFor();
  assert.equal(await kept(nobody), hub.token);
  assert.equal(new URL(nobody.url()).hash, '');
  // The same tab: only the fragment would change, and nothing be loaded.
  await nobody.goto('about:blank');
  await nobody.goto(`/#token=${token}`);
  await nobody.getByText(/The link that led here holds a token/).waitFor();
  assert.equal(await kept(nobody), hub.token);

  const page = await context.newPage();
  await signIn(page, PASSWORD);
  await page.goto('about:blank');
  await page.goto(`/#token=${token}`);
  await page.getByText(/The link that led here holds a token/).waitFor();
  await page.getByRole('link', { name: 'anna (viewer)' }).waitFor();
  assert.equal(await kept(page), null);
});

test('the first administrator types the password twice, and is in', async (t) => {
  const hub = await testHub(t);
  const context = await visit(hub, false);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`/first?code=${hub.running.invitation?.code}`);
  const fill = async (again: string) => {
    await page.getByLabel('Name').fill('anna');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByLabel('Once more').fill(again);
    await page.screenshot({ path: join(SHOTS, 'hub-first.png') });
    await page.getByRole('button', { name: 'Make the account' }).click();
  };
  await fill(NEXT);
  assert.match((await page.getByRole('alert').textContent()) ?? '', /the two differ/);
  await page.screenshot({ path: join(SHOTS, 'hub-first-differ.png') });
  await fill(PASSWORD);
  assert.equal(new URL(page.url()).pathname, '/');
});

test('who has not signed in reads that everywhere, and not that there is nothing', async (t) => {
  const hub = await testHub(t, { local: { port: 0, asked: true } });
  const context = await visit(hub, true);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto('/');
  await page.getByText('sign in to see them').first().waitFor();
  assert.equal(await page.getByText('sign in to see them').count(), 4);
  assert.doesNotMatch((await page.textContent('main')) ?? '', /none|nothing/);
  await page.screenshot({ path: join(SHOTS, 'hub-stranger.png') });
  await page.goto(`http://localhost:${hub.running.localPort}/`);
  await page.getByText('over https alone').waitFor();
  assert.equal(await page.getByRole('link', { name: 'With name and password' }).count(), 0);
  await page.goto(`http://localhost:${hub.running.localPort}/sign-in`);
  await page.screenshot({ path: join(SHOTS, 'hub-sign-in-plain.png') });
  await page.getByRole('link', { name: 'https://localhost' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
});

test('the first page dates what it shows, and says how long ago in words', async (t) => {
  // Certificates are judged by the clock of the system, so it is the past that is made up.
  let back = 14 * 24 * 3_600_000;
  const hub = await testHub(t, { now: () => new Date(Date.now() - back) });
  for (const version of ['1.0.0', '2.0.0']) await publish(hub, version);
  await seenOnce(hub, await enrolByHand(hub, 'pi-1'));
  await enrolByHand(hub, 'pi-2');
  const { rollouts } = await overview(hub);
  await runAt(hub, 'rollouts', 'pause', rollouts[0]?.id ?? '', '--reason', 'lunch');
  const dated = (at: number) =>
    new RegExp(`${new Date(at).toLocaleDateString('en-US', { dateStyle: 'medium' })}, \\d+:\\d\\d`);
  const then = Date.now() - back;
  back = 0;
  const context = await visit(hub, true);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`/#token=${hub.token}`);
  const devices = page.locator('#devices');
  await devices.getByText('14 days ago').waitFor();
  assert.match((await devices.textContent()) ?? '', /pi-1 lost.*pi-2 offline.*never/s);
  assert.match((await page.textContent('#when')) ?? '', dated(Date.now()));
  const ordered = page.locator('#rollouts tr', { hasText: 'lunch' }).first();
  assert.match((await ordered.textContent()) ?? '', dated(then));
  await page.screenshot({ path: join(SHOTS, 'hub-dated.png'), fullPage: true });
});

test('a page of another port of the hub’s machine changes nothing in the name of who has signed in', async (t) => {
  const hub = await testHub(t);
  const other = await testHub(t);
  await callBy(hub, accounts.add, { body: { name: 'anna', role: 'admin', password: PASSWORD } });
  const context = await visit(hub, true);
  t.after(() => context.close());
  const page = await context.newPage();
  await signIn(page, PASSWORD);
  // Cookies know no ports: the browser sends this one along.
  await page.goto(`${other.hub}/healthz`);
  const answer = page.waitForResponse((one) => one.url() === `${hub.hub}/api/v1/users/anna/remove`);
  await page.evaluate(`{
    const form = document.createElement('form');
    form.method = 'post';
    form.action = '${hub.hub}/api/v1/users/anna/remove';
    document.body.append(form);
    form.submit();
  }`);
  assert.equal((await answer).status(), 403);
  const { users } = await callBy(hub, accounts.list, {});
  assert.deepEqual(
    users.map(({ standing }) => standing),
    ['active'],
  );
});
