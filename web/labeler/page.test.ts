import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { labelsSchema } from '@adbreak/shared/contract/labelling.js';
import { openBrowser } from '@adbreak/shared/testing/browser.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Browser, Page } from 'playwright-core';
import { z } from 'zod';
import {
  type Complaint,
  holds,
  openPage,
  screenshot,
  severeViolations,
  shows,
  textOf,
} from '../testing/browser.js';
import { Labelling } from '../testing/labelling.js';
import { drawBroadcast, spotsOf } from '../testing/recordings.js';

/** The page in real Chromium before the real server, as one evening of labelling; the tests follow one another. */

const FIRST = 'evening.mp4';
const SECOND = 'night.mp4';

describe('the labelling page', () => {
  let browser: Browser;
  let labelling: Labelling;
  let page: Page;
  let complaints: Complaint[];
  /** From the kill until the new page has loaded, milliseconds since 1970. */
  let gone = { from: 0, to: 0 };
  let videoDir: string;
  let outputDir: string;
  let spots: string;

  before(async () => {
    const folder = await temporaryFolder();
    [videoDir, outputDir, spots] = [
      join(folder, 'video'),
      join(folder, 'labels'),
      join(folder, 'spots.json'),
    ];
    await mkdir(videoDir);
    drawBroadcast(join(videoDir, FIRST), { seconds: 120 });
    drawBroadcast(join(videoDir, SECOND), { seconds: 40, hasSound: false });
    await writeFile(spots, JSON.stringify(spotsOf(FIRST, SECOND)));
    labelling = await Labelling.start({ videoDir, outputDir, spots });
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, labelling.url));
  });
  after(async () => {
    await browser?.close();
    await labelling?.kill();
  });

  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** What stands on the server, of one labeller, in short. */
  const kept = async (recording = 0, labeller = 'ada') => {
    const { recordings } = await (await fetch(new URL('/api/recordings', labelling.url))).json();
    const path = `/api/recordings/${recordings[recording].id}/labels?labeller=${labeller}`;
    const { spans } = labelsSchema.parse(await (await fetch(new URL(path, labelling.url))).json());
    return spans.map(({ start, end, label }) => ({ start, end, label }));
  };
  const onDisk = () => shows(page, '.disk', /All on disk/);
  const seconds = (spans: readonly { start: number; end: number }[]) =>
    spans.reduce((sum, { start, end }) => sum + end - start, 0);

  test('asks who labels, and says what a name may be', async () => {
    await shows(page, 'dialog', /Who is labelling/);
    // Chromium asks whether it may close at the first alone.
    for (let i = 0; i < 3; i++) {
      await press('Escape');
      await page.locator('dialog:modal').waitFor({ timeout: 5000 });
    }
    await page.keyboard.type('?!');
    await press('Enter');
    await shows(page, '.fault', /1 to 40 letters/);
    await page.fill('#name', 'ada');
    await press('Enter');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await shows(page, '.clock', /frame 0 of 3000/);
  });

  test('one key on a spot labels all its airings in all recordings; T means one stretch', async () => {
    await page.locator('.tab-panel .row').first().waitFor();
    await press('n');
    await shows(page, '.meaning', /A or C labels.*all 3 airings/s);
    await press('a');
    await onDisk();
    await until(
      'three airings',
      async () => (await kept(0)).length === 2 && (await kept(1)).length === 1,
      10,
    );
    await shows(page, '.note', /Labelled ad: 3 airings of spot S1/);
    await screenshot(page, 'spot');
    await press('t', 'c');
    await onDisk();
    assert.deepEqual(
      (await kept(0)).map(({ label }) => label),
      ['content', 'ad'],
      'the other airing stays',
    );
    await press('u', 'u');
    await until('both undone', async () => (await kept(0)).length === 0, 10);
    await press('r');
    await until('redone', async () => (await kept(0)).length === 2, 10);
  });

  test('labels while it plays, from the key to the other key, to the frame', async () => {
    await press('Escape', '2', '1');
    await shows(page, '.clock', /frame 0 of 3000/);
    await press(']', ']', ' ');
    await page.locator('.clock', { hasText: /frame \d\d/ }).waitFor();
    await press('a');
    await page.waitForTimeout(1200);
    await shows(page, '.now', /AD/);
    await press('c');
    await page.waitForTimeout(900);
    await press(' ');
    await onDisk();
    const [ad, content] = await kept(0);
    assert.deepEqual([ad?.label, content?.label], ['ad', 'content']);
    assert.equal(ad?.end, content?.start, 'no gap between them');
    const length = seconds(ad ? [ad] : []);
    assert.ok(
      length > 0.3 && length < 5,
      `1.2 s at double speed, or less on a slow machine, not ${length} s`,
    );
    const time = Number(/(\d+\.\d+)/.exec(await textOf(page, '.clock strong'))?.[1]);
    assert.ok(
      Math.abs((content?.end ?? 0) - time) < 0.081,
      `up to the frame that is shown: ${content?.end}, ${time}`,
    );
    await screenshot(page, 'playing');
  });

  test('borders are gone to, and moved by one frame', async () => {
    const border = async () => (await kept(0)).find(({ label }) => label === 'content')?.start ?? 0;
    const before = await border();
    await press('j');
    await shows(page, '.note', /Border at .*ad to content/);
    await press('Shift+ArrowRight', 'Shift+ArrowRight', 'Shift+ArrowLeft');
    await onDisk();
    const after = await border();
    assert.ok(Math.abs(after - before - 0.04) < 0.0005, `${before}, ${after}`);
  });

  test('goes by frames, seconds and cuts, and shows the number of the frame', async () => {
    const frame = async () => Number(/frame (\d+)/.exec(await textOf(page, '.clock'))?.[1]);
    const at = await frame();
    await press('.', '.', ',');
    assert.equal(await frame(), at + 1);
    await press('ArrowRight');
    assert.equal(await frame(), at + 26);
    await holds(page, 'performance.getEntriesByName("adbreak-seek").length > 3');
  });

  test('what is not on disk is shown as pending, kept while the server is gone, and sent when it is back', async () => {
    const port = labelling.port;
    await press('0');
    const lanes = await page.locator('.lanes').boundingBox();
    assert.ok(lanes);
    const x = (time: number) => lanes.x + (time / 120) * lanes.width;
    await page.mouse.move(x(60), lanes.y + 50);
    await page.mouse.down();
    await page.mouse.move(x(75), lanes.y + 50, { steps: 4 });
    await page.mouse.up();
    await shows(page, '.meaning', /A or C labels 0:01:00 to 0:01:15/);
    gone = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    await labelling.kill();
    await press('c', 'u', 'a');
    await shows(page, '.banner.trouble', /does not answer.*3 things you did are kept here/);
    await shows(page, '.disk', /3 not on disk yet/);
    await screenshot(page, 'gone');
    const context = page.context();
    await page.close();
    labelling = await Labelling.start({ videoDir, outputDir, spots, port });
    page = await context.newPage();
    await page.goto(labelling.url);
    gone = { ...gone, to: Date.now() };
    await onDisk();
    const other = (await kept(0)).filter(({ start }) => Math.abs(start - 60) < 1);
    assert.deepEqual(
      other.map(({ label }) => label),
      ['ad'],
      'in the order of the keys',
    );
  });

  test('a recording whose beginning does not come at once plays when it comes', async () => {
    const { page: late } = await openPage(browser, labelling.url);
    let asked = 0;
    await late.route('**/pieces/init', (route) => (++asked < 3 ? route.abort() : route.continue()));
    await late.reload();
    await late.fill('#name', 'eva');
    await late.keyboard.press('Enter');
    await shows(late, '.clock', /frame 0 of 3000/);
    // Each asks for pieces, which may not go before the beginning.
    for (const key of ['.', '.', 'ArrowRight']) await late.keyboard.press(key);
    await until('the video', () => late.evaluate("document.querySelector('video').readyState > 1"), 15);
    assert.equal(asked, 3);
    await late.context().close();
  });

  test('S writes the files', async () => {
    await press('s');
    await shows(page, '.note', /Saved: \d+ files? in /);
    const files = await readdir(outputDir, { recursive: true });
    assert.ok(
      files.some((file) => file.endsWith('.csv')),
      files.join(' '),
    );
  });

  test('a second tab shows the same without losing what is chosen there', async () => {
    const second = await page.context().newPage();
    await second.setViewportSize({ width: 1360, height: 900 });
    await second.goto(labelling.url);
    await second.locator('#tab-labels').focus();
    await second.keyboard.press('Enter');
    const rows = second.locator('.tab-panel .row');
    await rows.first().waitFor();
    const count = await rows.count();
    await rows.first().focus();
    await page.click('#tab-labels');
    await page.locator('.tab-panel .row').last().click();
    await press('x');
    await onDisk();
    await until('the other tab has it', async () => (await rows.count()) !== count, 10);
    assert.equal(await second.evaluate('document.activeElement.className'), 'row');
    await press('u');
    await onDisk();
    await second.close();
  });

  test('a second labeller: agreement, disputes, and the last word', async () => {
    const { page: other } = await openPage(browser, labelling.url);
    await shows(other, 'dialog', /ada/);
    await other.fill('#name', 'ben');
    await other.keyboard.press('Enter');
    await shows(other, '.clock', /frame 0 of 3000/);
    await until('no label of others is shown', async () => !(await other.isVisible('.now')), 5);
    const lanes = await other.locator('.lanes').boundingBox();
    assert.ok(lanes);
    await other.mouse.click(lanes.x + (95 / 120) * lanes.width, lanes.y + 158);
    await shows(other, '.meaning', /S1.*all 3 airings/s);
    await other.keyboard.press('c');
    await shows(other, '.disk', /All on disk/);
    await other.click('#tab-people');
    await shows(other, '.dispute', /ada says.*AD.*ben says.*CONTENT|ben says.*CONTENT.*ada says.*AD/s);
    await screenshot(other, 'disputes');
    await other.locator('.dispute').first().getByRole('button', { name: 'It is an ad' }).click();
    await shows(other, '.note', /Settled: ad/);
    await other.context().close();
  });

  test('says what is wrong with a recording, and takes in new ones', async () => {
    await writeFile(join(videoDir, 'broken.mp4'), 'this is no video');
    await page
      .locator('.recording-choice option', { hasText: 'broken.mp4' })
      .waitFor({ state: 'attached', timeout: 20_000 });
    await press('1');
    await shows(page, '.banner', /could not be analysed.*label it by hand/);
    await screenshot(page, 'broken');
    await press('3');
    await shows(page, '.banner', /no sound/);
  });

  test('every key is in the help, which closes by Escape', async () => {
    await press('?');
    await shows(page, 'dialog', /Undo, as far back as you like/);
    assert.equal(await page.locator('.key-row').count(), 28);
    await screenshot(page, 'help');
    assert.deepEqual(await severeViolations(page), []);
    await press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
  });

  test('letters can be switched off', async () => {
    const before = await kept(0);
    await press('?');
    await page.getByLabel('Single-letter keys are on').uncheck();
    await press('Escape', 'u');
    await page.waitForTimeout(300);
    assert.deepEqual(await kept(0), before);
    await press('?');
    await page.getByLabel('Single-letter keys are on').check();
    await press('Escape');
  });

  for (const colours of ['light', 'dark'] as const)
    test(`has no serious violation in ${colours}, on a desk and on a tablet`, async () => {
      await page.emulateMedia({ colorScheme: colours, reducedMotion: 'reduce' });
      await press('3', '2', 'n');
      await shows(page, '.clock', /frame [1-9]/);
      for (const tab of ['#tab-people', '#tab-labels', '#tab-queue']) {
        await page.click(tab);
        assert.deepEqual(await severeViolations(page), [], tab);
      }
      await page.waitForTimeout(800);
      await screenshot(page, colours);
      await page.setViewportSize({ width: 820, height: 1180 });
      assert.deepEqual(await severeViolations(page), []);
      await holds(page, 'document.documentElement.scrollWidth <= window.innerWidth');
      await screenshot(page, `tablet-${colours}`);
      await page.setViewportSize({ width: 1360, height: 900 });
    });

  test('complained of nothing but of a server that was gone and a recording that is none', async () => {
    const { recordings } = await (await fetch(new URL('/api/recordings', labelling.url))).json();
    const broken = z
      .array(z.object({ id: z.string(), name: z.string() }))
      .parse(recordings)
      .find(({ name }) => name === 'broken.mp4');
    assert.ok(broken);
    const refused = ['pieces', 'frames'].map(
      (what) => new URL(`/api/recordings/${broken.id}/${what}`, labelling.url).href,
    );
    const isOfGone = ({ text, at }: Complaint) => /net::ERR_/.test(text) && at >= gone.from && at <= gone.to;
    const isOfBroken = ({ text, url }: Complaint) => / 422 /.test(text) && refused.includes(url);
    assert.deepEqual(
      complaints.filter((each) => !isOfGone(each) && !isOfBroken(each)),
      [],
    );
  });
});
