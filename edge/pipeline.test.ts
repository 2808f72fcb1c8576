import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Decision } from '@adbreak/shared/contract/manifest.js';
import { type Desired, desired } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { TINY_SIZE, tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { InferenceChild } from './inference/child.js';
import { type EndedEpisode, type LabelledEpisode, type Pair, Pipeline } from './pipeline.js';
import type { LedgerState } from './shadow/ledger.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = Date.parse('2026-03-01T10:00:00.000Z');
const iso = (hours: number) => new Date(T0 + hours * HOUR).toISOString();

/** Two real children: production takes dark for an advertisement, the candidate bright; they agree on nothing. */
async function pairOf(t: TestContext, decision?: Decision): Promise<Pair> {
  const folder = await temporaryFolder();
  const child = async (version: string, sign: 1 | -1) => {
    const { file, manifest } = tinyRelease(version, sign);
    const path = join(folder, version);
    await writeFile(path, file);
    const model = { path, manifest: { ...manifest, ...(decision !== undefined && { decision }) } };
    const started = await InferenceChild.start(model, { runtime: 'addon' });
    t.after(() => started[Symbol.asyncDispose]());
    return started;
  };
  const [production, candidate] = [await child('1.0.0', -1), await child('2.0.0', 1)];
  const ref = ({ model: { manifest } }: InferenceChild) => ({
    version: manifest.version,
    digest: manifest.digest,
  });
  const order = {
    revision: 1,
    model: 'base-ad-detector',
    serve: 'production',
    rollout: 'r',
    ask: 'disagreements',
    draws: { perWeek: null, answerHours: 24 },
  };
  return {
    desired: desired.parse({ ...order, production: ref(production), candidate: ref(candidate) }),
    production,
    candidate,
  };
}

/** A pipeline with a clock that the test turns, and a source of grey scenes. */
function pipelineOf(pair: Pair, before: LedgerState | null = null, start = T0) {
  const clock = { now: start };
  const ended: EndedEpisode[] = [];
  const labelled: LabelledEpisode[] = [];
  const pipeline = new Pipeline({
    labelSeconds: 600,
    windowSeconds: 3600,
    canAsk: true,
    before,
    onEvent: () => undefined,
    onEpisode: (episode) => ended.push(episode),
    onFailure: async (role, _, reason) => assert.fail(`${role}: ${reason}`),
    onServed: () => undefined,
    onLabelled: (episode) => labelled.push(episode),
    uniform: () => 0.5,
    now: () => clock.now,
  });
  pipeline.install(pair);
  let time = 0;
  const show = async (level: number) => {
    time += 0.5;
    const pixels = new Uint8Array(TINY_SIZE * TINY_SIZE * 3).fill(level);
    await pipeline.process({ index: time * 2, time, pixels }, 0, { width: TINY_SIZE, height: TINY_SIZE });
  };
  /** A scene of six frames and the black after it; ends at this hour of the clock. */
  const scene = async (hour: number, level = 190): Promise<number> => {
    clock.now = T0 + hour * HOUR;
    for (let i = 0; i < 6; i++) await show(level);
    await show(0);
    return ended.at(-1)?.id ?? 0;
  };
  const closeAt = (hour: number) => {
    clock.now = T0 + hour * HOUR;
    return pipeline.closeWindow();
  };
  return { pipeline, clock, ended, labelled, scene, closeAt };
}
const order = (pair: Pair, change: Partial<Desired>): Pair => ({
  ...pair,
  desired: { ...pair.desired, ...change },
});

test('a window has the borders of the hour, and what is labelled does not count before the rest', async (t) => {
  const { pipeline, scene, closeAt } = pipelineOf(await pairOf(t), null, T0 + 17 * MINUTE);
  const first = await scene(0.3);
  await scene(0.35);
  assert.ok(pipeline.label(first, 'ad'));
  const hasty = await scene(0.9);
  assert.ok(pipeline.label(hasty, 'ad'));
  assert.deepEqual(closeAt(0.95), [], 'only the clock ends a window');
  const [report, ...others] = closeAt(1.0001);
  assert.deepEqual(
    [report?.episodes, report?.labelled.episodes, others.length],
    [2, 1, 0],
    'the third is due at 11:04, label or not',
  );
  assert.deepEqual([report?.start, report?.end], [iso(0), iso(1)]);
  assert.deepEqual([report?.draws, report?.waiting], [{ rate: 1, drawn: 2, wins: 1, losses: 0 }, 1]);
  const [next] = closeAt(2);
  assert.deepEqual([next?.episodes, next?.draws], [1, { rate: 1, drawn: 1, wins: 1, losses: 0 }]);
  const [off] = closeAt(3);
  assert.deepEqual(
    [off?.start, off?.frames, off?.episodes],
    [iso(2), 0, 0],
    'a set that is off is no device that is dead',
  );
});

test('a draw can be seen and answered for hours, with its pictures and without what the models say', async (t) => {
  const pair = await pairOf(t);
  const { pipeline, scene, closeAt, labelled, ended } = pipelineOf(pair);
  const old = await scene(0);
  assert.deepEqual([ended[0]?.asked, ended[0]?.production, ended[0]?.candidate], [true, null, null]);
  for (let i = 0; i < 30; i++) await scene(1.5 + i / 100);
  closeAt(2);
  closeAt(5);
  assert.ok(
    pipeline.view.recent.every(({ id }) => id !== old),
    'it is not among the last ones any more',
  );
  assert.deepEqual(
    [pipeline.view.asked[0]?.id, pipeline.view.asked.length, pipeline.view.askedCount],
    [old, 20, 31],
  );
  assert.equal(pipeline.picture(old, 2)?.pixels[0], 190);
  assert.ok(pipeline.label(old, 'ad'));
  assert.deepEqual(
    [labelled.length, labelled[0]?.frames.length, pipeline.picture(old, 0)],
    [1, 3, null],
    'its frames go to the reservoir, once',
  );
  assert.equal(pipeline.label(old, 'content'), false);
  assert.deepEqual(closeAt(6)[0]?.answers, [{ start: iso(0), wins: 1, losses: 0 }]);
  pipeline.order({ ...pair.desired, revision: 2, ask: null });
  assert.deepEqual(
    [pipeline.view.askedCount, pipeline.view.asked],
    [0, []],
    'nobody is asked what nobody waits for',
  );
  const seen = pipeline.view.recent[0];
  assert.ok(
    seen?.candidate != null && seen.candidate > 0.5 && seen.production !== null && seen.production < 0.5,
  );
  pipeline.order(pair.desired);
  assert.equal(pipeline.view.askedCount, 0, 'an older order than the last one says nothing');
});

test('the pictures of more questions than memory holds go, oldest first; the questions stay', async (t) => {
  const { pipeline, scene } = pipelineOf(await pairOf(t));
  const ids: number[] = [];
  for (let i = 0; i < 45; i++) ids.push(await scene(i / 1000));
  const { askedCount, asked, recent } = pipeline.view;
  assert.deepEqual(
    [askedCount, asked[0]?.id, asked[0]?.pictures],
    [45, ids[5], 3],
    'those that can be seen come first',
  );
  assert.equal(recent.length, 20);
  assert.equal(pipeline.picture(ids[0] ?? 0, 0), null);
  assert.ok(pipeline.label(ids[0] ?? 0, 'content'));
});

test('an answer for a pairing that is gone makes a report of that pairing; the rollout after it is not asked about', async (t) => {
  const pair = await pairOf(t);
  const { pipeline, scene, closeAt } = pipelineOf(pair);
  const one = await scene(0);
  const two = await scene(0.1);
  closeAt(1);
  pipeline.install(order(pair, { revision: 2, serve: 'candidate' }));
  assert.equal(pipeline.view.askedCount, 2, 'the same rollout');
  assert.ok(pipeline.label(one, 'content'));
  const reports = closeAt(2);
  assert.deepEqual(
    reports.map(({ serving, answers, waiting }) => [serving, answers, waiting]),
    [
      ['production', [{ start: iso(0), wins: 0, losses: 1 }], 1],
      ['candidate', [], 1],
    ],
  );
  pipeline.install(order(pair, { revision: 3, rollout: 'another' }));
  assert.deepEqual(
    [pipeline.view.askedCount, pipeline.label(two, 'ad')],
    [0, true],
    'whoever answers all the same is heard',
  );
});

test('after a restart the window goes on, the draws wait, and no episode has the name of an older one', async (t) => {
  const pair = await pairOf(t);
  const first = pipelineOf(pair);
  const old = await first.scene(0);
  await first.scene(0.5);
  first.closeAt(0.6);
  assert.ok(first.pipeline.label(old, 'ad'));
  const second = pipelineOf(pair, JSON.parse(JSON.stringify(first.pipeline.evidence)), T0 + 0.8 * HOUR);
  assert.ok((await second.scene(0.82)) > old + 1);
  const [report] = second.closeAt(1);
  assert.deepEqual(
    [report?.start, report?.episodes, report?.draws?.drawn, report?.frames],
    [iso(0), 3, 3, 21],
  );
  assert.deepEqual(
    second.closeAt(2)[0]?.answers,
    [{ start: iso(0), wins: 1, losses: 0 }],
    'what was answered before the stop',
  );
  assert.deepEqual(
    second.pipeline.view.asked.map(({ pictures }) => pictures),
    [3, 0],
    'what waits is asked again; its pictures were in memory only',
  );
});

test('a model that brings its own decision is decided by it, another one by the usual one', async (t) => {
  const cautious = { threshold: 0.5, meanSeconds: 60, clamp: 0.52, enter: 0.99, leave: 0.01 };
  for (const [decision, label] of [
    [undefined, 'ad'],
    [cautious, 'content'],
  ] as const) {
    const { pipeline, scene } = pipelineOf(await pairOf(t, decision));
    await scene(0, 30);
    assert.equal(pipeline.view.label, label);
  }
});
