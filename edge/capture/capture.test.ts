import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leftOn } from '@adbreak/shared/testing/listeners.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { Frame } from '@adbreak/shared/video/frames.js';
import { capture, latest } from './capture.js';

const PREPROCESS = { width: 32, height: 32, scaler: 'area' } as const;

test('a file is read to its end once', async () => {
  const path = join(await temporaryFolder(), 'a.mkv');
  greyVideo(path, [{ level: 80, seconds: 4 }]);
  const kinds: string[] = [];
  for await (const event of capture(
    { input: path, kind: 'file', fps: 2 },
    PREPROCESS,
    new AbortController().signal,
  ))
    kinds.push(event.kind);
  assert.deepEqual(kinds, [...Array<string>(8).fill('frame'), 'ended']);
});

test('a file that is left before its end has not ended', async () => {
  const path = join(await temporaryFolder(), 'a.mkv');
  greyVideo(path, [{ level: 80, seconds: 60 }]);
  const stop = new AbortController();
  const kinds: string[] = [];
  for await (const event of capture({ input: path, kind: 'file', fps: 2 }, PREPROCESS, stop.signal)) {
    kinds.push(event.kind);
    if (kinds.length === 3) stop.abort();
  }
  assert.deepEqual(
    kinds.filter((kind) => kind !== 'frame'),
    [],
  );
});

test('a live source that is gone is said to be lost, with the reason and the next try, again and again', async () => {
  const stop = new AbortController();
  const waits: number[] = [];
  for await (const event of capture(
    { input: '/nowhere/video0', kind: 'live', fps: 2 },
    PREPROCESS,
    stop.signal,
  )) {
    assert.equal(event.kind, 'lost');
    if (event.kind !== 'lost') continue;
    assert.match(event.reason, /nowhere/);
    waits.push(event.retryInMs);
    if (waits.length === 2) stop.abort();
  }
  assert.deepEqual(waits, [1000, 2000]);
});

test('a source that is opened again and again leaves nothing on the signal of an agent that runs for years', async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 5; i++)
    for await (const event of capture(
      { input: '/nowhere/video0', kind: 'live', fps: 2 },
      PREPROCESS,
      signal,
    )) {
      assert.equal(event.kind, 'lost');
      break;
    }
  assert.equal(leftOn(signal), 0);
});

test('a live source that is open but silent is ended, said to be lost, and opened again', async () => {
  const pipe = join(await temporaryFolder(), 'silent');
  execFileSync('mkfifo', [pipe]);
  const stop = new AbortController();
  const seen = [];
  for await (const event of capture({ input: pipe, kind: 'live', fps: 2 }, PREPROCESS, stop.signal, 400)) {
    seen.push(event.kind === 'lost' ? event.reason : event.kind);
    if (seen.length === 2) stop.abort();
  }
  assert.deepEqual(seen, ['no frame for 0.4 s', 'no frame for 0.4 s']);
});

test('frame times go on growing when a live source ends and is opened again', async () => {
  const path = join(await temporaryFolder(), 'a.mkv');
  greyVideo(path, [{ level: 80, seconds: 2 }]);
  const stop = new AbortController();
  const times: number[] = [];
  let lost = 0;
  for await (const event of capture({ input: path, kind: 'live', fps: 2 }, PREPROCESS, stop.signal)) {
    if (event.kind === 'lost') lost += 1;
    if (event.kind === 'frame') times.push(event.frame.time);
    if (lost === 2) stop.abort();
  }
  assert.ok(times.length >= 2);
  times.slice(1).forEach((time, i) => assert.ok(time > (times[i] ?? 0), times.join()));
});

test('of a live source the newest frame wins and the others are counted', async () => {
  async function* source(): AsyncGenerator<Frame> {
    for (let index = 0; index < 30; index++) {
      await sleep(2);
      yield { index, time: index / 10, pixels: new Uint8Array(0) };
    }
  }
  let taken = 0;
  let dropped = 0;
  for await (const one of latest(source())) {
    taken += 1;
    dropped += one.dropped;
    await sleep(15);
  }
  assert.equal(taken + dropped, 30);
  assert.ok(dropped > 5, `${dropped} dropped`);
});
