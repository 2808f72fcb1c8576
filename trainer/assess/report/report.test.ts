import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { seeded } from '@adbreak/shared/random.js';
import { openBrowser, SHOTS } from '@adbreak/shared/testing/browser.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import axe from 'axe-core';
import type { Browser, BrowserContext } from 'playwright-core';
import sharp from 'sharp';
import type { EpochRecord, ScoredSample } from '../../ports.js';
import { assessRun } from '../run.js';
import { recording, sample } from '../testing/samples.js';
import { ticksOf } from './chart.js';
import { markup } from './markup.js';

/** The report in real Chromium; what it shows is kept in .work/screenshots. */
const HOSTILE = '<img src=x onerror="document.title=1">\u0007&\'"';

const EPOCHS = Array.from(
  { length: 24 },
  (_, i): EpochRecord => ({
    ...{
      stage: i < 16 ? 'head' : 'cut',
      epoch: i < 16 ? i + 1 : i - 15,
      epochs: i < 16 ? 16 : 8,
      seconds: 4,
    },
    trainLoss: 0.15 + 0.6 * Math.exp(-i / 5),
    trainAccuracy: 0.97 - 0.3 * Math.exp(-i / 5),
    validationLoss: 0.28 + 0.4 * Math.exp(-i / 5) + 0.004 * i,
    validationAccuracy: 0.91 - 0.25 * Math.exp(-i / 5),
    learningRate: 0.001 * (1 + Math.cos((i * Math.PI) / 24)),
  }),
);

/** Recordings of several channels, not all served alike; three of them as files that can be looked into. */
async function scoredIn(folder: string, split: string): Promise<ScoredSample[]> {
  const random = seeded(split);
  const channels = ['one', 'arena', 'kino', HOSTILE];
  const all: ScoredSample[] = [];
  for (const [i, channel] of [...channels, ...channels, ...channels].entries()) {
    const parts = Array.from({ length: 10 }, (_, k) => ({
      seconds: 30 + random.integer(50),
      isAd: k % 2 === 1,
      says: 0,
    }));
    const path = join(folder, `${split}-${i}.mkv`);
    if (i < 3 && split !== 'train')
      greyVideo(
        path,
        parts.map(({ seconds, isAd }) => ({ level: isAd ? 200 : 60, seconds })),
      );
    const noise = channel === 'kino' ? 2.4 : 1;
    for (const one of recording(path, parts)) {
      const z = (one.isAd ? 2 : -2) + noise * 1.2 * random.normal();
      const says = (scale: number) => 1 / (1 + Math.exp(-z * scale));
      all.push({
        ...one,
        source: channel,
        group: `${split}/${i}`,
        picture: { ...one.picture, path },
        probability: says(2.4),
        uncalibrated: says(9),
      });
    }
  }
  const picture = join(folder, 'wrong.png');
  await sharp({ create: { width: 640, height: 360, channels: 3, background: '#336699' } })
    .png()
    .toFile(picture);
  all.push(
    sample({
      isAd: true,
      probability: 0,
      group: `${split}/picture`,
      source: HOSTILE,
      picture: { path: picture, at: null },
    }),
  );
  return all;
}

describe('the report', () => {
  let browser: Browser;
  let context: BrowserContext;
  let folder: string;
  let said: string[];
  before(async () => {
    folder = await temporaryFolder();
    said = [];
    const scored = {
      train: await scoredIn(folder, 'train'),
      val: await scoredIn(folder, 'val'),
      test: await scoredIn(folder, 'test'),
    };
    await assessRun({
      subject: {
        name: 'base-ad-detector',
        version: '1.0.0',
        architecture: 'efficientnet_lite0',
        members: [{ digest: 'ab'.repeat(32), bytes: 4_800_000, multiplyAdds: 385e6 }],
      },
      ...{ fingerprint: 'cd'.repeat(32), scored, epochs: EPOCHS, seed: 1 },
      parameters: {
        'model.architecture': 'efficientnet_lite0',
        'training.learning_rate': '0.001',
        note: HOSTILE,
      },
      benchmark: {
        runtime: 'litert',
        threads: 1,
        inferences: 200,
        meanMs: 9.42,
        p50Ms: 9.3,
        p95Ms: 10.1,
        p99Ms: 11.7,
        coldStartMs: 84,
        memoryMb: 131,
        modelMemoryMb: 24,
      },
      baselines: {
        'colour histogram': {
          frames: 100,
          accuracy: 0.71,
          precision: 0.7,
          recall: 0.7,
          f1: 0.7,
          rocAuc: 0.75,
          ece: 0.1,
          confusion: [
            [35, 15],
            [14, 36],
          ],
        },
      },
      requirements: [{ name: 'min_accuracy', wanted: 0.9, got: 0.94, met: true }],
      ...{
        output: join(folder, 'results'),
        now: new Date('2026-03-01T10:00:00Z'),
        say: (line) => void said.push(line),
      },
    });
    browser = await openBrowser();
    // axe is evaluated in the page, whose own policy forbids every script.
    context = await browser.newContext({ viewport: { width: 1240, height: 900 }, bypassCSP: true });
  });
  after(async () => browser?.close());
  const url = () => pathToFileURL(join(folder, 'results/report.html')).href;

  test('opens offline: it asks for nothing else, runs no script, and has its pictures within', async () => {
    const page = await browser.newPage({ viewport: { width: 1240, height: 900 } });
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(url());
    assert.deepEqual(
      asked.filter((one) => !one.startsWith('data:')),
      [url()],
    );
    assert.deepEqual(complaints, []);
    assert.equal(await page.evaluate('document.scripts.length'), 0);
    const drawn = await page.evaluate(
      '[...document.images].filter(({ naturalWidth }) => naturalWidth > 0).length',
    );
    assert.ok(typeof drawn === 'number' && drawn >= 2, `${drawn} pictures`);
    assert.equal(
      await page.evaluate('[...document.images].filter(({ naturalWidth }) => naturalWidth === 0).length'),
      0,
    );
    const path = join(SHOTS, 'assessment.png');
    await page.screenshot({ path, fullPage: true });
    assert.ok((await stat(path)).size > 50_000);
    await page.close();
  });

  test('has no fault that axe knows of, and needs no sideways scrolling on a telephone', async () => {
    const page = await context.newPage();
    await page.goto(url());
    await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
    await page.evaluate(axe.source);
    const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const faults = await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(standards)} }).then((found) =>
      found.violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 160))))`);
    assert.deepEqual(faults, []);
    await page.setViewportSize({ width: 390, height: 800 });
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await page.screenshot({ path: join(SHOTS, 'assessment-narrow.png') });
    await page.close();
  });

  test('says what it shows in words, and shows the words of others as words', async () => {
    const html = await readFile(join(folder, 'results/report.html'), 'utf8');
    assert.doesNotMatch(html, /<img src=x/);
    assert.match(html, /&lt;img src=x onerror=&quot;document\.title=1&quot;&gt;/);
    assert.doesNotMatch(html.replaceAll('\n', ''), /\p{Cc}/u);
    const page = await browser.newPage();
    await page.goto(url());
    const text = String(await page.evaluate('document.body.innerText'));
    for (const words of [
      /false mutes/i,
      /an estimate|, estimate/,
      /Likely label errors/,
      /labelled AD, looks like programme/,
      /kino is served worse/,
    ])
      assert.match(text, words);
    assert.equal(await page.title(), 'base-ad-detector 1.0.0 – results');
    await page.close();
  });

  test('hatches what colour would say alone', async () => {
    const page = await browser.newPage();
    await page.goto(url());
    assert.match(
      String(await page.evaluate('getComputedStyle(document.querySelector("td.wrong")).backgroundImage')),
      /repeating-linear-gradient/,
    );
    await page.close();
  });

  test('is said on the way: warnings come before what is good, with what to do', () => {
    const [first] = said;
    assert.match(first ?? '', /^⚠ /);
    assert.match(said.join('\n'), /what to do: [\s\S]*✓ /);
    assert.match(said.at(-1) ?? '', /training_results\.json; report: /);
  });
});

test('a picture that is not there any more is said, and stops nothing', async () => {
  const folder = await temporaryFolder();
  const scored = ['/nowhere.jpg', '/nowhere.mkv'].map((path, i) =>
    sample({ isAd: true, probability: 0.1, group: path, picture: { path, at: i === 0 ? null : 4 } }),
  );
  await assessRun({
    subject: { name: 'a', version: '1.0.0', architecture: 'small_net', members: [] },
    ...{ fingerprint: 'f', scored: { test: scored }, epochs: [], parameters: {}, benchmark: null, seed: 1 },
    ...{ output: folder, now: new Date(0), say: () => undefined },
  });
  const html = await readFile(join(folder, 'report.html'), 'utf8');
  assert.equal(html.match(/No picture: /g)?.length, 2);
});

test('an assessment that is stopped writes nothing', async () => {
  const folder = join(await temporaryFolder(), 'results');
  const stopped = assessRun({
    subject: { name: 'a', version: '1.0.0', architecture: 'small_net', members: [] },
    ...{
      fingerprint: 'f',
      epochs: [],
      parameters: {},
      benchmark: null,
      seed: 1,
      output: folder,
      now: new Date(0),
    },
    scored: { test: [sample({ isAd: true, probability: 0.1 })] },
    ...{ say: () => undefined, signal: AbortSignal.abort() },
  });
  await assert.rejects(stopped, { name: 'AbortError' });
  assert.equal(existsSync(folder), false);
});

test('a template escapes what is put into it, but for markup', () => {
  assert.equal(
    markup`<p title="${'"'}">${'<b>'}${markup`<i>${1}</i>`}${[null, 'x']}</p>`.text,
    '<p title="&quot;">&lt;b&gt;<i>1</i>x</p>',
  );
});

test('ticks are round, few, and within', () => {
  for (const [low, high] of [
    [0, 1],
    [0, 0.734],
    [1, 24],
    [0, 1234],
    [1, 2],
  ] as const) {
    const ticks = ticksOf(low, high);
    assert.ok(ticks.length >= 2 && ticks.length <= 8, `${low} to ${high}: ${ticks}`);
    assert.ok(ticks.every((tick) => tick >= low - 1e-9 && tick <= high + 1e-9));
  }
  assert.deepEqual(ticksOf(3, 3), [3]);
});
