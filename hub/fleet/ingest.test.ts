import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Evaluations } from '../evaluations/evaluations.js';
import { Executor } from '../rollouts/executor.js';
import { DEMO_PLAN, report } from '../rollouts/fixtures.js';
import { RolloutLog } from '../rollouts/log.js';
import { replay } from '../rollouts/replay.js';
import type { Rollout } from '../rollouts/rollout.js';
import { hubState } from '../store/state.js';
import { LowdbStore } from '../store/store.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { Intake } from './ingest.js';

const NOW = new Date('2026-01-03T00:00:00.000Z');
const DEVICES = ['pi-0', 'pi-1', 'pi-2'];

/** Everything that devices' messages go through, over a real folder; without broker and HTTP. */
async function hub(t: TestContext, folder: string) {
  const store = await LowdbStore.open(folder, () => NOW);
  const log = new RolloutLog(join(folder, 'rollouts'));
  const executor: Executor = new Executor({
    store,
    log,
    now: () => NOW,
    publishDesired: async () => undefined,
    onDecision: () => undefined,
    startRound: (rollout) => evaluations.startFor(rollout),
    complain: (line) => t.diagnostic(line),
  });
  const evaluations = new Evaluations({
    store,
    now: () => NOW,
    log: () => undefined,
    assign: (model) => executor.assign(model),
    onClosed: (rollout, outcome) => executor.roundClosed(rollout, outcome),
  });
  const intake = new Intake({ store, executor, evaluations, now: () => NOW, log: () => undefined, onEvent: () => undefined, present: () => true });
  await executor.catchUp();
  return { store, log, executor, evaluations, intake };
}
type Hub = Awaited<ReturnType<typeof hub>>;

async function begin({ store, executor }: Hub): Promise<string> {
  await store.change((state) => {
    for (const id of DEVICES) state.devices[id] = deviceEntry(id, 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  return (await executor.promote({ model: MODEL, version: '2.0.0', percent: 100, plan: DEMO_PLAN, who: 'test' }))?.id ?? '';
}
const digest = (version: string) => (version[0] ?? '0').repeat(64);
const windowOf = (rollout: string, sequence: number, change: Partial<WindowReport> = {}) =>
  report(sequence, sequence % 40, { wins: 1, losses: 1, agreed: 8 }, { rollout, production: digest('1'), candidate: digest('2'), ...change });
const send = ({ intake }: Hub, device: string, message: unknown) => intake.take(device, 'windows', Buffer.from(JSON.stringify(message)));
/** Reports of an hour each that were added up, once each. */
const counted = ({ evidence }: Pick<Rollout, 'evidence'>) => evidence.devices['pi-0']?.health.own.hours;
const onDisk = async (folder: string) => hubState.parse(JSON.parse(await readFile(join(folder, 'hub.json'), 'utf8')));

test('a window that comes twice at once is acknowledged twice, both after it is on disk, and counts once', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  const sequences: (number | undefined)[] = [];
  for (let n = 1; n <= 15; n++) {
    const look = async () => void sequences.push((await onDisk(folder)).devices['pi-0']?.sequence);
    await Promise.all([send(one, 'pi-0', windowOf(id, n)).then(look), send(one, 'pi-0', windowOf(id, n)).then(look)]);
    assert.deepEqual(sequences.splice(0), [n, n]);
  }
  assert.equal(counted(one.executor.find(id)), 15);
});

test('on a full disk nothing is acknowledged, later windows of the session neither; with room again each counts once', async (t) => {
  const folder = await smallVolume(t, 400);
  const one = await hub(t, folder);
  const id = await begin(one);
  await send(one, 'pi-0', windowOf(id, 1));
  for (let size = 300_000; size > 100; size = Math.floor(size / 2))
    await writeFile(join(folder, 'ballast'), Buffer.alloc(size), { flag: 'a' }).catch(() => undefined);
  const outcomes = await Promise.allSettled(
    [2, 2, 3, 4, 4].map((n) => send(one, 'pi-0', windowOf(id, n, { slice: { channel: 'x'.repeat(60), site: 'y', hardware: 'z' } }))),
  );
  await Promise.allSettled(
    Array.from({ length: 40 }, () => one.executor.order(id, 'pause', 'test', 'p'.repeat(500)).then(() => one.executor.order(id, 'resume', 'test', 'r'))),
  );
  assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(['rejected']));
  await rm(join(folder, 'ballast'));
  one.intake.connected('pi-0');
  for (const n of [2, 3, 4]) await send(one, 'pi-0', windowOf(id, n));
  const { evidence } = one.executor.find(id);
  assert.deepEqual([counted({ evidence }), one.store.state.devices['pi-0']?.missingWindows], [4, 0]);
  const again = await hub(t, folder);
  assert.deepEqual(JSON.parse(JSON.stringify(again.executor.find(id).evidence)), JSON.parse(JSON.stringify(evidence)));
  assert.equal((await replay(again.log.read(id, 0), null)).firstDifference, null);
});

test('a decision whose state was not written is taken from the log, with its effects; a log without its decision is completed', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  const before = await readFile(join(folder, 'hub.json'));
  await send(one, 'pi-0', windowOf(id, 1));
  await one.executor.order(id, 'force', 'test', 'go');
  for (let stage = 1; one.executor.find(id).status === 'running' && stage < 12; stage++) await one.executor.order(id, 'force', 'test', 'go');
  const expected = one.executor.find(id);
  const { production } = one.store.state.models[MODEL] ?? { production: null };
  assert.equal(production, '2.0.0');
  // As a kill leaves it: everything in the log, its last line not, nothing of it in the state.
  await writeFile(join(folder, 'hub.json'), before);
  const log = await readFile(one.log.path(id), 'utf8');
  const lines = log.trimEnd().split('\n');
  const last = lines.findLastIndex((line) => line.startsWith('{"kind":"decision"'));
  await writeFile(one.log.path(id), `${lines.slice(0, last).join('\n')}\n{"kind":"deci`);
  const again = await hub(t, folder);
  assert.deepEqual([again.executor.find(id).status, again.store.state.models[MODEL]?.production], [expected.status, '2.0.0']);
  assert.equal(counted(again.executor.find(id)), 1);
  await again.executor.recover();
  const replayed = await replay(again.log.read(id, 0), null);
  assert.deepEqual([replayed.firstDifference, replayed.decisions.length], [null, replayed.recorded.length]);
});

test('a rollout whose look throws leaves the others their looks', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  await one.store.change((state) => {
    const [rollout] = state.rollouts;
    assert.ok(rollout !== undefined);
    state.rollouts.unshift({
      ...structuredClone(rollout),
      id: 'broken',
      plan: { ...rollout.plan, stages: [] },
      group: null,
      stageSince: 'never',
      evidence: { ...structuredClone(rollout.evidence), devices: JSON.parse('{"x":null}') },
    });
  });
  for (const device of DEVICES) await send(one, device, windowOf(id, 1));
  await one.executor.tick();
  assert.notEqual(one.executor.find(id).last, null);
});

/** Messages that fit their schema and mean harm. */
function hostile(random: Random, rollout: string, round: string): { kind: 'windows' | 'evaluations' | 'reported' | 'status'; message: unknown } {
  const pick = <T>(values: readonly [T, ...T[]]): T => values[random.integer(values.length)] ?? values[0];
  const count = () => pick([0, 1, 7, 1e9, 1e9 + 1, Number.MAX_SAFE_INTEGER, 2 ** 53, -1]);
  const episodes = pick([0, 3, 1e9]);
  const at = pick(['2026-01-02T00:00:00Z', '2026-01-02T23:00:00.000Z', '0000-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '2026-01-02T12:00:00.123456789Z']);
  const text = pick(['one', '__proto__', 'constructor', '\u0000', '\ud800', 'x'.repeat(60)]);
  const bins = episodes === 0 ? [] : [[pick([0, 255]), episodes]];
  const at256 = bins[0]?.[0] ?? 0;
  const histogram = { bins, sum: ((at256 + 0.5) * episodes) / 256 };
  const vote = at256 >= 128 ? 1 : 0;
  const joint =
    vote === 1
      ? [
          [0, 0],
          [0, episodes],
        ]
      : [
          [episodes, 0],
          [0, 0],
        ];
  const slice = { channel: text, site: text, hardware: text };
  const latency = pick([[], Array.from({ length: 64 }, () => [3, 1e9]), Array.from({ length: 64 }, (_, i) => [i, 1e9])]);
  const ref = (letter: string) => ({ version: '1.0.0', digest: letter.repeat(64) });
  switch (pick(['windows', 'windows', 'windows', 'evaluations', 'reported', 'status'])) {
    case 'windows':
      return {
        kind: 'windows',
        message: {
          ...report(pick([random.integer(1e6) + 1, random.integer(1e6) + 1, 2 ** 45]), 0, {}),
          rollout,
          production: pick([digest('1'), digest('1'), random.integer(1e9).toString(16).padStart(64, '0')]),
          candidate: digest('2'),
          start: at,
          end: pick([at, '2026-01-03T00:00:00Z']),
          slice,
          episodes,
          histograms: { production: histogram, candidate: histogram },
          joint,
          latency: { production: latency, candidate: latency },
          restarts: count(),
          downloadFailures: count(),
          memoryMb: count(),
          serving: pick(['production', 'candidate']),
        },
      };
    case 'evaluations': {
      const n = count();
      return {
        kind: 'evaluations',
        message: {
          round,
          production: digest('1'),
          candidate: digest('2'),
          sources: { operator: 0, button: n, rule: 0 },
          ageHours: null,
          counts: { episodes: n, productionRight: count(), candidateRight: count(), wins: count(), losses: count() },
          slice,
          epsilonSpent: 0,
          at,
        },
      };
    }
    case 'reported':
      return {
        kind: 'reported',
        message: {
          revision: Number.MAX_SAFE_INTEGER,
          serving: ref('1'),
          shadow: null,
          slot: 'trial',
          problem: { code: pick(['disk_full', 'model_corrupt', 'constructor']), message: text },
          source: 'lost',
          statusPage: text,
          at,
        },
      };
    default:
      return { kind: 'status', message: { online: true, agent: text.slice(0, 40), at } };
  }
}

test('whatever devices say, what is kept can be read at the next start', { timeout: 120_000 }, async (t) => {
  const seed = `hostile ${Date.now()}`;
  t.diagnostic(`seed: ${seed}`);
  const random = seeded(seed);
  const folder = await temporaryFolder();
  let one = await hub(t, folder);
  const id = await begin(one);
  const start = () =>
    one.evaluations.start({ model: MODEL, candidate: '2.0.0', quorum: 2, hours: 1, minDevices: 2, secure: false, epsilon: 1, who: 'test', rollout: null });
  for (let restart = 0; restart < 4; restart++) {
    const { id: round } = await start();
    for (let batch = 0; batch < 25; batch++) {
      await Promise.all(
        Array.from({ length: 20 }, () => {
          const { kind, message } = hostile(random, id, round);
          return one.intake.take(DEVICES[random.integer(3)] ?? '', kind, Buffer.from(JSON.stringify(message)));
        }),
      );
      await one.executor.tick();
    }
    await one.evaluations.cancel(round, 'test');
    await one.store.close();
    const was = JSON.parse(JSON.stringify(one.store.state));
    one = await hub(t, folder);
    assert.deepEqual(JSON.parse(JSON.stringify(one.store.state)), was);
  }
  assert.ok(
    Object.keys(one.store.state.hours).every((known) => [digest('1'), digest('2')].includes(known)),
    'no model that is not registered',
  );
  assert.equal((await replay(one.log.read(id, 0), null)).firstDifference, null);
});

test('sums that are nearly full take no more, and the hub still opens', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  await send(one, 'pi-0', windowOf(id, 1));
  await one.store.change(() => {
    one.executor.find(id).evidence.latency.production[12] = 2 ** 45;
  });
  for (let n = 2; n < 50; n++) await send(one, 'pi-0', windowOf(id, n, { latency: { production: [[12, 1e9]], candidate: [] } }));
  assert.deepEqual([counted(one.executor.find(id)), one.store.state.devices['pi-0']?.refusedReports], [1, 48]);
  await one.store.close();
  await LowdbStore.open(folder, () => NOW);
});
