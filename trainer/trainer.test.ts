import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { manifest } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { parseLabels } from '@adbreak/shared/video/labels.js';
import { metricsOf } from './assess/metrics.js';
import { planCuts } from './dataset/cut.js';
import { renderBroadcast } from './dataset/synthetic/broadcast.js';
import { CHANNELS } from './dataset/synthetic/channels.js';
import { labelOfItem, schedule, timeline } from './dataset/synthetic/schedule.js';
import { soundOf } from './dataset/synthetic/sound.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const adbreak = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });

describe('synthetic broadcasts', () => {
  const [channel] = CHANNELS;
  test('follow from their seed alone; others of another seed share no advertisement', () => {
    const one = schedule(seeded('a'), channel, 600);
    assert.deepEqual(one, schedule(seeded('a'), channel, 600));
    const spots = (seed: string) =>
      schedule(seeded(seed), channel, 600)
        .filter(({ kind }) => kind === 'advert')
        .map(({ seed: own }) => own);
    assert.ok(spots('a').length > 8);
    const [a, b] = [new Set(spots('a')), new Set(spots('b'))];
    assert.deepEqual(
      [...a].filter((spot) => b.has(spot)),
      [],
    );
  });
  test('have what real television has: what airs again, a second voice, idents, replays', () => {
    const [, arena] = CHANNELS;
    const items = schedule(seeded('again'), arena, 3000);
    const adverts = items.filter((item) => item.kind === 'advert');
    assert.ok(new Set(adverts.map(({ seed }) => seed)).size < 0.8 * adverts.length);
    const [voiced] = adverts.filter(({ voice }) => voice === 1);
    assert.ok(voiced !== undefined);
    assert.notDeepEqual(soundOf(voiced), soundOf({ ...voiced, voice: 0 }));
    for (const kind of ['ident', 'replay', 'trailer'])
      assert.ok(items.filter((item) => item.kind === kind).length > 2, kind);
    const breaks = items.map((item) =>
      item.kind === 'advert' ? item.seed : item.kind === 'black' ? '' : ' ',
    );
    for (const own of breaks.join('|').split(' ')) {
      const shown = own.split('|').filter((seed) => seed !== '');
      assert.equal(new Set(shown).size, shown.length, 'no spot twice in one break');
    }
  });
  test('are two fifths to three fifths advertisement, and their truth covers every moment', () => {
    for (const one of CHANNELS) {
      const items = schedule(seeded('share'), one, 3000);
      const spans = timeline(items);
      spans.slice(1).forEach((span, i) => assert.equal(span.start, spans[i]?.end));
      const ads =
        items.filter((item) => labelOfItem(item) === 'ad').reduce((sum, { seconds }) => sum + seconds, 0) /
        (spans.at(-1)?.end ?? 1);
      assert.ok(ads > 0.38 && ads < 0.62, `${one.name}: ${ads}`);
    }
  });
  test('are real video with sound, as long as their truth, the same bytes of picture each time', async () => {
    const folder = await temporaryFolder();
    const render = (name: string) =>
      renderBroadcast({ seed: 5, channel, seconds: 5, output: join(folder, name) });
    const spans = await render('a.mkv');
    await render('b.mkv');
    const probe = JSON.parse(
      execFileSync(
        'ffprobe',
        ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', join(folder, 'a.mkv')],
        { encoding: 'utf8' },
      ),
    );
    assert.deepEqual(
      probe.streams.map((stream: { codec_type: string }) => stream.codec_type),
      ['video', 'audio'],
    );
    assert.ok(Math.abs(Number(probe.format.duration) - (spans.at(-1)?.end ?? 0)) < 0.3);
    const pixels = (name: string) =>
      sha256(
        execFileSync(
          'ffmpeg',
          ['-v', 'error', '-i', join(folder, name), '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-t', '4', '-'],
          { maxBuffer: 1 << 28 },
        ),
      );
    assert.equal(pixels('a.mkv'), pixels('b.mkv'));
    assert.deepEqual((await readdir(folder)).sort(), ['a.mkv', 'b.mkv'], 'no unfinished file stays');
  });
  test('that cannot be written fail in one sentence and leave nothing', async () => {
    await assert.rejects(
      renderBroadcast({ seed: 5, channel, seconds: 5, output: '/nowhere/a.mkv' }),
      (error: unknown) =>
        error instanceof AdbreakError && error.code === 'video_unreadable' && /nowhere/.test(error.message),
    );
  });
});

describe('cutting a recording of one’s own', () => {
  const spans = Array.from({ length: 60 }, (_, i) => ({
    start: i * 10,
    end: (i + 1) * 10,
    label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
  }));
  test('no second is in two parts, and no scene is divided', () => {
    const pieces = planCuts(spans, 'data', ['one', 'two', 'three']);
    assert.deepEqual(
      pieces.map(({ output }) => output),
      ['data/train/recording', 'data/val/recording', 'data/test/recording', 'one', 'two', 'three'],
    );
    pieces.forEach(({ start, end }, i) => {
      assert.equal(start, i === 0 ? 0 : pieces[i - 1]?.end);
      assert.equal(start % 10, 0);
      assert.ok(end > start);
    });
    assert.equal(pieces.at(-1)?.end, 600);
  });
  test('too few labels are refused with what to do', () =>
    assert.throws(
      () => planCuts(spans.slice(0, 3), 'data', ['one', 'two', 'three']),
      (error: unknown) => error instanceof AdbreakError && error.code === 'labels_invalid',
    ));
});

describe('metrics', () => {
  test('of a case counted by hand', () => {
    const scored = [
      [0.9, true],
      [0.8, true],
      [0.4, true],
      [0.7, false],
      [0.2, false],
      [0.1, false],
    ].map(([probability, isAd]) => ({ probability: Number(probability), isAd: Boolean(isAd) }));
    const { accuracy, precision, recall, f1, rocAuc, confusion } = metricsOf(scored);
    assert.deepEqual(confusion, [
      [2, 1],
      [1, 2],
    ]);
    [accuracy, precision, recall, f1].forEach((value) => assert.ok(Math.abs(value - 2 / 3) < 1e-12));
    assert.ok(Math.abs(rocAuc - 8 / 9) < 1e-12);
  });
  test('of nothing, and of one class alone, are numbers', () => {
    for (const scored of [[], [{ probability: 0.9, isAd: true }]])
      assert.ok(Object.values(metricsOf(scored)).flat(2).every(Number.isFinite));
  });
});

test('a small network is trained from scratch, converted, measured and described', {
  timeout: 200_000,
}, async () => {
  const folder = await temporaryFolder();
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(folder, split));
    await writeFile(join(folder, split, 'one.csv'), await broadcast(join(folder, split, 'one.mkv'), split));
  }
  const done = adbreak([
    'train',
    '--data',
    folder,
    '--output',
    join(folder, 'out'),
    '--weights',
    'scratch',
    '--fps',
    '1',
    '--version',
    '1.2.3',
    '--cache',
    join(folder, 'cache'),
  ]);
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /small network trained from scratch/);
  const facts = manifest.parse(JSON.parse(await readFile(join(folder, 'out/manifest.json'), 'utf8')));
  const model = await readFile(join(folder, 'out/model.tflite'));
  assert.deepEqual(
    [facts.version, facts.weights, facts.architecture, facts.digest, facts.golden.length],
    ['1.2.3', 'scratch', 'small_net', sha256(model), 3],
  );
  assert.ok(facts.metrics.frames > 50);
  assert.equal(
    facts.unsure?.width,
    96,
    'the features before the head, by which pictures unlike training are told',
  );
  assert.match(adbreak(['model', 'inspect', join(folder, 'out/model.tflite')]).stdout, /CONV_2D v3/);
});

async function broadcast(output: string, seed: string): Promise<string> {
  const spans = await renderBroadcast({ seed, channel: CHANNELS[0], seconds: 60, output });
  const text = `start,end,label\n${spans.map(({ start, end, label }) => `${start},${end},${label}`).join('\n')}\n`;
  assert.deepEqual(parseLabels(text), spans);
  return text;
}

test('mistakes on the command line are one sentence and an exit code', () => {
  for (const [args, words] of [
    [
      ['train', '--data', '/nowhere', '--output', 'x'],
      /not_found: Cannot open the data set: \/nowhere\/train/,
    ],
    [['model', 'inspect', '/etc/hostname'], /model_corrupt/],
    [['dataset', 'broadcast', '--output', 'x', '--channel', 'none'], /there are one, arena, kino/],
    [['train', '--output', 'x', '--version', '1'], /must match/],
  ] as const) {
    const { status, stderr } = adbreak([...args]);
    assert.equal(status, 1);
    assert.match(stderr, words);
  }
});
