import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '@adbreak/shared/random.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { adbreak, manifestIn, modelDigest, Running, recordedData, SMALL } from '../testing/trainings.js';

let root: string;
let data: string;
before(async () => {
  root = await temporaryFolder();
  data = await recordedData(join(root, 'data'));
});

/** Long enough that each part of a training can be met. */
const LONG = [...SMALL, '--set', 'training.epochs=3000', '--set', 'training.patience=0'] as const;
const commandLine = (folder: string, ...more: readonly string[]) => [
  ...['train', '--data', data, '--output', join(folder, 'out'), '--cache', join(folder, 'cache')],
  ...LONG,
  ...more,
];
async function undisturbed(name: string): Promise<string> {
  const folder = join(root, name);
  const done = adbreak(...commandLine(folder));
  assert.equal(done.status, 0, done.stderr);
  return modelDigest(join(folder, 'out'));
}

/** The parts of a training, by what is said when each begins; of a network that was kept, what comes after it. */
const PARTS = {
  'the first look at the pictures': /^/,
  'the small network': /small network, epoch 2|train \d+ pictures/,
  'the features': /small network, epoch 9|train \d+ pictures/,
  'the head': / epoch \d+ of 3000/,
  'the end of the head': /head: epoch/,
  'the conversion': /converting to INT8/,
} as const;
/** One part takes a few hundred milliseconds. */
const LATEST_MS = 400;

describe('a training that is killed', () => {
  test('in any of its parts, and goes on, ends with the file of an undisturbed one, and nothing half-written', {
    timeout: 300_000,
  }, async (t) => {
    const expected = await undisturbed('undisturbed');
    const folder = join(root, 'killed');
    const [seed, random] = [20, seeded('kill/20')];
    let kills = 0;
    for (const [part, words] of Object.entries(PARTS)) {
      const run = new Running(...commandLine(folder, '--resume'));
      const reached = await run.reaches(words);
      const after = random.integer(LATEST_MS);
      if (reached) await sleep(after);
      const { end } = await run.stop('SIGKILL');
      const told = `seed ${seed}, ${part}, ${after} ms: ${end}; ${run.said}${run.complained}`;
      assert.ok(end === 'SIGKILL' || end === 0, told);
      if (end === 'SIGKILL') kills += 1;
      if (existsSync(join(folder, 'out/model.tflite')))
        assert.equal(await modelDigest(join(folder, 'out')), expected, told);
      if (existsSync(join(folder, 'out/manifest.json'))) await manifestIn(join(folder, 'out'));
    }
    t.diagnostic(`${kills} kills`);
    assert.ok(kills >= 4, `${kills} kills`);
    const done = adbreak(...commandLine(folder, '--resume'));
    assert.equal(done.status, 0, done.stderr);
    assert.equal(await modelDigest(join(folder, 'out')), expected);
    const left = await readdir(join(folder, 'out'));
    for (const name of ['checkpoint.bin', '.started.json']) assert.ok(!left.includes(name), left.join());
  });

  test('is followed as one run: what goes on keeps its start, and another training has its own', {
    timeout: 120_000,
  }, async () => {
    const folder = join(root, 'followed');
    const events = join(folder, 'events');
    const followed = [
      ...['--set', 'tracking.tensorboard.enabled=true', '--set', `tracking.tensorboard.path=${events}`],
    ];
    for (const part of ['the small network', 'the head'] as const) {
      const run = new Running(...commandLine(folder, ...followed, '--resume'));
      assert.ok(await run.reaches(PARTS[part]), run.complained);
      await run.stop('SIGKILL');
    }
    const [start = '', ...others] = await readdir(join(events, 'base-ad-detector/1.0.0'));
    assert.deepEqual(others, []);
    assert.equal(adbreak(...commandLine(folder, ...followed, '--resume')).status, 0);
    assert.deepEqual(await readdir(join(events, 'base-ad-detector/1.0.0')), [start]);
    assert.equal((await manifestIn(join(folder, 'out'))).createdAt.replaceAll(':', '-'), start);
    assert.equal(adbreak(...commandLine(folder, ...followed, '--resume')).status, 0);
    assert.equal((await readdir(join(events, 'base-ad-detector/1.0.0'))).length, 2);
  });

  test('does not go on from a damaged checkpoint, and loses no more than its start with that', {
    timeout: 120_000,
  }, async () => {
    const folder = join(root, 'damaged');
    const run = new Running(...commandLine(folder));
    assert.ok(await run.reaches(PARTS['the head']), run.complained);
    assert.equal((await run.stop('SIGINT')).end, 130);
    await writeFile(join(folder, 'out/.started.json'), '{"startedAt":');
    const path = join(folder, 'out/checkpoint.bin');
    const good = await readFile(path);
    await writeFile(path, good.subarray(0, good.length - 1));
    const refused = adbreak(...commandLine(folder, '--resume'));
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /error state_corrupt: .*checkpoint\.bin: it is damaged\n.*without --resume/);
    await writeFile(path, good);
    const done = adbreak(...commandLine(folder, '--resume', '--finish'));
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /taking the best of \d+ epochs/);
  });
});

/** Two seconds, and one for a machine that is busy with others. */
const AT_ONCE_MS = 3000;

test('Ctrl-C ends a training at once in any of its parts, with 130 and the best kept', {
  timeout: 200_000,
}, async (t) => {
  const folder = join(root, 'interrupted');
  for (const [part, words] of Object.entries(PARTS)) {
    const run = new Running(...commandLine(folder, '--resume'));
    assert.ok(await run.reaches(words), `${part}: ${run.said}${run.complained}`);
    // By then it hears signals.
    await until('its folder', () => existsSync(join(folder, 'out')));
    const { end, milliseconds } = await run.stop('SIGINT');
    t.diagnostic(`${part}: ${milliseconds.toFixed(0)} ms`);
    if (end === 0) continue;
    assert.equal(end, 130, part);
    assert.ok(milliseconds < AT_ONCE_MS, `${part}: ${milliseconds} ms`);
    assert.equal(run.complained.trim(), 'interrupted; nothing half-written was left', part);
    assert.deepEqual(await partsIn(folder), [], part);
    if (part !== 'the head') continue;
    assert.match(run.said, /the best so far, epoch \d+, is kept in .*checkpoint\.bin: --resume goes on/);
    assert.ok(existsSync(join(folder, 'out/checkpoint.bin')));
  }
});

async function partsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith('.part'));
}

test('a volume that becomes full ends a training in a sentence; with room again it goes on to the same file', {
  timeout: 200_000,
}, async (t) => {
  const expected = await undisturbed('roomy');
  const volume = await smallVolume(t, 80 * 1024);
  for (const part of ['the features', 'the head'] as const) {
    const run = new Running(...commandLine(volume, '--resume'));
    assert.ok(await run.reaches(PARTS[part]), run.complained);
    await fill(join(volume, 'others'));
    assert.equal(await run.end(), 1, `${part}: ${run.said}`);
    assert.match(run.complained, /^error disk_full: Cannot write .*: no space left on its volume\n/, part);
    await rm(join(volume, 'others'));
    assert.deepEqual(await partsIn(volume), [], part);
    assert.ok(!existsSync(join(volume, 'out/model.tflite')), part);
  }
  const done = adbreak(...commandLine(volume, '--resume'));
  assert.equal(done.status, 0, done.stderr);
  assert.equal(await modelDigest(join(volume, 'out')), expected);
});

/** Until nothing more goes onto the volume. */
async function fill(path: string): Promise<void> {
  for (const piece of [1 << 20, 1 << 12])
    for (;;) {
      try {
        await writeFile(path, Buffer.alloc(piece), { flag: 'a' });
      } catch {
        break;
      }
    }
}
