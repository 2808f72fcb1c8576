import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { greyVideo, smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import sharp from 'sharp';
import { benchmark } from './benchmark.js';
import { loadModel } from './models.js';
import { guideResults } from './results.js';
import { openRunLog } from './run-log.js';
import { openSource } from './source.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const adbreak = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

/** A model that takes bright for an advertisement, or dark. */
async function modelIn(folder: string, sign: 1 | -1): Promise<string> {
  const { file, manifest } = tinyRelease('1.0.0', sign);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.tflite'), file);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

/** Recordings with bright breaks; in each the last scene of the programme is bright too. */
async function recordingsIn(folder: string, count: number): Promise<string> {
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(folder, split), { recursive: true });
    for (let i = 0; i < count; i++) {
      const parts = [
        { level: 40 + 5 * i, seconds: 20, label: 'content' },
        { level: 220 - 5 * i, seconds: 15, label: 'ad' },
        { level: 60 + 5 * i, seconds: 20, label: 'content' },
        { level: 200, seconds: 6, label: 'content' },
      ];
      greyVideo(join(folder, split, `${i}.mkv`), parts);
      let time = 0;
      const rows = parts.map(({ seconds, label }) => {
        time += seconds;
        return `${time - seconds},${time},${label}`;
      });
      await writeFile(join(folder, split, `${i}.csv`), `start,end,label\n${rows.join('\n')}\n`);
    }
  }
  return folder;
}

/** A soft picture of 96 x 64 like no other of another number. */
function waves(number: number): Uint8Array {
  return Uint8Array.from({ length: 96 * 64 * 3 }, (_, i) => {
    const [x, y] = [(Math.floor(i / 3) % 96) / 96, Math.floor(i / 3 / 96) / 64];
    return 120 + 60 * Math.sin(number * 7 + x * (5 + number)) + 40 * Math.cos(number * 3 + y * 6 + x * 9);
  });
}

describe('adbreak evaluate', () => {
  let folder: string;
  let data: string;
  before(async () => {
    folder = await temporaryFolder();
    data = await recordingsIn(join(folder, 'data'), 2);
    await modelIn(join(folder, 'bright'), 1);
    await modelIn(join(folder, 'dark'), -1);
  });
  const evaluate = (...args: string[]) =>
    adbreak('evaluate', ...args, '--data', data, '--output', join(folder, 'results'), '--runtime', 'tflite');

  test('measures a model on recordings, by the agent’s decision, and writes the guide’s files', async () => {
    const { status, stdout, stderr } = evaluate(join(folder, 'bright'));
    assert.equal(status, 0, stderr);
    assert.deepEqual((await readdir(join(folder, 'results'))).sort(), [
      'report.html',
      'training.log',
      'training_results.json',
    ]);
    const results = JSON.parse(await readFile(join(folder, 'results/training_results.json'), 'utf8'));
    const { test_metrics, benchmark: speed } = guideResults.parse(results);
    // 122 s at two frames a second; the bright scene of the programme is called wrongly.
    const [[, fp], [fn, tp]] = test_metrics.confusion_matrix;
    assert.ok(Math.abs(fp - 24) <= 2 && fn === 0 && Math.abs(tp - 60) <= 2, JSON.stringify(test_metrics));
    assert.ok(speed !== null && speed.mean_ms > 0 && speed.mean_ms <= speed.p99_ms);
    assert.equal(results.viewing.recordings, 2);
    assert.equal(results.viewing.breaks, 2);
    assert.ok(results.viewing.false_mutes_per_hour > 0);
    assert.deepEqual(results.digests, [sha256(await readFile(join(folder, 'bright/model.tflite')))]);
    assert.equal(results.raspberry_pi_estimate[0].measured, false);
    assert.match(stdout, /⚠ .*false mutes an hour: people switch it off/);
    // What was said is in the log, with its time.
    const log = await readFile(join(folder, 'results/training.log'), 'utf8');
    for (const line of stdout.trim().split('\n')) assert.ok(log.includes(line), line);
    assert.match(log, /^\d{4}-\d\d-\d\dT[\d:.]+Z /);
  });
  test('takes other words in labels, as its error says that it does', async () => {
    const foreign = join(folder, 'foreign');
    await cp(data, foreign, { recursive: true });
    const csv = join(foreign, 'test/0.csv');
    await writeFile(csv, (await readFile(csv, 'utf8')).replaceAll(',ad', ',Werbung'));
    const asked = [join(folder, 'bright'), '--data', foreign, '--output', join(folder, 'of-foreign')];
    const refused = adbreak('evaluate', ...asked);
    assert.match(refused.stderr, /labels_invalid: .*test\/0\.csv[\s\S]*--label-map/);
    const { status, stderr } = adbreak('evaluate', ...asked, '--label-map', 'werbung=ad');
    assert.equal(status, 0, stderr);
  });
  test('scores the training split too where it is asked to, to see whether the model is overfitted', () => {
    const { stdout } = evaluate(join(folder, 'bright'), '--train');
    assert.match(stdout, /train: \d+ pictures/);
    assert.match(stdout, /✓ No large difference between training and test/);
    assert.doesNotMatch(stdout, /are alike/);
  });
  test('says that val and test are alike where they have the same pictures', async () => {
    const twins = join(folder, 'twins');
    for (const split of ['val', 'test'])
      for (const [i, label] of ['ad', 'content', 'ad', 'content'].entries()) {
        await mkdir(join(twins, split, label), { recursive: true });
        const picture = sharp(waves(i), { raw: { width: 96, height: 64, channels: 3 } });
        await picture
          .jpeg({ quality: split === 'val' ? 95 : 60 })
          .toFile(join(twins, split, label, `${split}-${i}.jpg`));
      }
    const { stdout, status } = adbreak(
      'evaluate',
      join(folder, 'bright'),
      '--data',
      twins,
      '--output',
      join(folder, 'of-twins'),
    );
    assert.equal(status, 0);
    assert.match(stdout, /^⚠ val and test are alike: 100\.0 % of the pictures of test are near-duplicates/m);
    const html = await readFile(join(folder, 'of-twins/report.html'), 'utf8');
    assert.match(html, /The numbers promise more than they can keep: splits are alike/);
  });
  test('of a model that is always wrong warns first, and ends with 1 where a requirement is missed', () => {
    const { status, stdout } = evaluate(join(folder, 'dark'), '--min-accuracy', '0.9');
    assert.equal(status, 1);
    assert.match(stdout, /⚠ Accuracy 0\.\d+ is low[\s\S]*what to do: Low accuracy/);
    assert.equal(evaluate(join(folder, 'bright'), '--min-f1-score', '0.5').status, 0);
    assert.equal(evaluate(join(folder, 'bright'), '--max-inference-time-ms', '0.000001').status, 1);
  });
  test('takes several models as one: the bright and the dark one know nothing together', async () => {
    const { status, stderr } = evaluate(join(folder, 'bright'), join(folder, 'dark'));
    assert.equal(status, 0, stderr);
    const results = JSON.parse(await readFile(join(folder, 'results/training_results.json'), 'utf8'));
    assert.equal(results.digests.length, 2);
    // Together they say one half of everything, whose Brier score is a quarter.
    assert.ok(Math.abs(results.test_metrics.brier_score - 0.25) < 0.01, results.test_metrics.brier_score);
  });
  test('measures pictures in folders too, and says that nothing is known of breaks', async () => {
    const pictures = join(folder, 'pictures');
    for (const split of ['val', 'test'])
      for (const [label, level] of [
        ['ad', 220],
        ['content', 30],
      ] as const) {
        await mkdir(join(pictures, split, label), { recursive: true });
        for (let i = 0; i < 10; i++)
          await sharp({
            create: { width: 40, height: 40, channels: 3, background: { r: level + i, g: level, b: level } },
          })
            .png()
            .toFile(join(pictures, split, label, `${split}-${i}.png`));
      }
    const { status, stderr } = adbreak(
      'evaluate',
      join(folder, 'bright'),
      '--data',
      pictures,
      '--output',
      join(folder, 'of-pictures'),
    );
    assert.equal(status, 0, stderr);
    const results = JSON.parse(await readFile(join(folder, 'of-pictures/training_results.json'), 'utf8'));
    assert.deepEqual([results.test_metrics.accuracy, results.viewing], [1, null]);
    await writeFile(join(pictures, 'test/ad/broken.png'), 'no picture');
    const broken = adbreak(
      'evaluate',
      join(folder, 'bright'),
      '--data',
      pictures,
      '--output',
      join(folder, 'x'),
    );
    assert.match(broken.stderr, /error input_invalid: Cannot read pictures: .*broken\.png is none/);
  });
  test('refuses in one sentence what it cannot measure', async () => {
    const torn = await modelIn(join(folder, 'torn'), 1);
    await writeFile(
      join(torn, 'model.tflite'),
      Buffer.concat([await readFile(join(torn, 'model.tflite')), Buffer.of(0)]),
    );
    const lonely = join(folder, 'lonely');
    await mkdir(lonely);
    await writeFile(join(lonely, 'model.tflite'), 'x');
    for (const [args, words] of [
      [[torn], /model_corrupt: .*its SHA-256 is not the manifest's/],
      [[lonely], /not_found: .*manifest\.json does not exist/],
      [['/nowhere'], /not_found: Cannot open the model \/nowhere/],
      [[join(folder, 'bright'), '--min-accuracy', '90'], /must be from 0 to 1/],
    ] as const) {
      const { status, stderr } = evaluate(...args);
      assert.equal(status, 1);
      assert.match(stderr, words);
    }
    const nowhere = adbreak(
      'evaluate',
      join(folder, 'bright'),
      '--data',
      '/nowhere',
      '--output',
      join(folder, 'y'),
    );
    assert.match(nowhere.stderr, /not_found: Cannot open the data set/);
  });
  test('models compare says which of two is better, and that equals cannot be told apart', () => {
    const compare = (a: string, b: string, ...more: string[]) =>
      adbreak(
        'models',
        'compare',
        join(folder, a),
        join(folder, b),
        '--data',
        data,
        '--runtime',
        'tflite',
        ...more,
      );
    const unlike = compare('dark', 'bright');
    assert.equal(unlike.status, 0, unlike.stderr);
    assert.match(unlike.stdout, /^accuracy .* B$/m);
    assert.match(unlike.stdout, /Better: B in accuracy/);
    assert.match(compare('bright', 'bright').stdout, /cannot be told apart/);
    const { metrics, benchmarks } = JSON.parse(compare('dark', 'bright', '--json').stdout);
    assert.equal(metrics.length, 8);
    assert.equal(benchmarks.length, 2);
  });
});

describe('a benchmark', () => {
  test('is measured in a process of its own: latencies in order, a cold start, memory', async () => {
    const {
      path,
      manifest: { preprocess },
    } = await loadModel(await modelIn(join(await temporaryFolder(), 'm'), 1));
    const once = await benchmark([{ path, preprocess }], { threads: 1, runtime: 'tflite', inferences: 50 });
    assert.deepEqual([once.runtime, once.inferences, once.threads], ['tflite', 50, 1]);
    assert.ok(
      once.p50Ms > 0 && once.p50Ms <= once.p95Ms && once.p95Ms <= once.p99Ms && once.coldStartMs > once.p50Ms,
    );
    assert.ok(once.memoryMb > 20 && once.memoryMb < 1000 && once.modelMemoryMb < once.memoryMb);
  });
  test('of a model that is slow ends when its time is over, with what it has seen by then', async () => {
    const {
      path,
      manifest: { preprocess },
    } = await loadModel(await modelIn(join(await temporaryFolder(), 'm'), 1));
    const asked = { threads: 1, runtime: 'tflite', inferences: 100_000_000 } as const;
    const soon = await benchmark([{ path, preprocess }], { ...asked, mostMs: 100 });
    assert.ok(soon.inferences >= 20 && soon.inferences < 100_000_000, String(soon.inferences));
    assert.equal((await benchmark([{ path, preprocess }], { ...asked, mostMs: 0 })).inferences, 20);
  });
  test('of a file that is gone is the worker’s error, and a stopped one ends at once', async () => {
    const preprocess = tinyRelease('1.0.0').manifest.preprocess;
    const models = [{ path: '/nowhere.tflite', preprocess }];
    await assert.rejects(
      benchmark(models, { threads: 1, runtime: 'tflite' }),
      (error: unknown) => error instanceof AdbreakError,
    );
    const { path } = await loadModel(await modelIn(join(await temporaryFolder(), 'm'), 1));
    const stop = new AbortController();
    const running = benchmark([{ path, preprocess }], {
      threads: 1,
      runtime: 'tflite',
      inferences: 100_000_000,
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 300);
    await assert.rejects(running, { name: 'AbortError' });
  });
});

test('a data set has one fingerprint at every opening, and another when a label changes', async () => {
  const data = await recordingsIn(join(await temporaryFolder(), 'data'), 1);
  const { fingerprint } = await openSource(data, 2);
  assert.equal((await openSource(data, 2)).fingerprint, fingerprint);
  const csv = join(data, 'test/0.csv');
  await writeFile(csv, (await readFile(csv, 'utf8')).replace(',ad', ',content'));
  assert.notEqual((await openSource(data, 2)).fingerprint, fingerprint);
});

describe('training.log', () => {
  const opened = (path: string, trouble: string[], goesOn = false) =>
    openRunLog(path, { goesOn, now: () => new Date(0), trouble: (line) => trouble.push(line) });
  test('is there line by line while the run goes on, without control characters', async () => {
    const path = join(await temporaryFolder(), 'results/training.log');
    const trouble: string[] = [];
    await using log = await opened(path, trouble);
    log.write('epoch 1\u001b[31m');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await readFile(path, 'utf8'), '1970-01-01T00:00:00.000Z epoch 1\\x1b[31m\n');
    assert.deepEqual(trouble, []);
  });
  test('of a run that goes on has the lines before it; of another one it begins anew', async () => {
    const path = join(await temporaryFolder(), 'training.log');
    const linesAfter = async (line: string, goesOn: boolean) => {
      const log = await opened(path, [], goesOn);
      log.write(line);
      await log[Symbol.asyncDispose]();
      return (await readFile(path, 'utf8')).split('\n').length - 1;
    };
    assert.equal(await linesAfter('one', false), 1);
    assert.equal(await linesAfter('two', true), 2);
    assert.equal(await linesAfter('another', false), 1);
  });
  test('on a full disk is given up with one warning, and the run goes on', async (t) => {
    const path = join(await smallVolume(t, 16), 'training.log');
    const trouble: string[] = [];
    const log = await opened(path, trouble);
    for (let i = 0; i < 50; i++) log.write('x'.repeat(1000));
    await log[Symbol.asyncDispose]();
    assert.equal(trouble.length, 1);
    assert.match(trouble[0] ?? '', /warning: the log is not written any more: .*no space left/);
  });
  test('in a place that cannot be written is one warning', async () => {
    const trouble: string[] = [];
    await using log = await opened('/proc/training.log', trouble);
    log.write('x');
    assert.equal(trouble.length, 1);
  });
});
