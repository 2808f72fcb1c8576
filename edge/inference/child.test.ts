import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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
    (error: unknown) => coded('model_corrupt')(error) && error instanceof Error && error.message.includes(model.path),
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
