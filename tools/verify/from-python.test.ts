import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { overview } from '@adbreak/hub/testing/chain.js';
import { BIN } from '@adbreak/hub/testing/command.js';
import { type TestHub, testHub } from '@adbreak/hub/testing.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { flatText, readConfig } from '@adbreak/trainer/config/read.js';
import { sceneVideo, writeTinted } from '@adbreak/trainer/testing/pictures.js';
import { type StubMlflow, stubMlflow } from '@adbreak/trainer/track/testing/mlflow-server.js';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** One step of the page: the command as it was, and ours, to the letter. */
interface Step {
  readonly title: string;
  /** By the language of each block: `bash` and `sh`, `yaml`, `json`, `text`. */
  readonly blocks: Readonly<Record<string, string>>;
}

/** Every section of the page that has a command of ours. */
async function stepsOf(page: string): Promise<Step[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  return text.split(/^### /m).flatMap((section) => {
    const [title = '', ...rest] = section.split('\n');
    const found = [...rest.join('\n').matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
    const blocks = Object.fromEntries(found.map(([, language = '', block = '']) => [language, block]));
    return blocks['sh'] === undefined ? [] : [{ title, blocks }];
  });
}

/** A folder as a checkout: the configurations that ship, but for small pictures, and data to learn from. */
interface Place {
  readonly folder: string;
  readonly hub: TestHub;
  readonly mlflow: StubMlflow;
  run(script: string): Promise<string>;
}
async function placeOf(t: TestContext): Promise<Place> {
  const folder = await temporaryFolder();
  const hub = await testHub(t, { local: { port: 0, asked: true } });
  const mlflow = await stubMlflow(t);
  await cp(join(ROOT, 'configs'), join(folder, 'configs'), { recursive: true });
  for (const name of ['base', 'sports']) {
    const path = join(folder, `configs/training/production-${name}.yaml`);
    const config = (await readFile(path, 'utf8'))
      .replace('[160, 160, 3]', '[64, 64, 3]')
      .replace('http://localhost:5000', mlflow.url);
    await writeFile(path, config);
    await writeTinted(join(folder, name === 'base' ? 'data/raw-frames' : `data/${name}-frames`), {
      ...{ ad: 24, content: 28 },
    });
  }
  const scenes = Array.from({ length: 20 }, (_, i) => ({
    ...{ seed: `evening ${i}`, seconds: 3 },
    label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
  }));
  const recording = join(folder, 'recordings/evening');
  await writeFile(`${recording}.csv`, formatLabels(await sceneVideo(`${recording}.mkv`, scenes)));
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'adbreak'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
  await chmod(join(bin, 'adbreak'), 0o755);
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH']}`,
    ADBREAK_TOKEN: hub.token,
    // The same on every machine: a network from nothing.
    ADBREAK_WEIGHTS: join(folder, 'no-weights'),
    no_proxy: '*',
  };
  const run = async (script: string) => {
    const here = script.replaceAll('localhost:8000', `localhost:${hub.running.localPort}`);
    const { stdout } = await promisify(execFile)('bash', ['-ec', here], { cwd: folder, env });
    return stdout;
  };
  return { folder, hub, mlflow, run };
}

/** The pictures of each split and label. */
async function countsIn(folder: string): Promise<Record<string, Record<'ad' | 'content', number>>> {
  const counts: Record<string, Record<'ad' | 'content', number>> = {};
  for (const split of ['train', 'val', 'test', 'calibration']) {
    const [ad = [], content = []] = await Promise.all(
      ['ad', 'content'].map((label) => readdir(join(folder, split, label))),
    );
    counts[split] = { ad: ad.length, content: content.length };
    assert.ok(ad.length > 0 && content.length > 0, `${split}: ${JSON.stringify(counts[split])}`);
  }
  return counts;
}

/** The statistics as they always were, of what is in a folder. */
async function statisticsOf(folder: string): Promise<string> {
  const counts = await countsIn(folder);
  const blocks = ['train', 'val', 'test'].map((split) => {
    const { ad, content } = counts[split] ?? { ad: 0, content: 0 };
    const share = (part: number) => ((100 * part) / (ad + content)).toFixed(1);
    return [
      `${split.toUpperCase()} SET:`,
      `  Total: ${ad + content}`,
      `  ad: ${ad} (${share(ad)}%)`,
      `  content: ${content} (${share(content)}%)`,
    ].join('\n');
  });
  return `Dataset Statistics:\n${'='.repeat(50)}\n${blocks.join('\n\n')}\n`;
}

async function versionsAt(hub: TestHub): Promise<Record<string, string[]>> {
  const { models } = await overview(hub);
  return Object.fromEntries(
    Object.entries(models).map(([name, { versions }]) => [name, Object.keys(versions)]),
  );
}

async function assertTrained({ folder }: Place, name: string): Promise<void> {
  const results = join(folder, 'training_results');
  const manifest = JSON.parse(await readFile(join(results, 'manifest.json'), 'utf8'));
  assert.deepEqual([manifest.name, manifest.version], [name, '1.0.0']);
  for (const file of ['model.tflite', 'training_results.json', 'report.html', 'training.log'])
    assert.ok((await stat(join(results, file))).size > 0, file);
}

/** Each value of a document as it was has one of its kind in the document as it is. */
function assertHolds(now: unknown, before: unknown, at = ''): void {
  if (typeof before !== 'object' || before === null) return assert.equal(typeof now, typeof before, at);
  assert.ok(typeof now === 'object' && now !== null, `${at} is ${JSON.stringify(now)}`);
  if (Array.isArray(before)) assert.equal(Array.isArray(now) && now.length, before.length, at);
  for (const [key, value] of Object.entries(before))
    assertHolds(Object.entries(now).find(([name]) => name === key)?.[1], value, `${at}.${key}`);
}

/** What comes of each step, by its title: what the page says, and what scripts rely on. */
const OUTCOMES: Record<string, (said: string, place: Place, step: Step) => Promise<void>> = {
  'Label recordings': async (_, { folder }) => {
    await countsIn(join(folder, 'data/datasets/labelled'));
  },
  'Prepare the data set': async (said, { folder }) => {
    const set = join(folder, 'data/datasets/production');
    assert.deepEqual((await readdir(set)).sort(), ['calibration', 'dataset.json', 'test', 'train', 'val']);
    const { train, val, test: held } = await countsIn(set);
    const [learnt = 0, ...others] = [train, val, held].map((one) => (one?.ad ?? 0) + (one?.content ?? 0));
    assert.equal(learnt + (others[0] ?? 0) + (others[1] ?? 0), 52);
    assert.ok(Math.abs(learnt / 52 - 0.7) < 0.05, said);
  },
  'Look at its statistics': async (said, { folder }, { blocks }) => {
    const expected = await statisticsOf(join(folder, 'data/datasets/production'));
    assert.equal(said.split(expected).length, 3, `twice in ${said}`);
    const shape = (text: string) => text.replace(/\d+/g, 'N');
    assert.ok(shape(expected).startsWith(shape(blocks['text'] ?? 'nothing')), expected);
  },
  'Train the base model': async (said, place) => {
    await assertTrained(place, 'base-ad-detector');
    assert.match(said, /uploaded base-ad-detector 1\.0\.0/);
    assert.deepEqual(await versionsAt(place.hub), { 'base-ad-detector': ['1.0.0'] });
  },
  'Prepare the sports data set': async (said, { folder }) => {
    assert.ok(said.includes(await statisticsOf(join(folder, 'data/datasets/sports'))), said);
    assert.match(said, /for a sports model/);
  },
  'Train the sports model': async (said, place) => {
    await assertTrained(place, 'sports-ad-detector');
    assert.match(said, /uploaded sports-ad-detector 1\.0\.0/);
    assert.deepEqual((await versionsAt(place.hub))['sports-ad-detector'], ['1.0.0']);
  },
  'Configure it': async (_, place, { blocks }) => {
    const base = flatText(await readConfig(join(ROOT, 'configs/training/production-base.yaml')));
    const own = flatText(parse(blocks['yaml'] ?? ''));
    assert.ok(Object.keys(own).length >= 8);
    for (const [key, value] of Object.entries(own)) assert.equal(base[key], value, key);
    await assertTrained(place, 'base-ad-detector');
  },
  'Follow it': async (said, { folder, mlflow }) => {
    const [run = ''] = await readdir(join(folder, 'logs/tensorboard/base-ad-detector/1.0.0'));
    const files = await readdir(join(folder, 'logs/tensorboard/base-ad-detector/1.0.0', run), {
      recursive: true,
    });
    assert.ok(
      files.some((name) => /^train\/.*tfevents/.test(name)),
      files.join(),
    );
    assert.ok(mlflow.asked.some(({ what }) => what === 'runs/log-batch'));
    assert.match(said, /\n\d{4}-\d\d-\d\dT[\d:.]+Z wrote training_results\/model\.tflite .*\n$/);
  },
  'Evaluate without deploying': async (said, place) => {
    assert.doesNotMatch(said, /^uploaded/m);
    assert.match(said, /✓ accuracy/i);
    assert.deepEqual(Object.values(await versionsAt(place.hub)), [['1.0.0'], ['1.0.0']]);
  },
  'Read the results': async (said, _, { blocks }) =>
    assertHolds(JSON.parse(said), JSON.parse(blocks['json'] ?? '')),
};

test('every command of the page for who comes from Python does what the page says', {
  timeout: 600_000,
}, async (t) => {
  const steps = await stepsOf('docs/from-python.md');
  assert.deepEqual(
    steps.map(({ title }) => title),
    Object.keys(OUTCOMES),
  );
  const place = await placeOf(t);
  await writeFile(
    join(place.folder, 'my-model.yaml'),
    steps.find(({ title }) => title === 'Configure it')?.blocks['yaml'] ?? '',
  );
  for (const step of steps)
    await t.test(step.title, async () => {
      const said = await place.run(step.blocks['sh'] ?? '');
      await OUTCOMES[step.title]?.(said, place, step);
    });
});
