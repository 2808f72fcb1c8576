import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { models } from '@adbreak/shared/contract/http/models.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { training } from '@adbreak/shared/contract/http/training.js';
import { smallVolume } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, callHub } from './cli/client.js';
import { BIN, runAt } from './testing/command.js';
import { kill, spawnHub } from './testing/killed.js';
import { askTraining, EASY, ENDLESS, isOver, jobAt, jobOnce, trainingFolders } from './testing/training.js';
import { testHub } from './testing.js';

const MODEL = 'base-ad-detector';
const version = (number: string) => `model.version=${number}`;

/** The processes of a trainer that works in a folder. */
async function trainersIn(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('--for-hub') && line.includes(folder)) found.push(Number(name));
  }
  return found;
}

test('a training that meets its requirements ends in the registry, and everybody can read how it came there', {
  timeout: 200_000,
}, async (t) => {
  const { folder } = await trainingFolders();
  const hub = await testHub(t, { folder });
  const asked = await askTraining(hub, ['training.epochs=20', version('1.2.0')]);
  assert.deepEqual([asked.model, asked.version, asked.who], [MODEL, '1.2.0', 'token:first']);
  const pid = await until('a trainer', async () => (await trainersIn(folder))[0], 60);
  assert.equal(getPriority(pid), Math.min(19, getPriority() + 10), 'it yields to all else');
  const job = await jobOnce(hub, asked.id, 'over', isOver);
  assert.equal(job.state, 'finished', JSON.stringify(job.failure));
  assert.equal(job.result?.requirements, 'met');
  assert.ok((job.result?.metrics.accuracy ?? 0) > 0.9, 'a fractal is no test picture');
  assert.equal(job.epochs.at(-1)?.epochs, 20);
  const known = await callBy(hub, models.showVersion, { params: { name: MODEL, version: '1.2.0' } });
  assert.equal(known.digest, job.result?.uploaded?.digest);
  const { lines } = await callBy(hub, training.log, { params: { id: asked.id } });
  assert.match(
    lines.join('\n'),
    /INT8 model on test[\s\S]*left for the hub: base-ad-detector 1\.2\.0\nregistered base-ad-detector 1\.2\.0$/,
  );
  const shown = await runAt(hub, 'jobs', 'show', asked.id);
  assert.match(shown.out, /1\.2\.0 {2}finished {2}token:first[\s\S]*accuracy 1\.000[\s\S]*is registered/);
  const { entries } = Object(await callHub(hub, '/api/v1/audit'));
  const mine = [entries].flat().filter(({ subject }) => [asked.id, `${MODEL} 1.2.0`].includes(subject));
  assert.deepEqual(mine.map(({ what, who }) => `${what} by ${who}`).sort(), [
    'model.register by token:first',
    'training.ask by token:first',
    'training.end by hub',
  ]);
});

test('one runs, the others wait; what waits and what runs can be called off, and nothing of it is registered', {
  timeout: 200_000,
}, async (t) => {
  const { folder } = await trainingFolders();
  const hub = await testHub(t, { folder, training: { graceMs: 3000 } });
  const first = await askTraining(hub, [...ENDLESS, version('1.0.1')]);
  await assert.rejects(askTraining(hub, [version('1.0.1')]), {
    code: 'conflict',
    message: new RegExp(`${first.id} is making this version already`),
  });
  const second = await askTraining(hub, [version('1.0.2')]);
  const third = await askTraining(hub, [version('1.0.3')]);
  await jobOnce(hub, first.id, 'in its epochs', ({ epochs }) => epochs.length > 2);
  assert.deepEqual([(await jobAt(hub, second.id)).ahead, (await jobAt(hub, third.id)).ahead], [1, 2]);
  assert.equal((await trainersIn(folder)).length, 1);
  const off = await runAt(hub, 'jobs', 'cancel', second.id);
  assert.equal(off.out, `${second.id} is called off\n`);
  const [pid = 0] = await trainersIn(folder);
  await callBy(hub, training.cancel, { params: { id: first.id } });
  const ended = await jobOnce(hub, first.id, 'over', isOver);
  assert.deepEqual([ended.state, ended.cancelled], ['cancelled', 'token:first']);
  assert.ok(!(await trainersIn(folder)).includes(pid), 'its process has ended before its row says so');
  assert.equal((await jobOnce(hub, third.id, 'over', isOver)).state, 'finished');
  await assert.rejects(callBy(hub, training.cancel, { params: { id: third.id } }), { code: 'conflict' });
  const { versions } = await callBy(hub, models.show, { params: { name: MODEL } });
  assert.deepEqual(
    versions.map((one) => one.version),
    ['1.0.3'],
  );
});

describe('a hub that is killed while it trains', () => {
  test('takes its trainer with it, and goes on from the checkpoint at its next start', {
    timeout: 300_000,
  }, async (t) => {
    const { folder } = await trainingFolders();
    const hub = await spawnHub(t, folder);
    // Picture by picture they take seconds; in batches they may be over before a first checkpoint is due.
    const slow = ['training.patience=0', 'training.batch_size=1'];
    const long = ['training.epochs=9000', ...slow, version('2.0.0')];
    const { id } = await askTraining(hub, long);
    await until(
      'a checkpoint',
      async () =>
        (await readdir(join(folder, 'training/jobs', id, 'output')).catch(() => [''])).includes(
          'checkpoint.bin',
        ),
      120,
    );
    await kill(hub);
    await until('no trainer', async () => (await trainersIn(folder)).length === 0, 10);
    const again = await spawnHub(t, folder, hub.token);
    const job = await jobOnce(again, id, 'over', isOver);
    assert.deepEqual([job.state, job.interruptions], ['finished', 1], JSON.stringify(job.failure));
    const { lines } = await callBy(again, training.log, { params: { id } });
    assert.match(lines.join('\n'), /going on behind epoch \d+/);
    assert.match(again.words(), new RegExp(`training ${id} was cut off; it goes on`));
  });
});

test('a hub that is stopped in good order lets its training keep what it has, and counts no interruption', {
  timeout: 200_000,
}, async (t) => {
  const { folder } = await trainingFolders();
  const hub = await testHub(t, { folder });
  const { id } = await askTraining(hub, [...ENDLESS, version('3.0.0')]);
  await jobOnce(hub, id, 'in its epochs', ({ epochs }) => epochs.length > 2);
  await hub.running[Symbol.asyncDispose]();
  assert.deepEqual(await trainersIn(folder), []);
  const again = { ...(await testHub(t, { folder })), token: hub.token };
  const job = await jobOnce(again, id, 'at work again', ({ state }) => state === 'running');
  assert.equal(job.interruptions, 0);
  const said = async () => (await callBy(again, training.log, { params: { id } })).lines.join('\n');
  const goingOn = /the best so far, epoch \d+, is kept[\s\S]*going on behind epoch/;
  await until('going on', async () => goingOn.test(await said()), 60);
  await callBy(again, training.cancel, { params: { id } });
  await jobOnce(again, id, 'over', isOver);
});

test('a model that misses its requirements is no version, and the job says by how much', {
  timeout: 200_000,
}, async (t) => {
  const { folder, datasets } = await trainingFolders();
  const hub = await testHub(t, { folder });
  await writeFile(join(datasets, 'wanted.yaml'), EASY);
  const done = await runAt(
    hub,
    ...['train', '--on-hub', '--config', join(datasets, 'wanted.yaml'), '--data', 'tiny', '--follow'],
    ...['--set', 'training.epochs=5', '--set', 'deployment.requirements.max_inference_time_ms=0.0001'],
  );
  assert.equal(done.code, 1, done.out);
  assert.match(done.error, /requirements_missed: .*max_inference_time_ms: .*missed by/);
  assert.match(done.out, /^t-[0-9a-f]{12}: base-ad-detector 1\.0\.0, it begins/);
  const { jobs } = await callBy(hub, training.list, {});
  assert.deepEqual(
    jobs.map(({ state }) => state),
    ['finished'],
  );
  const job = await jobAt(hub, jobs[0]?.id ?? '');
  assert.deepEqual([job.result?.requirements, job.result?.uploaded], ['missed', null]);
  assert.deepEqual((await callBy(hub, models.list, {})).models, []);
});

test('who follows a training leaves it running by Ctrl-C, and is told so', {
  timeout: 100_000,
}, async (t) => {
  const { folder } = await trainingFolders();
  const hub = await testHub(t, { folder });
  const { id } = await askTraining(hub, [...ENDLESS]);
  await jobOnce(hub, id, 'in its epochs', ({ epochs }) => epochs.length > 2);
  const env = {
    ...process.env,
    ADBREAK_HUB: hub.hub,
    ADBREAK_TOKEN: hub.token,
    ADBREAK_CA: join(folder, 'identity/ca.pem'),
  };
  const child = spawn(process.execPath, [BIN, 'jobs', 'show', id, '--follow'], { env });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
  await until('the first line', () => /epoch \d+ of 10000/.test(words), 60);
  const closed = once(child, 'close');
  child.kill('SIGINT');
  assert.deepEqual(await closed, [130, null], words);
  assert.match(words, new RegExp(`the job goes on: .*jobs show ${id} --follow`));
  assert.equal((await jobAt(hub, id)).state, 'running');
});

describe('refused before anything begins', () => {
  test('is a data set that is not below the folder of data sets', { timeout: 100_000 }, async (t) => {
    const { folder, datasets } = await trainingFolders();
    const hub = await testHub(t, { folder });
    const elsewhere = (await trainingFolders()).datasets;
    await symlink(join(elsewhere, 'tiny'), join(datasets, 'away'));
    for (const [name, code] of [
      ['../tiny', 'input_invalid'],
      [join(elsewhere, 'tiny'), 'input_invalid'],
      ['tiny/../../etc', 'input_invalid'],
      ['./tiny', 'input_invalid'],
      ['tiny/', 'input_invalid'],
      ['away', 'input_invalid'],
      ['none', 'not_found'],
    ] as const)
      await assert.rejects(askTraining(hub, [], name), { code }, name);
  });
  test('is what only the hub may set, what is no configuration, and what is too long', {
    timeout: 100_000,
  }, async (t) => {
    const { folder } = await trainingFolders();
    const hub = await testHub(t, { folder });
    for (const key of [
      'output.path=/etc',
      'output={path: /etc, cache: /etc}',
      'tracking.mlflow.url=http://elsewhere',
      'dataset.path=/etc',
      'dataset={video: /etc/passwd, labels: /etc/passwd}',
    ])
      await assert.rejects(askTraining(hub, [key]), { code: 'input_invalid', message: /the hub’s to set/ });
    const ask = (configuration: string) => askTraining(hub, [], 'tiny', configuration);
    await assert.rejects(ask('dataset: { video: /etc/passwd, labels: /etc/passwd }'), {
      code: 'input_invalid',
    });
    await assert.rejects(ask('training: { epoch: 3 }'), {
      code: 'input_invalid',
      message: /training\.epoch is no key; the nearest is training\.epochs/,
    });
    await assert.rejects(ask('a: [1'), { code: 'input_invalid', message: /not YAML/ });
    await assert.rejects(ask('#'.repeat(40_000)), { code: 'input_invalid' });
    await assert.rejects(ask('#'.repeat(1_000_000)), { code: 'input_too_large' });
    assert.deepEqual(await readdir(join(folder, 'training/jobs')), [], 'nothing is left of it');
  });
  test('is who may only look, a hub that is not set up, and one without a trainer', {
    timeout: 100_000,
  }, async (t) => {
    const plain = await testHub(t);
    await assert.rejects(askTraining(plain), { code: 'conflict', message: /not set up for trainings/ });
    const { folder } = await trainingFolders();
    const bare = await testHub(t, { folder, training: { trainer: join(folder, 'no-trainer.js') } });
    await assert.rejects(askTraining(bare), { code: 'trainer_missing' });
    const { token } = await callBy(bare, tokens.create, { body: { id: 'eve', role: 'viewer' } });
    await assert.rejects(askTraining({ ...bare, token }), { code: 'forbidden' });
    assert.deepEqual((await callBy({ ...bare, token }, training.list, {})).jobs, []);
  });
});

test('a volume that fills up ends the training, and the hub goes on', { timeout: 200_000 }, async (t) => {
  const volume = await smallVolume(t, 200 * 1024);
  const { folder } = await trainingFolders(60, volume);
  const hub = await testHub(t, { folder, training: { lookMs: 200, graceMs: 3000 } });
  const { id } = await askTraining(hub, ENDLESS);
  await jobOnce(hub, id, 'in its epochs', ({ epochs }) => epochs.length > 2);
  await writeFile(join(volume, 'registry', 'filled'), Buffer.alloc(150 * 2 ** 20));
  const job = await jobOnce(hub, id, 'over', isOver);
  assert.deepEqual([job.state, job.failure?.code], ['failed', 'disk_full'], JSON.stringify(job.failure));
  assert.match(job.failure?.message ?? '', /\d+ MiB are free, and 60 are the hub's own/);
  const { token } = await callBy(hub, tokens.create, { body: { id: 'after', role: 'viewer' } });
  assert.ok(token, 'it writes still');
});

test('a trainer that is killed fails its job, by the signal, and the next one has its turn', {
  timeout: 200_000,
}, async (t) => {
  const { folder } = await trainingFolders();
  const hub = await testHub(t, { folder });
  const { id } = await askTraining(hub, [...ENDLESS, version('1.0.1')]);
  const next = await askTraining(hub, ['training.epochs=3', version('1.0.2')]);
  await jobOnce(hub, id, 'in its epochs', ({ epochs }) => epochs.length > 2);
  for (const pid of await trainersIn(folder)) process.kill(pid, 'SIGKILL');
  const job = await jobOnce(hub, id, 'over', isOver);
  assert.deepEqual([job.state, job.failure?.code], ['failed', 'training_failed']);
  assert.match(job.failure?.message ?? '', /the trainer ended by SIGKILL/);
  assert.equal((await jobOnce(hub, next.id, 'over', isOver)).state, 'finished');
});
