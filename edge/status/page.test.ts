import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openBrowser, SHOTS } from '@adbreak/shared/testing/browser.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { frames } from '@adbreak/shared/video/frames.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import type { Browser, Page } from 'playwright-core';
import { StatusPage } from './server.js';

interface Recent {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly label: string | null;
  readonly production: number | null;
  readonly candidate: number | null;
  readonly asked: boolean;
}
type Question = Recent & { readonly at: string; readonly pictures: number };
const question = (id: number, hoursAgo: number, pictures = 3): Question => ({
  id,
  start: 100,
  end: 118.5,
  label: null,
  production: null,
  candidate: null,
  asked: true,
  at: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(),
  pictures,
});

const BASE = {
  device: 'living-room',
  channel: 'one',
  label: 'content',
  posterior: 0.04,
  probability: 0.08,
  mediaTime: 754,
  openEpisode: { id: 12, start: 750, label: null },
  recent: [
    { id: 11, start: 732, end: 750, label: null, production: 0.12, candidate: 0.61, asked: false },
    { id: 10, start: 700, end: 731.5, label: 'ad', production: 0.93, candidate: 0.97, asked: false },
  ] as Recent[],
  asked: [] as Question[],
  askedCount: 0,
  source: 'running',
  problem: null as { code: string; message: string } | null,
  connected: true,
  waitingReports: 0,
  ask: false,
  serving: '1.0.0',
  shadow: '2.0.0',
  trial: false,
};

describe('the status page', () => {
  let browser: Browser;
  let page: Page;
  let status: StatusPage;
  let view: typeof BASE = BASE;
  const labels: [number | null, string][] = [];

  before(async () => {
    const pixels = testPattern(1, 224, 224);
    status = await StatusPage.start({
      host: '127.0.0.1',
      port: 0,
      view: () => view,
      frame: () => ({ pixels, width: 224, height: 224 }),
      picture: (episode, index) =>
        episode === 999 ? null : { pixels: testPattern(episode + index, 224, 224), width: 224, height: 224 },
      label: (episode, label) => {
        if (episode === 999) return false;
        labels.push([episode, label]);
        return true;
      },
    });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1000, height: 760 } });
    await page.goto(status.url);
  });
  after(async () => {
    await browser?.close();
    await status?.[Symbol.asyncDispose]();
  });

  const shows = (selector: string, words: RegExp) =>
    page.locator(selector).filter({ hasText: words }).waitFor({ timeout: 5000 });
  /** Until an expression is true in the page; the page's own policy forbids it to poll one. */
  const holds = async (expression: string) => {
    await until(expression, async () => (await page.evaluate(expression)) === true, 5);
  };
  const screenshot = async (name: string) => {
    const path = join(SHOTS, `status-${name}.png`);
    await page.screenshot({ path });
    assert.ok((await stat(path)).size > 10_000, `${path} shows something`);
  };

  test('says PROGRAMME and ADVERTISEMENT, in words and in hatching', async () => {
    await shows('#verdict', /PROGRAMME/);
    await page.locator('#picture').waitFor();
    assert.equal(await page.evaluate('document.querySelector("#picture").naturalWidth'), 224);
    assert.equal(await page.isVisible('#needle'), true);
    await shows('#number', /^4 % advertisement$/);
    await screenshot('programme');
    view = { ...BASE, label: 'ad', posterior: 0.97, probability: 0.9 };
    await shows('#verdict', /ADVERTISEMENT/);
    assert.match(
      String(await page.evaluate('getComputedStyle(document.querySelector("#verdict")).backgroundImage')),
      /repeating-linear-gradient/,
    );
    await screenshot('advertisement');
  });

  test('takes A and C from the keyboard, the buttons, and the rows of the past', async () => {
    await page.keyboard.press('a');
    await page.click('#c');
    await page.click('#recent button.ad');
    await page.waitForTimeout(300);
    assert.deepEqual(labels, [
      [null, 'ad'],
      [null, 'content'],
      [11, 'ad'],
    ]);
    assert.match((await page.textContent('#answer')) ?? '', /noted: AD/);
    await page.keyboard.press('Control+a');
    assert.equal(labels.length, 3, 'a browser shortcut is no label');
  });

  test('asks for the episodes that a rollout waits for, hours old ones too, with pictures and without what the models say', async () => {
    assert.equal(await page.isVisible('#ask'), false);
    const fresh: Recent[] = BASE.recent.map((one) =>
      one.id === 11 ? { ...one, asked: true, production: null, candidate: null } : one,
    );
    view = {
      ...BASE,
      ask: true,
      recent: fresh,
      asked: [question(3, 26, 0), question(5, 7), question(11, 0)],
      askedCount: 31,
    };
    await shows('#ask', /Your word decides.*31 scenes wait \(3 are shown\)/s);
    assert.equal(await page.locator('tr.asked').count(), 1);
    assert.doesNotMatch(
      (await page.textContent('tr.asked')) ?? '',
      /%/,
      'nothing that would tell a question from a control',
    );
    assert.equal(await page.locator('.question').count(), 3);
    assert.match(
      (await page.locator('.question').first().textContent()) ?? '',
      /day until .* 19 s long.*not here any more/,
    );
    await holds(
      'document.querySelectorAll(".question img").length === 6 && [...document.images].every((i) => i.naturalWidth === 224)',
    );
    await page.evaluate('getSelection().removeAllRanges()');
    await page.locator('.question').nth(1).focus();
    await screenshot('asks');
  });

  test('A and C answer the chosen question, then the next one; with none chosen they are about what is on', async () => {
    labels.length = 0;
    await page.keyboard.press('c');
    view = { ...view, asked: view.asked.filter(({ id }) => id !== 5), askedCount: 30 };
    await holds('document.querySelectorAll(".question").length === 2');
    await page.keyboard.press('a');
    view = { ...view, asked: view.asked.filter(({ id }) => id !== 11), askedCount: 1 };
    await shows('#ask', /one scene waits/);
    await page.locator('.question button.ad').first().click();
    view = { ...view, asked: [], askedCount: 0 };
    await page.locator('#ask').waitFor({ state: 'hidden', timeout: 5000 });
    await page.keyboard.press('a');
    await page.waitForTimeout(300);
    assert.deepEqual(labels, [
      [5, 'content'],
      [11, 'ad'],
      [3, 'ad'],
      [null, 'ad'],
    ]);
    view = BASE;
  });

  test('has no picture of an episode that is gone, and takes no other address for one', async () => {
    const answer = async (path: string) => (await fetch(new URL(path, status.url))).status;
    assert.deepEqual(
      await Promise.all(
        ['5/0', '999/0', '5/12', 'x/0', '0/1'].map((path) => answer(`/api/episodes/${path}.bmp`)),
      ),
      [200, 404, 400, 400, 400],
    );
  });

  test('says what is wrong: no signal, no hub, a problem', async () => {
    view = {
      ...BASE,
      source: 'lost',
      connected: false,
      waitingReports: 7,
      problem: { code: 'disk_full', message: 'Cannot write /state: no space left' },
    };
    await shows('#verdict', /NO SIGNAL/);
    assert.equal(await page.isVisible('#needle'), false, 'nothing is pointed at where nothing is said');
    assert.equal(await page.textContent('#number'), '');
    await shows('#problem', /disk_full: Cannot write/);
    await shows('#link', /hub out of reach/);
    await screenshot('trouble');
    view = BASE;
  });

  test('can be used on a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await shows('#verdict', /PROGRAMME/);
    assert.equal(
      await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'),
      true,
      'nothing sticks out',
    );
    await screenshot('telephone');
  });

  test('refuses labels from another page, and ones that fit no schema', async () => {
    const post = (body: string, origin?: string) =>
      fetch(new URL('/api/labels', status.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(origin && { origin }) },
        body,
      });
    const before = labels.length;
    assert.equal((await post('{"episode":null,"label":"ad"}', 'http://evil.example')).status, 403);
    assert.equal((await post('{"episode":null,"label":"maybe"}')).status, 400);
    assert.equal((await post(`{"episode":null,"label":"ad","x":"${'y'.repeat(5000)}"}`)).status, 413);
    assert.equal((await post('{"episode":999,"label":"ad"}')).status, 409);
    assert.equal(labels.length, before);
  });

  test('works under the name that multicast DNS gives the device', async () => {
    const elsewhere = await openBrowser('--host-resolver-rules=MAP *.local 127.0.0.1');
    try {
      const there = await elsewhere.newPage();
      await there.goto(status.url.replace('127.0.0.1', `${hostname().split('.')[0]}.local`));
      await there
        .locator('#verdict')
        .filter({ hasText: /PROGRAMME/ })
        .waitFor({ timeout: 10_000 });
      const before = labels.length;
      await there.keyboard.press('c');
      await there
        .locator('#answer')
        .filter({ hasText: /noted: programme/ })
        .waitFor({ timeout: 10_000 });
      assert.equal(labels.length, before + 1);
    } finally {
      await elsewhere.close();
    }
  });

  test('tells those who watch of each ended episode', async () => {
    const answer = await fetch(new URL('/api/stream', status.url));
    const reader = answer.body?.getReader();
    await reader?.read();
    status.send('episode', { id: 5 });
    // A sign of life may come with it.
    assert.equal(
      new TextDecoder().decode((await reader?.read())?.value).replaceAll(':\n\n', ''),
      'event: episode\ndata: {"id":5}\n\n',
    );
    await reader?.cancel();
  });
});

test('a frame becomes a bitmap that ffmpeg reads back pixel for pixel', async () => {
  const { bitmap } = await import('./bitmap.js');
  const { writeFile } = await import('node:fs/promises');
  const folder = await temporaryFolder();
  greyVideo(join(folder, 'v.mkv'), [{ level: 77, seconds: 1 }]);
  const pixels = testPattern(2, 33, 17);
  await writeFile(join(folder, 'f.bmp'), bitmap(pixels, 33, 17));
  for await (const frame of frames({
    source: join(folder, 'f.bmp'),
    preprocess: { width: 33, height: 17, scaler: 'area' },
    fps: 25,
  }))
    assert.deepEqual(frame.pixels, pixels);
});
