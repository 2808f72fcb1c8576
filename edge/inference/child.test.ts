import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { TINY_SIZE, tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { InferenceChild } from './child.js';

async function modelOnDisk(edit: (file: Uint8Array) => Uint8Array = (file) => file) {
  const { file, manifest } = tinyRelease('1.0.0');
  const path = join(await temporaryFolder(), 'model.tflite');
  await writeFile(path, edit(file));
  return { path, manifest };
}
const grey = (level: number) => new Uint8Array(TINY_SIZE * TINY_SIZE * 3).fill(level);
const coded = (code: string) => (error: unknown) => error instanceof AdbreakError && error.code === code;

test('a child gives p(ad) and how long it took', async () => {
  await using child = await InferenceChild.start(await modelOnDisk());
  const results = await Promise.all([child.infer(grey(250)), child.infer(grey(5))]);
  assert.ok((results[0]?.probability ?? 0) > 0.9 && (results[1]?.probability ?? 1) < 0.1);
  assert.ok(results.every(({ milliseconds }) => milliseconds > 0));
});

test('a damaged model costs the child and names the file', async () => {
  const model = await modelOnDisk((file) => file.map((byte, i) => (i === 300 ? byte ^ 1 : byte)));
  await assert.rejects(
    InferenceChild.start(model),
    (error: unknown) =>
      coded('model_corrupt')(error) && error instanceof Error && error.message.includes(model.path),
  );
});

test('a child that is killed rejects what waits, and everything after', async () => {
  await using child = await InferenceChild.start(await modelOnDisk());
  const waiting = Promise.allSettled(Array.from({ length: 50 }, () => child.infer(grey(9))));
  process.kill(child.pid ?? 0, 'SIGKILL');
  assert.ok((await waiting).some(({ status }) => status === 'rejected'));
  await assert.rejects(child.infer(grey(1)), coded('inference_failed'));
  assert.equal(child.alive, false);
});

test('a child that hangs is ended after its time', async () => {
  await using child = await InferenceChild.start(await modelOnDisk(), { timeoutMs: 300 });
  process.kill(child.pid ?? 0, 'SIGSTOP');
  await assert.rejects(child.infer(grey(1)), coded('inference_failed'));
});

test('a child that is killed at any moment under 200 frames a second costs its frames, never the process', async (t) => {
  const SEED = 8;
  t.diagnostic(`seed ${SEED}`);
  const { uniform } = seeded(SEED);
  const model = await modelOnDisk();
  for (let kill = 0; kill < 25; kill++) {
    await using child = await InferenceChild.start(model);
    const answers: Promise<unknown>[] = [];
    // An error that nobody waits for (EPIPE, ERR_IPC_CHANNEL_CLOSED) would end this process, and so this test.
    const frames = setInterval(() => answers.push(child.infer(grey(9)).catch((error: unknown) => error)), 5);
    await sleep(uniform() * 60);
    process.kill(child.pid ?? 0, 'SIGKILL');
    while (child.alive) await sleep(5);
    await sleep(20);
    clearInterval(frames);
    const last = (await Promise.all(answers)).at(-1);
    assert.ok(coded('inference_failed')(last), `kill ${kill}: ${String(last)}`);
  }
});

/** A process that answers its first message with one thing, and each one after it with another. */
async function programThatSays(first: string, then = 'null'): Promise<URL> {
  const path = join(await temporaryFolder(), 'program.mjs');
  await writeFile(
    path,
    `process.once('message', () => { process.send(${first}); process.on('message', ({ id }) => process.send(${then})); });`,
  );
  return pathToFileURL(path);
}
const LOADED = "{ kind: 'loaded', runtime: 'none' }";

for (const [what, said] of [
  ['nothing that it may say', "{ kind: 'hello' }"],
  ['null', 'null'],
  ['a word', "'loaded'"],
  ['more than it should', "{ kind: 'loaded', runtime: 'none', more: 1 }"],
  ['a very long word', "{ kind: 'refused', code: 'model_corrupt', message: 'x'.repeat(1e6) }"],
  ['an answer to what nobody asked', "{ kind: 'result', id: 0, probability: 0.5, milliseconds: 1 }"],
] as const) {
  test(`a child whose first word is ${what} is ended, and coded`, async () => {
    await assert.rejects(
      InferenceChild.start(await modelOnDisk(), { program: await programThatSays(said) }),
      coded('inference_failed'),
    );
  });
}

for (const [what, said] of [
  ['nothing that it may say', "{ kind: 'hello' }"],
  ['a probability that is none', "{ kind: 'result', id, probability: 1.5, milliseconds: 1 }"],
  ['no number', "{ kind: 'result', id, probability: NaN, milliseconds: 1 }"],
  ['text for a number', "{ kind: 'result', id, probability: '0.5', milliseconds: 1 }"],
  ['an answer to another frame', "{ kind: 'result', id: id + 7, probability: 0.5, milliseconds: 1 }"],
  ['that it is loaded', LOADED],
  ['a very long word', "{ kind: 'failed', id, message: 'x'.repeat(1e6) }"],
] as const) {
  test(`a child that answers a frame with ${what} is ended, and coded`, async () => {
    await using child = await InferenceChild.start(await modelOnDisk(), {
      program: await programThatSays(LOADED, said),
    });
    await assert.rejects(
      child.infer(grey(1)),
      (error: unknown) => coded('inference_failed')(error) && /breaks the rules/.test(String(error)),
    );
    assert.equal(child.alive, false);
    await assert.rejects(child.infer(grey(1)), coded('inference_failed'));
  });
}

test('a worker refuses what it was not asked as agreed, and goes on', async (t) => {
  const worker = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [], {
    serialization: 'advanced',
  });
  t.after(() => worker.kill('SIGKILL'));
  const answerTo = async (message: unknown) => {
    const answer = once(worker, 'message');
    worker.send(message as never);
    return (await answer)[0];
  };
  const { path, manifest } = await modelOnDisk();
  const load = { kind: 'load', path, manifest, threads: 1, runtime: 'auto' };
  for (const wrong of [
    null,
    'load',
    { kind: 'eval', code: '1' },
    { ...load, threads: 1e6 },
    { ...load, manifest: { ...manifest, digest: '' } },
    { kind: 'infer', id: 0, pixels: 'grey' },
    { kind: 'infer', id: 0, pixels: new Uint8Array(1024 * 1024 * 3 + 1) },
  ]) {
    const { kind, code, message } = await answerTo(wrong);
    assert.deepEqual([kind, code], ['refused', 'input_invalid'], message);
  }
  assert.equal((await answerTo(load)).kind, 'loaded');
  assert.equal((await answerTo({ kind: 'infer', id: 3, pixels: grey(9) })).id, 3);
});
