import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { renderBroadcast } from './dataset/synthetic/broadcast.js';
import { CHANNELS } from './dataset/synthetic/channels.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const PATIENCE_MS = 60_000;
/** Far above what it takes (a tenth of a second), far below what the commands had left to do. */
const AT_ONCE_MS = 8000;

/** The real ffmpeg, reading so many seconds of media a second: moments of a pass can be met then. */
async function slowFfmpeg(folder: string, rate: number): Promise<NodeJS.ProcessEnv> {
  const real = spawnSync('which', ['ffmpeg'], { encoding: 'utf8' }).stdout.trim();
  const bin = join(folder, `bin-${rate}`);
  await mkdir(bin);
  await writeFile(join(bin, 'ffmpeg'), `#!/bin/sh\nexec ${real} -readrate ${rate} "$@"\n`);
  await chmod(join(bin, 'ffmpeg'), 0o755);
  return { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH']}` };
}

interface Moment {
  readonly name: string;
  /** Is it there yet? Looks at what was said so far. */
  readonly reached: (said: string) => boolean;
  readonly after?: number;
  readonly signal?: 'SIGINT' | 'SIGTERM';
}

/** Starts a command in a process group of its own and sends the group a signal, as a terminal does. */
async function interrupt(
  args: readonly string[],
  { name, reached, after = 0, signal = 'SIGINT' }: Moment,
  env = process.env,
) {
  const child = spawn(process.execPath, [MAIN, ...args], { env, detached: true });
  const group = child.pid ?? 0;
  let [said, complained] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained += text;
  });
  const ended = once(child, 'close');
  for (const deadline = Date.now() + PATIENCE_MS; !reached(said); await sleep(20))
    assert.ok(
      Date.now() < deadline && child.exitCode === null,
      `${name} was never reached: ${said}${complained}`,
    );
  await sleep(after);
  assert.equal(child.exitCode, null, `${name}: the command was over before it could be interrupted`);
  const sent = performance.now();
  process.kill(-group, signal);
  await ended;
  assert.equal(child.exitCode, signal === 'SIGINT' ? 130 : 143, `${name}: ${complained}`);
  assert.ok(performance.now() - sent < AT_ONCE_MS, name);
  assert.equal(complained.trim(), 'interrupted; nothing half-written was left', name);
  assert.deepEqual(await left(group), [], name);
  return said;
}

/** Processes of the group that still live (proc(5)); one that was just killed has a moment to go. */
async function left(group: number): Promise<string[]> {
  const living = () =>
    readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => {
        const [state, , own] = statOf(pid);
        return own === String(group) && state !== 'Z';
      });
  for (const deadline = Date.now() + 3000; living().length > 0 && Date.now() < deadline; ) await sleep(20);
  return living();
}

function statOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    // It ended between the listing and the look.
    return [];
  }
}

test('a training interrupted at any moment, and run again, gives the model of an undisturbed one', {
  timeout: 230_000,
}, async () => {
  const folder = await temporaryFolder();
  const data = join(folder, 'data');
  for (const split of ['train', 'val', 'test']) {
    await mkdir(join(data, split), { recursive: true });
    const output = join(data, split, 'one.mkv');
    await writeFile(
      join(data, split, 'one.csv'),
      formatLabels(await renderBroadcast({ seed: split, channel: CHANNELS[0], seconds: 45, output })),
    );
  }
  const env = await slowFfmpeg(folder, 60);
  const command = (name: string) =>
    [
      'train',
      '--data',
      data,
      '--output',
      join(folder, name),
      '--cache',
      join(folder, `${name}-cache`),
      '--weights',
      'scratch',
      '--fps',
      '1',
      '--first',
      '90',
    ] as const;
  const result = async (name: string) => ({
    model: sha256(await readFile(join(folder, name, 'model.tflite'))),
    metrics: JSON.parse(await readFile(join(folder, name, 'training_results.json'), 'utf8'))
      .test_metrics as unknown,
  });

  const undisturbed = spawnSync(process.execPath, [MAIN, ...command('undisturbed')], { encoding: 'utf8' });
  assert.equal(undisturbed.status, 0, undisturbed.stderr);
  /** Splits that were looked at to their end. */
  const looked = () =>
    existsSync(join(folder, 'again-cache'))
      ? readdirSync(join(folder, 'again-cache')).filter((name) => name.endsWith('.index')).length
      : 0;
  const moments: readonly Moment[] = [
    { name: 'the look at test', reached: () => existsSync(join(folder, 'again')), after: 300 },
    { name: 'the sample of train', reached: (said) => said.includes('backbone'), after: 300 },
    { name: 'the small network', reached: (said) => said.includes('epoch 2 of 9'), signal: 'SIGTERM' },
    { name: 'the first pictures of val', reached: (said) => said.includes('epoch 9 of 9'), after: 200 },
    { name: 'the middle of train', reached: () => looked() === 2, after: 300, signal: 'SIGTERM' },
    { name: 'the pictures for the converter', reached: (said) => said.includes('temperature'), after: 200 },
    { name: 'the test pass', reached: (said) => said.includes('converting'), after: 300 },
  ];
  for (const moment of moments) {
    await interrupt(command('again'), moment, env);
    assert.equal(existsSync(join(folder, 'again', 'model.tflite')), false, moment.name);
  }
  const again = spawnSync(process.execPath, [MAIN, ...command('again')], { encoding: 'utf8' });
  assert.equal(again.status, 0, again.stderr);
  const split = (said: string) => said.split('\n').find((line) => line.startsWith('train '));
  assert.equal(split(again.stdout), split(undisturbed.stdout));
  assert.deepEqual(await result('again'), await result('undisturbed'));
});

test('an interrupted synthesis leaves no recording that is not whole, and no data set that passes for whole', {
  timeout: 120_000,
}, async () => {
  const folder = await temporaryFolder();
  const synthesize = (output: string, seed: string) => [
    'dataset',
    'synthesize',
    '--output',
    output,
    '--seconds',
    '40',
    '--seed',
    seed,
  ];
  const data = join(folder, 'data');
  const file = (split: string, name: string) => join(data, split, name);
  await interrupt(synthesize(data, '1'), {
    name: 'the first recording',
    reached: () => existsSync(file('train', 'one.mkv.part')),
  });
  assert.deepEqual((await readdir(join(data, 'train'))).sort(), ['.unfinished']);
  // All but the last recording is there: without a mark it would be a whole data set of fewer channels.
  await interrupt(synthesize(data, '1'), {
    name: 'the last recording',
    reached: () => existsSync(file('test', 'kino.mkv.part')),
    signal: 'SIGTERM',
  });
  const train = () =>
    spawnSync(
      process.execPath,
      [MAIN, 'train', '--data', data, '--output', join(folder, 'model'), '--weights', 'scratch'],
      { encoding: 'utf8' },
    );
  assert.match(train().stderr, /error conflict: Cannot open the data set: .*train is unfinished/);
  const done = spawnSync(process.execPath, [MAIN, ...synthesize(data, '1')], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual((await readdir(join(data, 'test'))).sort(), [
    'arena.csv',
    'arena.mkv',
    'kino.csv',
    'kino.mkv',
    'one.csv',
    'one.mkv',
  ]);
  // Another seed over it: no picture of the new one lies beside labels of the old one.
  await interrupt(synthesize(data, '2'), {
    name: 'the same folder again',
    reached: () => existsSync(file('train', 'one.mkv.part')),
  });
  assert.equal(existsSync(file('train', 'one.csv')), false);
});

test('an interrupted cut leaves no piece that is not whole', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder();
  const video = join(folder, 'evening.mkv');
  greyVideo(
    video,
    Array.from({ length: 20 }, (_, i) => ({ level: i % 2 === 0 ? 50 : 180, seconds: 10 })),
  );
  const spans = Array.from({ length: 20 }, (_, i) => ({
    start: i * 10,
    end: (i + 1) * 10,
    label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
  }));
  await writeFile(join(folder, 'evening.csv'), formatLabels(spans));
  const data = join(folder, 'data');
  const cut = ['dataset', 'cut', '--video', video, '--labels', join(folder, 'evening.csv'), '--output', data];
  const reached = () =>
    existsSync(join(data, 'train')) &&
    readdirSync(join(data, 'train')).some((name) => name.startsWith('recording.mkv'));
  await interrupt(cut, { name: 'the first piece', reached, after: 300 }, await slowFfmpeg(folder, 10));
  assert.deepEqual(await readdir(join(data, 'train')), ['.unfinished']);
  const done = spawnSync(process.execPath, [MAIN, ...cut], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual((await readdir(join(data, 'train'))).sort(), ['recording.csv', 'recording.mkv']);
});

test('an interrupted pull of weights ends pip and leaves nothing', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder();
  const bin = join(folder, 'bin');
  await mkdir(bin);
  // A registry that never answers, as pip sees it.
  await writeFile(join(bin, 'python3'), '#!/bin/sh\ntouch "$STARTED"\nexec sleep 120\n');
  await chmod(join(bin, 'python3'), 0o755);
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  const started = join(folder, 'started');
  const env = {
    ...process.env,
    PATH: `${bin}${delimiter}${dirname(process.execPath)}:/usr/bin:/bin`,
    STARTED: started,
    TMPDIR: temporary,
    ADBREAK_WEIGHTS: join(folder, 'weights'),
  };
  await interrupt(['weights', 'pull'], { name: 'the download', reached: () => existsSync(started) }, env);
  assert.deepEqual(await readdir(temporary), []);
  assert.equal(existsSync(join(folder, 'weights')), false);
});
