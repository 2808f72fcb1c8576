import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Desired, ModelRef } from '@adbreak/shared/contract/messages.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { TINY_SIZE, tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Lineup } from './lineup.js';
import { ModelStore } from './models/fetch.js';
import { SlotStore } from './models/slot-store.js';
import { EMPTY_SLOTS, type SlotState } from './models/slots.js';
import { Pipeline } from './pipeline.js';

/** A hub is not needed for models that are on disk. */
const NOBODY = { device: 'pi', key: '', certificate: '', authority: '', mqtt: '', root: '' };
const VERSIONS = ['1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0'];
const SIZE = { width: TINY_SIZE, height: TINY_SIZE };
const PIXELS = new Uint8Array(TINY_SIZE * TINY_SIZE * 3).fill(90);

/** Models, slots, children and frames as on a Pi, 200 frames a second. */
async function device(
  t: TestContext,
  {
    slots = () => ({}),
    watches = true,
  }: { slots?: (model: (version: string) => ModelRef) => Partial<SlotState>; watches?: boolean } = {},
) {
  const folder = await temporaryFolder();
  const models: Record<string, ModelRef> = {};
  for (const version of VERSIONS) {
    const { file, manifest } = tinyRelease(version);
    models[version] = { version, digest: manifest.digest };
    await mkdir(join(folder, manifest.digest));
    await writeFile(join(folder, manifest.digest, 'model.tflite'), file);
    await writeFile(join(folder, manifest.digest, 'manifest.json'), JSON.stringify(manifest));
  }
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  const store = await SlotStore.open(folder, log);
  const model = (version: string) => models[version] ?? assert.fail(version);
  await store.change(() => ({ ...EMPTY_SLOTS, ...slots(model) }));
  const pipeline: Pipeline = new Pipeline({
    windowSeconds: 3600,
    canAsk: false,
    before: null,
    labelSeconds: 0,
    onEvent: () => undefined,
    onEpisode: () => undefined,
    onFailure: async (role, child, reason) => lineup.replace(role, child, reason),
    onServed: () => lineup.served(),
    onLabelled: () => undefined,
    uniform: () => 0,
    now: () => 0,
  });
  const lineup: Lineup = new Lineup({
    models: new ModelStore(folder, NOBODY, 'https://127.0.0.1:1'),
    slots: store,
    pipeline,
    threads: 1,
    runtime: 'auto',
    desiredPath: join(folder, 'desired.json'),
    log,
    uniform: () => 0,
    onEvent: async () => undefined,
    onFault: (error) => (error === null ? undefined : log(String(error))),
    onChange: async () => undefined,
  });
  const stop = new AbortController();
  const feeding = (async () => {
    for (let index = 0; watches && !stop.signal.aborted; index++) {
      await pipeline.process({ index, time: index / 200, pixels: PIXELS }, 0, SIZE);
      await sleep(5);
    }
  })();
  t.after(async () => {
    stop.abort();
    await Promise.all([feeding, lineup[Symbol.asyncDispose]()]);
  });
  const desired = (revision: number, production: string, candidate: string | null): Desired => ({
    revision,
    model: 'base-ad-detector',
    production: model(production),
    candidate: candidate === null ? null : model(candidate),
    serve: 'production',
    rollout: null,
    evaluation: null,
    ask: null,
    draws: { perWeek: null, answerHours: 24 },
  });
  const onDisk = async () => {
    const names = await readdir(folder);
    return VERSIONS.filter((version) => names.includes(model(version).digest));
  };
  return { lineup, pipeline, desired, model, onDisk, store, said, folder };
}

test('children that are killed at any moment under 200 frames a second are replaced, twenty times', async (t) => {
  const SEED = 20;
  t.diagnostic(`seed ${SEED}`);
  const { integer } = seeded(SEED);
  const { lineup, pipeline, desired } = await device(t);
  for (let round = 1; round <= 10; round++) {
    // A new revision forgets the crashes before it, which would make the pauses longer each time.
    lineup.want(desired(round, '1.0.0', '2.0.0'));
    await until(`revision ${round}`, () => pipeline.pair?.desired.revision === round, 60);
    const { pair } = pipeline;
    await sleep(integer(50));
    process.kill(pair?.production.pid ?? 0, 'SIGKILL');
    await sleep(integer(5));
    process.kill(pair?.candidate?.pid ?? 0, 'SIGKILL');
    const replaced = (role: 'production' | 'candidate') =>
      pipeline.pair?.[role] !== pair?.[role] && pipeline.pair?.[role]?.alive === true;
    await until(`both replaced in round ${round}`, () => replaced('production') && replaced('candidate'), 60);
  }
});

test('a model on trial that cannot be fetched is not blamed for it: production acts, nothing is quarantined, and it is tried when it is there', {
  timeout: 90_000,
}, async (t) => {
  const { lineup, pipeline, desired, model, store, said, folder } = await device(t, {
    slots: (of) => ({ confirmed: of('1.0.0'), trial: { model: of('2.0.0'), starts: 1 } }),
  });
  const { digest } = model('2.0.0');
  await rename(join(folder, digest), join(folder, 'away'));
  lineup.want({ ...desired(1, '1.0.0', '2.0.0'), serve: 'candidate' });
  await until('production acts alone', () => pipeline.pair !== null && pipeline.pair.candidate === null, 60);
  await until('it is said', () => /Cannot take base-ad-detector 2\.0\.0/.test(said.join()), 60);
  assert.deepEqual([store.state.quarantined, store.state.trial], [[], null]);
  await rename(join(folder, 'away'), join(folder, digest));
  await until('2.0.0 is confirmed', () => store.state.confirmed?.version === '2.0.0', 60);
  assert.deepEqual(store.state.quarantined, []);
});

test('a signed word with a lower number is followed: it is the first of a key that took the place of a stolen one; a plain one is not', async (t) => {
  const { lineup, pipeline, desired } = await device(t);
  lineup.want(desired(1_000_000, '1.0.0', null), { signed: true });
  await until('the thief is followed', () => pipeline.pair?.desired.revision === 1_000_000, 60);
  lineup.want(desired(40, '2.0.0', null));
  lineup.want(desired(41, '2.0.0', null), { signed: true });
  await until('the hub is', () => pipeline.pair?.desired.revision === 41, 60);
  assert.equal(pipeline.pair?.production.model.manifest.version, '2.0.0');
});

test('models that nothing names any more are deleted once nothing is on trial; the way back stays', async (t) => {
  const { lineup, pipeline, desired, model, onDisk, store, said } = await device(t);
  lineup.want(desired(1, '1.0.0', '2.0.0'));
  await until('1.0.0 is confirmed', () => store.state.confirmed?.version === '1.0.0', 60);
  await until('others are gone', async () => (await onDisk()).join() === '1.0.0,2.0.0', 60);
  assert.match(said.join('\n'), new RegExp(`${model('5.0.0').digest.slice(0, 12)} is needed no more`));

  // The candidate becomes production: what it replaced is the way back.
  lineup.want(desired(2, '2.0.0', null));
  await until('2.0.0 is confirmed', () => store.state.confirmed?.version === '2.0.0', 60);
  await until('2.0.0 serves', () => pipeline.pair?.production.model.manifest.version === '2.0.0', 60);
  await sleep(300);
  assert.deepEqual(await onDisk(), ['1.0.0', '2.0.0']);
});

/** What the slots were, one after the other. */
function watched(store: SlotStore): SlotState[] {
  const states: SlotState[] = [];
  const change = store.change.bind(store);
  store.change = async (edit) => {
    const state = await change(edit);
    states.push(state);
    return state;
  };
  return states;
}
const onTrial = (starts: number) => (model: (version: string) => ModelRef) => ({
  confirmed: model('1.0.0'),
  trial: { model: model('2.0.0'), starts },
});

test('a start of a trial is counted on the disk before the model is loaded, also where loading it fails', async (t) => {
  const { lineup, pipeline, desired, model, store, said, folder } = await device(t, {
    slots: onTrial(1),
    watches: false,
  });
  const states = watched(store);
  // A probe that fails stands for one that takes the agent with it: what is counted by then is on the disk.
  const path = join(folder, model('2.0.0').digest, 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...manifest, golden: [0, 1].map((ad) => ({ pattern: 0, ad })) }));
  lineup.want({ ...desired(1, '1.0.0', '2.0.0'), serve: 'candidate' });
  await until('production acts alone', () => pipeline.pair !== null, 60);
  assert.match(said.join('\n'), /Cannot run base-ad-detector 2\.0\.0: test pattern 0 gives/);
  assert.deepEqual(states[0]?.trial, { model: model('2.0.0'), starts: 2 });
});

test('an agent counts one start of a trial, however often it adopts; the third agent does not load it', async (t) => {
  const first = await device(t, { slots: onTrial(1), watches: false });
  const trial = () => first.store.state.trial?.starts;
  for (const revision of [1, 2, 3]) {
    first.lineup.want({ ...first.desired(revision, '1.0.0', '2.0.0'), serve: 'candidate' });
    await sleep(revision * 40);
  }
  await until('revision 3', () => first.pipeline.pair?.desired.revision === 3, 60);
  assert.equal(trial(), 2);
  const third = await device(t, { slots: onTrial(2), watches: false });
  third.lineup.want({ ...third.desired(1, '1.0.0', '2.0.0'), serve: 'candidate' });
  await until('production acts alone', () => third.pipeline.pair !== null, 60);
  assert.equal(third.pipeline.pair?.candidate, null);
  assert.match(third.said.join('\n'), /2\.0\.0: it was started 2 times without being confirmed/);
  assert.deepEqual(third.store.state.quarantined, [third.model('2.0.0').digest]);
});

test('while a model is on trial nothing is deleted', async (t) => {
  const { lineup, pipeline, desired, onDisk, store } = await device(t, { watches: false });
  lineup.want(desired(1, '1.0.0', null));
  await until('1.0.0 acts', () => pipeline.pair !== null, 60);
  await sleep(300);
  assert.equal(store.state.trial?.model.version, '1.0.0');
  assert.deepEqual(await onDisk(), VERSIONS);
});

test('what the slots and a federated round name stays', async (t) => {
  const slots = (model: (version: string) => ModelRef) => ({
    confirmed: model('1.0.0'),
    previous: model('5.0.0'),
  });
  const { lineup, desired, model, onDisk } = await device(t, { slots });
  const evaluation = {
    round: 'round-1',
    production: model('3.0.0'),
    candidate: model('4.0.0'),
    deadline: '2030-01-01T00:00:00.000Z',
    secure: false,
    epsilon: null,
  };
  lineup.want({ ...desired(1, '1.0.0', null), evaluation });
  await until('2.0.0 is gone', async () => !(await onDisk()).includes('2.0.0'), 60);
  await sleep(300);
  assert.deepEqual(await onDisk(), ['1.0.0', '3.0.0', '4.0.0', '5.0.0']);
});

test('a newer revision does not wait for the pause of one that cannot be adopted', async (t) => {
  const { lineup, pipeline, desired, said } = await device(t, { watches: false });
  const missing = { version: '9.9.9', digest: '9'.repeat(64) };
  lineup.want({ ...desired(1, '1.0.0', null), production: missing });
  await until(
    'the fault is told',
    () => said.some((line) => line.includes('Cannot take base-ad-detector 9.9.9')),
    20,
  );
  lineup.want(desired(2, '1.0.0', null));
  // The pause alone takes five seconds.
  await until('revision 2', () => pipeline.pair?.desired.revision === 2, 4);
});

test('a revision that was superseded on its way is neither at work nor remembered', async (t) => {
  const { lineup, pipeline, desired, folder } = await device(t, { watches: false });
  for (const revision of [1, 2, 3, 4, 5, 6]) {
    lineup.want(desired(revision, '1.0.0', revision % 2 === 0 ? '2.0.0' : '3.0.0'));
    await sleep(60);
    const stored = await readFile(join(folder, 'desired.json'), 'utf8').catch(() => null);
    assert.ok(stored === null || JSON.parse(stored).revision === pipeline.pair?.desired.revision);
  }
  await until('the newest', () => pipeline.pair?.desired.revision === 6, 60);
  await until(
    'the newest is remembered',
    // It is written after it is at work.
    async () =>
      (await readFile(join(folder, 'desired.json'), 'utf8').catch(() => '')).includes('"revision":6'),
    60,
  );
  assert.ok(pipeline.pair?.production.alive && pipeline.pair.candidate?.alive);
});
