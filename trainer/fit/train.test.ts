import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Manifest, manifest } from '@adbreak/shared/contract/manifest.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { parse } from 'yaml';
import { renderBroadcast } from '../dataset/synthetic/broadcast.js';
import { CHANNELS } from '../dataset/synthetic/channels.js';
import { formulaTensors, goldenNetworks } from '../testing/formula.js';
import { writeSafetensors } from '../weights/safetensors.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
let root: string;
let data: string;

before(async () => {
  root = await temporaryFolder();
  data = join(root, 'data');
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(data, split), { recursive: true });
    const output = join(data, split, 'one.mkv');
    const spans = await renderBroadcast({ seed: split, channel: CHANNELS[0], seconds: 45, output });
    await writeFile(join(data, split, 'one.csv'), formatLabels(spans));
  }
});

interface Asked {
  readonly data?: string;
  readonly cache?: string;
  readonly env?: NodeJS.ProcessEnv;
}
const COMMON = ['--weights', 'scratch', '--set', 'model.input_shape=[64, 96, 3]'] as const;
const commandLine = (output: string, args: readonly string[], asked: Asked = {}) => [
  MAIN,
  'train',
  '--data',
  asked.data ?? data,
  '--output',
  join(root, output),
  '--cache',
  join(root, asked.cache ?? 'cache'),
  ...args,
];
const train = (output: string, args: readonly string[], asked: Asked = {}) =>
  spawnSync(process.execPath, commandLine(output, args, asked), {
    encoding: 'utf8',
    env: { ...process.env, ...asked.env },
  });
const modelOf = async (output: string) => sha256(await readFile(join(root, output, 'model.tflite')));
async function manifestOf(output: string): Promise<Manifest> {
  return manifest.parse(JSON.parse(await readFile(join(root, output, 'manifest.json'), 'utf8')));
}

describe('a training', () => {
  test('with the same seed gives the same file, whether its features are cached or not', async () => {
    const views = [...COMMON, '--set', 'training.augmentation.views=1'];
    const first = train('first', views);
    assert.equal(first.status, 0, first.stderr);
    assert.equal(train('second', views).status, 0);
    assert.equal(train('third', views, { cache: 'other-cache' }).status, 0);
    const [model, ...same] = [await modelOf('first'), await modelOf('second'), await modelOf('third')];
    assert.deepEqual(same, [model, model]);
    const other = train('other', [...views, '--seed', '2']);
    assert.equal(other.status, 0, other.stderr);
    assert.notEqual(await modelOf('other'), model);
  });
  test('says in its manifest what it looks at and where it comes from', async () => {
    const { preprocess, input, architecture, weights, lineage, name } = await manifestOf('first');
    assert.deepEqual([preprocess.width, preprocess.height, input.shape], [96, 64, [1, 64, 96, 3]]);
    assert.deepEqual(
      [name, architecture, weights, lineage?.seed],
      ['base-ad-detector', 'small_net', 'scratch', 1],
    );
    const second = (await manifestOf('second')).lineage;
    assert.deepEqual(second, lineage);
    const other = (await manifestOf('other')).lineage;
    assert.equal(other?.dataset, lineage?.dataset);
    assert.notEqual(other?.configuration, lineage?.configuration);
  });
  test('leaves the configuration that makes it again, and a log of what it said', async () => {
    const path = join(root, 'first', 'configuration.yaml');
    assert.deepEqual(parse(await readFile(path, 'utf8')).model.input_shape, [64, 96, 3]);
    const again = spawnSync(
      process.execPath,
      [MAIN, 'train', '--config', path, '--output', join(root, 'again')],
      { encoding: 'utf8' },
    );
    assert.equal(again.status, 0, again.stderr);
    assert.equal(await modelOf('again'), await modelOf('first'));
    assert.match(await readFile(join(root, 'again', 'training.log'), 'utf8'), /^\d{4}-.*Z backbone: /m);
  });
  test('of MobileNetV3 runs from its own weights, square or not', async () => {
    const stored = join(root, 'weights');
    await mkdir(stored);
    const golden = goldenNetworks()['mobilenet_v3_small'];
    assert.ok(golden);
    await writeFile(join(stored, 'mobilenet_v3_small.safetensors'), writeSafetensors(formulaTensors(golden)));
    const done = train(
      'mobile',
      ['--set', 'model.architecture=mobilenet_v3_small', '--set', 'model.input_shape=[64, 96, 3]'],
      { env: { ADBREAK_WEIGHTS: stored } },
    );
    assert.equal(done.status, 0, done.stderr);
    const { architecture, weights, preprocess } = await manifestOf('mobile');
    assert.deepEqual(
      [architecture, weights, preprocess.mean, preprocess.width],
      ['mobilenet_v3_small', 'pretrained', 127.5, 96],
    );
  });
  test('of a network from nothing trains it once, and the next one takes it from the cache', () => {
    const tiny = ['--weights', 'scratch', '--set', 'model.architecture=mobilenet_v3_small'];
    const args = [...tiny, '--set', 'model.input_shape=[32, 48, 3]', '--set', 'training.network.pictures=24'];
    const first = train('nothing', [...args, '--set', 'training.network.epochs=1']);
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stdout, /MobileNetV3-Small, trained from scratch/);
    assert.match(first.stdout, /network, epoch 1 of 1: loss/);
    const second = train('nothing', [
      ...args,
      '--set',
      'training.network.epochs=1',
      '--set',
      'training.l2=0.01',
    ]);
    assert.equal(second.status, 0, second.stderr);
    assert.doesNotMatch(second.stdout, /network, epoch/);
  });
  test('that tunes its backbone from a block on, then all of it, gives the same file each time', async () => {
    const args = [
      '--set',
      'model.architecture=mobilenet_v3_small',
      '--set',
      'model.input_shape=[64, 96, 3]',
      '--set',
      'training.fine_tuning={from: [blocks.10, all], epochs: 1, batch_size: 16, learning_rate: 0.001}',
    ];
    const env = { ADBREAK_WEIGHTS: join(root, 'weights') };
    const tuned = train('tuned', args, { env });
    assert.equal(tuned.status, 0, tuned.stderr);
    assert.match(tuned.stdout, /fine-tuning from blocks\.10 on.*fine-tuning all of the network/s);
    assert.equal(train('tuned-again', args, { env, cache: 'other-cache' }).status, 0);
    assert.equal(await modelOf('tuned-again'), await modelOf('tuned'));
    assert.match(tuned.stdout, /network, epoch 1 of 1: loss/);
    const wrong = train('never', [...args, '--set', 'training.fine_tuning.from=blocks.40'], { env });
    assert.match(wrong.stderr, /input_invalid: Cannot cut .* at blocks\.40/);
  });
});

describe('a training that is killed', () => {
  const LONG = [...COMMON, '--set', 'training.epochs=4000', '--set', 'training.patience=0'];
  test('goes on to the file of an undisturbed one, at whatever moment it was killed', {
    timeout: 200_000,
  }, async () => {
    const undisturbed = train('undisturbed', LONG);
    assert.equal(undisturbed.status, 0, undisturbed.stderr);
    for (const [after, signal] of [
      [0, 'SIGKILL'],
      [300, 'SIGINT'],
      [1100, 'SIGKILL'],
      [1300, 'SIGTERM'],
    ] as const)
      await killed('killed', [...LONG, '--resume'], after, signal);
    const done = train('killed', [...LONG, '--resume']);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /going on behind epoch \d+/);
    assert.equal(await modelOf('killed'), await modelOf('undisturbed'));
  });
  test('is not taken up by another configuration, and can be finished with the best it has', async () => {
    await killed('stopped', LONG, 1500, 'SIGKILL');
    const other = train('stopped', [...LONG, '--resume', '--set', 'training.learning_rate=0.002']);
    assert.equal(other.status, 1);
    assert.match(other.stderr, /conflict: .*training\.learning_rate was 0\.001, now 0\.002/);
    const finished = train('stopped', [...LONG, '--resume', '--finish']);
    assert.equal(finished.status, 0, finished.stderr);
    assert.match(finished.stdout, /taking the best of \d+ epochs/);
    // The best may be the undisturbed one's, too; what came after it has not been computed.
    const results = await readFile(join(root, 'stopped', 'training_results.json'), 'utf8');
    assert.ok(JSON.parse(results).epochs.length < 4000);
  });
});

/**
 * Starts a training, waits until its head is being fitted, and ends it `after` milliseconds, by Ctrl-C or
 * with no warning.
 */
async function killed(
  output: string,
  args: readonly string[],
  after: number,
  signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM',
): Promise<void> {
  const child = spawn(process.execPath, commandLine(output, args));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'close');
  for (const deadline = Date.now() + 60_000; !/ epoch \d+ of 4000/.test(said); await sleep(10))
    assert.ok(Date.now() < deadline && child.exitCode === null, `no epoch was reached: ${said}`);
  await sleep(after);
  child.kill(signal);
  const end = await ended;
  const expected = { SIGKILL: [null, 'SIGKILL'], SIGINT: [130, null], SIGTERM: [143, null] };
  assert.deepEqual(end, expected[signal], `${signal}: ${said}`);
  if (signal !== 'SIGKILL') assert.match(said, /the best so far, epoch \d+, is kept in .*checkpoint\.bin/);
}

describe('a training that cannot be', () => {
  test('for a split without both classes ends before its work, by the name of the split', async () => {
    for (const split of ['test', 'val', 'train']) {
      const broken = join(root, `broken-${split}`);
      await cp(data, broken, { recursive: true });
      const path = join(broken, split, 'one.csv');
      await writeFile(path, (await readFile(path, 'utf8')).replaceAll(',ad\n', ',content\n'));
      const { status, stderr, stdout } = train('never', COMMON, { data: broken });
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`training_failed: .*the split ${split} needs pictures of both`));
      assert.doesNotMatch(stdout, /epoch/);
    }
  });
  test('for an unknown key, an output that cannot be written, or weights that are not there ends at once', () => {
    for (const [args, words] of [
      [['--set', 'training.epoch=3'], /training\.epoch is no key; the nearest is training\.epochs/],
      [['--output', '/proc/nothing'], /state_unwritable: Cannot write to \/proc\/nothing/],
      [['--config', '/nowhere.yaml'], /not_found: .*does not exist/],
      [['--weights', 'pretrained'], /weights_unavailable: .*none of EfficientNet-Lite0 are stored/],
      [['--registry-url', 'http://127.0.0.1:9'], /unauthorized: .*ADBREAK_TOKEN is not set/],
    ] as const) {
      const env = { ADBREAK_WEIGHTS: join(root, 'no-weights'), ADBREAK_TOKEN: '' };
      const { status, stderr } = train('never', [...COMMON, ...args], { env });
      assert.deepEqual([status, words.test(stderr)], [1, true], stderr);
    }
  });
});

test('a model that misses its requirements is not uploaded, and it says by how much', async (t) => {
  const asked: (string | undefined)[] = [];
  const hub = await stubHub(t, ({ message }, response) => {
    asked.push(message.method);
    response.statusCode = message.method === 'GET' ? 404 : 201;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ code: 'not_found', detail: 'none', error: 'not_found', message: 'none' }));
  });
  const authority = join(root, 'ca.pem');
  await writeFile(authority, hub.authority);
  const env = { ...process.env, ADBREAK_TOKEN: 'secret', ADBREAK_CA: authority };
  /** The hub answers from this process, which must not wait for the other. */
  const run = async (args: readonly string[]) => {
    const child = spawn(
      process.execPath,
      commandLine('uploaded', [...COMMON, '--registry-url', hub.url, ...args]),
      { env },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    const [status] = await once(child, 'exit');
    return { status, said };
  };
  const set = (key: string, value: number) => ['--set', `deployment.requirements.${key}=${value}`];
  const easy = [
    ...set('min_accuracy', 0),
    ...set('min_f1_score', 0),
    ...set('max_inference_time_ms', 60_000),
  ];
  const missed = await run([...easy, ...set('max_inference_time_ms', 0.0001)]);
  assert.equal(missed.status, 1, missed.said);
  assert.match(missed.said, /requirements_missed: .*max_inference_time_ms: .*missed by/);
  const log = await readFile(join(root, 'uploaded', 'training.log'), 'utf8');
  assert.match(log, /^\S+Z error requirements_missed: .*missed by/m);
  assert.deepEqual(asked, ['GET']);
  const dry = await run([...easy, '--dry-run']);
  assert.deepEqual([dry.status, asked], [0, ['GET']], dry.said);
  const uploaded = await run(easy);
  assert.equal(uploaded.status, 0, uploaded.said);
  assert.match(uploaded.said, /uploaded base-ad-detector 1\.0\.0/);
  assert.deepEqual(asked, ['GET', 'GET', 'PUT']);
});
