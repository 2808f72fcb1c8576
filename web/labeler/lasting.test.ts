import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { labelsSchema } from '@adbreak/shared/contract/labelling.js';
import { openBrowser } from '@adbreak/shared/testing/browser.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { openPage, shows, textOf } from '../testing/browser.js';
import { Labelling } from '../testing/labelling.js';
import { drawBroadcast, drawHours } from '../testing/recordings.js';

const KEYS = 100;
/** Places that are gone to three times: once while their pieces are made, twice when they are there. */
const PLACES = 15;
const HOURS = 3;

async function enter(page: Page, name: string, frames: RegExp): Promise<void> {
  await shows(page, 'dialog', /Who is labelling/);
  await page.fill('#name', name);
  await page.keyboard.press('Enter');
  await shows(page, '.clock', frames);
}

test('of a hundred keys none is lost when the server is killed', async () => {
  const folder = await temporaryFolder();
  const [videoDir, outputDir] = [join(folder, 'video'), join(folder, 'labels')];
  await mkdir(videoDir);
  drawBroadcast(join(videoDir, 'v.mp4'), { seconds: 60, rate: 10, size: '160x90' });
  let labelling = await Labelling.start({ videoDir, outputDir });
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser, labelling.url);
    await enter(page, 'ada', /frame 0 of 600/);
    await page.keyboard.press(' ');
    await page.keyboard.press('a');
    await page.waitForTimeout(400);
    await page.keyboard.press(' ');
    // Each moves the end of the label by a frame, which is one action on disk.
    for (let i = 0; i < KEYS; i++) await page.keyboard.press('Shift+ArrowRight');
    await shows(page, '.disk', /All on disk/);
    const shown = await textOf(page, '.clock strong');
    const { recordings } = await (await fetch(new URL('/api/recordings', labelling.url))).json();
    const labels = async () => {
      const path = `/api/recordings/${recordings[0].id}/labels?labeller=ada`;
      return labelsSchema.parse(await (await fetch(new URL(path, labelling.url))).json());
    };
    const before = await labels();
    await labelling.kill('SIGKILL');
    labelling = await Labelling.start({ videoDir, outputDir, port: labelling.port });
    const after = await labels();
    assert.ok(after.sequence > KEYS, `${after.sequence} events`);
    assert.deepEqual(after, before);
    assert.match(shown, /0:00:1\d/, 'a hundred frames of a tenth of a second');
  } finally {
    await browser.close();
    await labelling.kill();
  }
});

test(`in a recording of ${HOURS} hours a key shows its frame in under 300 ms`, async (t) => {
  const folder = await temporaryFolder();
  const [videoDir, outputDir] = [join(folder, 'video'), join(folder, 'labels')];
  await mkdir(videoDir);
  await drawHours(videoDir, 'v.mp4', HOURS, folder);
  await using labelling = await Labelling.start({ videoDir, outputDir });
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser, labelling.url);
    await enter(page, 'ada', /frame 0 of 54000/);
    const lanes = await page.locator('.lanes').boundingBox();
    assert.ok(lanes);
    const measured = async () => {
      const list = await page.evaluate(
        "performance.getEntriesByName('adbreak-seek').map((it) => it.duration)",
      );
      return z.array(z.number()).parse(list);
    };
    /** One after the other to places all over the recording; milliseconds each, sorted. */
    const visit = async () => {
      await page.evaluate('performance.clearMeasures()');
      for (let i = 0; i < PLACES; i++) {
        const share = (((i * 7 + 3) % PLACES) + 0.5) / PLACES;
        await page.mouse.click(lanes.x + share * lanes.width, lanes.y + 10);
        await until('the frame', async () => (await measured()).length > i, 20);
      }
      return (await measured()).sort((a, b) => a - b);
    };
    const first = await visit();
    const times = [...(await visit()), ...(await visit())].sort((a, b) => a - b);
    const p95 = times[Math.ceil(times.length * 0.95) - 1] ?? Number.POSITIVE_INFINITY;
    const middle = (list: readonly number[]) => list[list.length >> 1]?.toFixed(0);
    t.diagnostic(
      `seek: p50 ${middle(times)} ms, p95 ${p95.toFixed(0)} ms of ${times.length}; p50 ${middle(first)} ms where the piece had to be made`,
    );
    assert.equal(times.length, 2 * PLACES);
    assert.ok(p95 < 300, `p95 ${p95} ms`);
  } finally {
    await browser.close();
  }
});
