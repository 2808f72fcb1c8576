import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Evaluations } from '../evaluations/evaluations.js';
import { DEMO_PLAN, report } from '../rollouts/fixtures.js';
import { Executor } from '../rollouts/lifecycle/executor.js';
import { RolloutLog } from '../rollouts/log/log.js';
import { replay } from '../rollouts/log/replay.js';
import type { Rollout } from '../rollouts/rollout.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { episodesOfHours, fillSums, holdDatabase, storedState } from '../testing/store.js';
import { excess } from './bounds.js';
import { Intake } from './ingest.js';

const NOW = new Date('2026-01-03T00:00:00.000Z');
const DEVICES = ['pi-0', 'pi-1', 'pi-2'];

/** Everything that devices' messages go through, over a real folder; without broker and HTTP. */
async function hub(t: TestContext, folder: string, clock = { now: NOW }) {
  const lines: string[] = [];
  const store = await openStore(folder, () => clock.now, { say: (line) => lines.push(line) });
  const log = new RolloutLog(store);
  const executor: Executor = new Executor({
    store,
    now: () => clock.now,
    publishDesired: async () => undefined,
    onDecision: () => undefined,
    startRound: (rollout) => evaluations.startFor(rollout),
    complain: (line) => {
      lines.push(line);
      t.diagnostic(line);
    },
  });
  const evaluations = new Evaluations({
    store,
    now: () => clock.now,
    log: () => undefined,
    assign: (model) => executor.assign(model),
    onClosed: (rollout, outcome) => executor.roundClosed(rollout, outcome),
  });
  const intake = new Intake({
    store,
    executor,
    evaluations,
    now: () => clock.now,
    log: (line) => lines.push(line),
    onEvent: () => undefined,
    present: () => true,
    barred: () => false,
    tell: async () => undefined,
  });
  await executor.recover();
  return { store, log, executor, evaluations, intake, lines };
}
type Hub = Awaited<ReturnType<typeof hub>>;

async function begin({ store, executor }: Hub): Promise<string> {
  await store.change((state) => {
    for (const id of DEVICES) state.devices[id] = deviceEntry(id, 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  return (
    (await executor.promote({ model: MODEL, version: '2.0.0', percent: 100, plan: DEMO_PLAN, who: 'test' }))
      ?.id ?? ''
  );
}
const digest = (version: string) => (version[0] ?? '0').repeat(64);
const windowOf = (rollout: string, sequence: number, change: Partial<WindowReport> = {}) =>
  report(
    sequence,
    sequence % 40,
    { wins: 1, losses: 1, agreed: 8 },
    { rollout, production: digest('1'), candidate: digest('2'), ...change },
  );
const send = ({ intake }: Hub, device: string, message: unknown) =>
  intake.take(device, 'windows', Buffer.from(JSON.stringify(message)));
/** Reports of an hour each that were added up, once each. */
const counted = ({ evidence }: Pick<Rollout, 'evidence'>) => evidence.devices['pi-0']?.health.own.hours;
const onDisk = storedState;

test('finding 2: a window that comes twice at once is acknowledged twice, both after it is on disk, and counts once', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  const sequences: (number | undefined)[] = [];
  for (let n = 1; n <= 15; n++) {
    const look = async () => void sequences.push((await onDisk(folder)).devices['pi-0']?.sequence);
    await Promise.all([
      send(one, 'pi-0', windowOf(id, n)).then(look),
      send(one, 'pi-0', windowOf(id, n)).then(look),
    ]);
    assert.deepEqual(sequences.splice(0), [n, n]);
  }
  assert.equal(counted(one.executor.find(id)), 15);
});

test('a new card under an old name is heard from its first window, though the hub was killed right after its enrolment', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  for (let n = 1; n <= 5; n++) await send(one, 'pi-0', windowOf(id, n));
  // The enrolment as it is written to the disk; what comes after it does not happen.
  await one.store.change(({ devices }) => {
    devices['pi-0'] = deviceEntry('pi-0', 'one', {
      desired: devices['pi-0']?.desired ?? null,
      enrolledAnew: true,
    });
  });
  const again = await hub(t, folder);
  for (let n = 1; n <= 3; n++) await send(again, 'pi-0', windowOf(id, n));
  assert.equal(counted(again.executor.find(id)), 8);
  const third = await hub(t, folder);
  await send(third, 'pi-0', windowOf(id, 3));
  assert.equal(counted(third.executor.find(id)), 8, 'begun anew once, not at every start');
  assert.equal((await replay(third.log.read(id), null)).firstDifference, null);
});

test('a window that was under way when a new card was enrolled is not the new card’s, and is not acknowledged', async (t) => {
  const one = await hub(t, await temporaryFolder());
  const id = await begin(one);
  const enrolled = one.store.change(({ devices }) => {
    devices['pi-0'] = deviceEntry('pi-0', 'one', {
      fingerprint: 'a'.repeat(64),
      firstEnrolled: devices['pi-0']?.enrolled ?? '',
      enrolled: NOW.toISOString(),
      enrolledAnew: true,
    });
  });
  const underWay = send(one, 'pi-0', windowOf(id, 500));
  // It is refused in the transaction after the enrolment, which may be written later.
  const refused = assert.rejects(underWay, /a new card was enrolled under this name/);
  await Promise.all([enrolled, refused]);
  await one.executor.enrolledAgain('pi-0');
  one.intake.connected('pi-0');
  await send(one, 'pi-0', windowOf(id, 1));
  assert.deepEqual([counted(one.executor.find(id)), one.store.state.devices['pi-0']?.sequence], [1, 1]);
});

test('an agent that enrols anew and goes on with its numbers has none missing; later gaps are counted', async (t) => {
  const one = await hub(t, await temporaryFolder());
  const id = await begin(one);
  for (const n of [41, 42, 45]) await send(one, 'pi-0', windowOf(id, n));
  assert.equal(one.store.state.devices['pi-0']?.missingWindows, 2);
});

test('a window that ends in the future waits, unacknowledged, until the clocks agree, and both are shown; nothing is lost', async (t) => {
  const clock = { now: new Date('2026-01-01T00:00:00.000Z') };
  const one = await hub(t, await temporaryFolder(), clock);
  const id = await begin(one);
  const device = () => one.store.state.devices['pi-0'];
  for (let connects = 0; connects < 3; connects++) {
    one.intake.connected('pi-0');
    await one.intake.take(
      'pi-0',
      'status',
      Buffer.from(JSON.stringify({ online: true, agent: 'test', at: '2026-01-01T02:00:00.000Z' })),
    );
    const outcomes = await Promise.allSettled([1, 2].map((n) => send(one, 'pi-0', windowOf(id, n))));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
  }
  assert.deepEqual(device()?.clock, { device: '2026-01-01T02:00:00.000Z', hub: '2026-01-01T00:00:00.000Z' });
  assert.equal(
    one.lines.filter((line) => /its clock and the hub's differ/.test(line)).length,
    1,
    one.lines.join('\n'),
  );
  clock.now = new Date('2026-01-01T03:00:00.000Z');
  one.intake.connected('pi-0');
  for (const n of [1, 2]) await send(one, 'pi-0', windowOf(id, n));
  assert.deepEqual(
    [counted(one.executor.find(id)), device()?.refusedReports, device()?.missingWindows, device()?.clock],
    [2, 0, 0, undefined],
  );
});

test('a window of a time when the device’s clock was wrong is refused for good once that is right, and blocks nothing', async (t) => {
  const one = await hub(t, await temporaryFolder());
  const id = await begin(one);
  await one.intake.take(
    'pi-0',
    'status',
    Buffer.from(JSON.stringify({ online: true, agent: 'test', at: NOW.toISOString() })),
  );
  await send(
    one,
    'pi-0',
    windowOf(id, 1, { start: '2027-01-01T00:00:00.000Z', end: '2027-01-01T01:00:00.000Z' }),
  );
  await send(one, 'pi-0', windowOf(id, 2));
  assert.deepEqual([counted(one.executor.find(id)), one.store.state.devices['pi-0']?.refusedReports], [1, 1]);
});

test('after a clock that was a year ahead, a device’s hours count again', async (t) => {
  const clock = { now: new Date('2027-01-01T01:00:00.000Z') };
  const one = await hub(t, await temporaryFolder(), clock);
  const id = await begin(one);
  await send(
    one,
    'pi-0',
    windowOf(id, 1, { start: '2027-01-01T00:00:00.000Z', end: '2027-01-01T01:00:00.000Z' }),
  );
  clock.now = new Date('2026-01-01T03:00:00.000Z');
  const labelled = async () =>
    (await one.store.rollups.labels(digest('1')))?.histogram.reduce((sum, n) => sum + n, 0);
  const before = await labelled();
  for (const n of [1, 2]) await send(one, 'pi-0', { ...windowOf(id, n), sequence: n + 1 });
  assert.deepEqual([before, await labelled()], [10, 30]);
});

test('finding 2: on a full disk nothing is acknowledged, later windows of the session neither; with room again each counts once', async (t) => {
  const folder = await smallVolume(t, 6000);
  const one = await hub(t, folder);
  const id = await begin(one);
  await send(one, 'pi-0', windowOf(id, 1));
  for (let size = 3_000_000; size > 100; size = Math.floor(size / 2))
    await writeFile(join(folder, 'ballast'), Buffer.alloc(size), { flag: 'a' }).catch(() => undefined);
  const outcomes = await Promise.allSettled(
    [2, 2, 3, 4, 4].map((n) =>
      send(one, 'pi-0', windowOf(id, n, { slice: { channel: 'x'.repeat(60), site: 'y', hardware: 'z' } })),
    ),
  );
  await Promise.allSettled(
    Array.from({ length: 40 }, () =>
      one.executor
        .order(id, 'pause', 'test', 'p'.repeat(500))
        .then(() => one.executor.order(id, 'resume', 'test', 'r')),
    ),
  );
  assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(['rejected']));
  await rm(join(folder, 'ballast'));
  one.intake.connected('pi-0');
  for (const n of [2, 3, 4]) await send(one, 'pi-0', windowOf(id, n));
  const { evidence } = one.executor.find(id);
  assert.deepEqual([counted({ evidence }), one.store.state.devices['pi-0']?.missingWindows], [4, 0]);
  const again = await hub(t, folder);
  assert.deepEqual(
    JSON.parse(JSON.stringify(again.executor.find(id).evidence)),
    JSON.parse(JSON.stringify(evidence)),
  );
  assert.equal((await replay(again.log.read(id), null)).firstDifference, null);
});

test('finding 1: a decision whose commit failed has no event and no effect; the same one later has all of them', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  await send(one, 'pi-0', windowOf(id, 1));
  const before = JSON.stringify([one.store.state, one.store.newest(id)]);
  const release = await holdDatabase(folder);
  await assert.rejects(one.executor.order(id, 'force', 'test', 'go'), /another program holds it/);
  await assert.rejects(send(one, 'pi-0', windowOf(id, 2)), /another program holds it/);
  assert.equal(JSON.stringify([one.store.state, one.store.newest(id)]), before);
  await release();
  one.intake.connected('pi-0');
  await send(one, 'pi-0', windowOf(id, 2));
  for (let stage = 0; one.executor.find(id).status === 'running' && stage < 12; stage++)
    await one.executor.order(id, 'force', 'test', 'go');
  const expected = one.executor.find(id);
  // As a kill leaves it: nothing was closed.
  const again = await hub(t, folder);
  assert.deepEqual(
    [again.executor.find(id).status, again.store.state.models[MODEL]?.production],
    [expected.status, '2.0.0'],
  );
  assert.equal(counted(again.executor.find(id)), 2);
  const replayed = await replay(again.log.read(id), null);
  assert.deepEqual([replayed.firstDifference, replayed.decisions.length], [null, replayed.recorded.length]);
});

test('a window that came while the database was out of reach is no refused one: it is not acknowledged, and taken when it comes again', async (t) => {
  const one = await hub(t, await temporaryFolder());
  const id = await begin(one);
  const gone = () => Promise.reject(new AdbreakError('store_unreachable', 'the server is gone'));
  t.mock.method(one.store, 'change', gone, { times: 1 });
  await assert.rejects(send(one, 'pi-0', windowOf(id, 1)), { code: 'store_unreachable' });
  await assert.rejects(send(one, 'pi-0', windowOf(id, 2)), /one before it is not stored/);
  one.intake.connected('pi-0');
  for (const sequence of [1, 2]) await send(one, 'pi-0', windowOf(id, sequence));
  assert.deepEqual([counted(one.executor.find(id)), one.store.state.devices['pi-0']?.refusedReports], [2, 0]);
});

test("a candidate is blamed for its own faults alone: not for production's, and not for a full card", async (t) => {
  const one = await hub(t, await temporaryFolder());
  const id = await begin(one);
  const [production, candidate] = ['1', '2'].map((version) => ({
    version: `${version}.0.0`,
    digest: digest(version),
  }));
  const blamed = async (code: string, model?: string, serving: typeof production | null = production) => {
    const problem = { code, message: 'text', ...(model !== undefined && { model }) };
    const message = {
      revision: 1,
      serving,
      shadow: null,
      slot: 'confirmed',
      problem,
      source: 'running',
      statusPage: null,
      at: NOW.toISOString(),
    };
    for (const device of DEVICES)
      await one.intake.take(device, 'reported', Buffer.from(JSON.stringify(message)));
    return Object.keys(one.executor.find(id).failing).length;
  };
  assert.equal(await blamed('model_corrupt', digest('2')), 3);
  assert.equal(await blamed('model_corrupt', digest('1')), 0, "production's");
  assert.equal(await blamed('model_corrupt', digest('3')), 0, 'of a version that is not wanted any more');
  assert.equal(await blamed('disk_full', digest('2')), 0, 'no room for the candidate');
  assert.equal(await blamed('disk_full'), 0, 'no room for the spool');
  assert.equal(await blamed('metadata_forged', digest('2')), 0, 'somebody else answers for the hub');
  assert.equal(await blamed('metadata_invalid', digest('2')), 0, 'signed metadata that has ended');
  assert.equal(await blamed('manifest_forged', digest('2')), 0, 'changed on its way, or in the registry');
  // An agent of 0.1.0 names no model.
  assert.equal(await blamed('model_corrupt'), 3, 'production serves: it is the candidate that does not');
  assert.equal(await blamed('model_corrupt', undefined, null), 0, 'nothing serves: production is damaged');
  assert.equal(await blamed('inference_failed', undefined, candidate), 0, 'the candidate serves');
});

test('after a close nothing is written any more, and what was under way is whole', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  const underWay = Promise.allSettled([
    ...DEVICES.map((device) => one.executor.take(device, windowOf(id, 1))),
    one.executor.order(id, 'pause', 'test', 'p'),
    one.executor.tick(),
    one.executor.promote({ model: MODEL, version: '2.0.0', percent: 50, plan: DEMO_PLAN, who: 'test' }),
  ]);
  await one.executor.close();
  const whatIsThere = async () => [
    (await Readable.from(await one.log.lines(id)).toArray()).join(''),
    (await onDisk(folder)).rollouts[0]?.status,
  ];
  const closed = await whatIsThere();
  assert.match(closed[0] ?? '', /"order":"pause"/);
  assert.equal(closed[1], 'paused');
  await underWay;
  await assert.rejects(
    send(one, 'pi-0', windowOf(id, 2)),
    /the hub is being stopped/,
    'and is not acknowledged',
  );
  await one.executor.tick();
  assert.deepEqual(await whatIsThere(), closed);
});

test('finding 3: a rollout whose look throws leaves the others their looks', async (t) => {
  const folder = await temporaryFolder();
  const one = await hub(t, folder);
  const id = await begin(one);
  await one.store.change((state) => {
    const [rollout] = state.rollouts;
    assert.ok(rollout !== undefined);
    state.rollouts.unshift({
      ...structuredClone(rollout),
      id: 'broken',
      group: null,
      evidence: { ...structuredClone(rollout.evidence), devices: JSON.parse('{"x":null}') },
    });
  });
  for (const device of DEVICES) await send(one, device, windowOf(id, 1));
  await one.executor.tick();
  assert.notEqual(one.executor.find(id).last, null);
});

/** Messages that fit their schema and mean harm. */
function hostile(
  random: Random,
  rollout: string,
  round: string,
): { kind: 'windows' | 'evaluations' | 'reported' | 'status'; message: unknown } {
  const pick = <T>(values: readonly [T, ...T[]]): T => values[random.integer(values.length)] ?? values[0];
  const count = () => pick([0, 1, 7, 1e9, 1e9 + 1, Number.MAX_SAFE_INTEGER, 2 ** 53, -1]);
  const episodes = pick([0, 3, 3600, 1e9]);
  const at = pick([
    '2026-01-02T00:00:00Z',
    '2026-01-02T23:00:00.000Z',
    '0000-01-01T00:00:00Z',
    '1970-01-01T00:00:00Z',
    '2026-01-02T12:00:00.123456789Z',
  ]);
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
  const latency = pick([
    [],
    Array.from({ length: 64 }, () => [3, 1e9]),
    Array.from({ length: 64 }, (_, i) => [i, 1e9]),
    [[3, 100_000]],
  ]);
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
          counts: {
            episodes: n,
            productionRight: count(),
            candidateRight: count(),
            wins: count(),
            losses: count(),
          },
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

test('finding 5: whatever devices say, what is kept can be read at the next start', {
  timeout: 120_000,
}, async (t) => {
  const seed = `hostile ${Date.now()}`;
  t.diagnostic(`seed: ${seed}`);
  const random = seeded(seed);
  const folder = await temporaryFolder();
  let one = await hub(t, folder);
  const id = await begin(one);
  const start = () =>
    one.evaluations.start({
      model: MODEL,
      candidate: '2.0.0',
      quorum: 2,
      hours: 1,
      minDevices: 2,
      secure: false,
      epsilon: 1,
      who: 'test',
      rollout: null,
    });
  for (let restart = 0; restart < 4; restart++) {
    const { id: round } = await start();
    for (let batch = 0; batch < 25; batch++) {
      await Promise.all(
        Array.from({ length: 20 }, () => {
          const { kind, message } = hostile(random, id, round);
          return one.intake.take(
            DEVICES[random.integer(3)] ?? '',
            kind,
            Buffer.from(JSON.stringify(message)),
          );
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
    [...(await episodesOfHours(folder)).keys()].every((known) => [digest('1'), digest('2')].includes(known)),
    'no model that is not registered',
  );
  assert.equal((await replay(one.log.read(id), null)).firstDifference, null);
});

test('finding 5: a sum that is full stays full, and honest windows count on', async (t) => {
  const folder = await temporaryFolder();
  let one = await hub(t, folder);
  const id = await begin(one);
  await send(one, 'pi-0', windowOf(id, 1));
  await one.store.change((state) => {
    const full = (sums: unknown): unknown => {
      if (typeof sums === 'number') return Number.MAX_SAFE_INTEGER;
      if (Array.isArray(sums)) return sums.map(full);
      return typeof sums === 'object' && sums !== null
        ? Object.fromEntries(Object.entries(sums).map(([key, value]) => [key, full(value)]))
        : sums;
    };
    state.rollouts = state.rollouts.map((rollout) => {
      const sums = {
        latency: full(rollout.evidence.latency),
        labels: full(rollout.evidence.labels),
        refused: full(rollout.evidence.refused),
      };
      const evidence = {
        ...rollout.evidence,
        ...JSON.parse(JSON.stringify(sums)),
        downloadFailures: Number.MAX_SAFE_INTEGER,
      };
      return { ...rollout, evidence, drift: { ...rollout.drift, episodes: Number.MAX_SAFE_INTEGER } };
    });
  });
  await one.store.close();
  await fillSums(folder);
  one = await hub(t, folder);
  for (const device of DEVICES)
    for (let n = 2; n < 30; n++)
      await send(one, device, windowOf(id, n, { latency: { production: [[12, 100]], candidate: [] } }));
  await one.executor.tick();
  assert.deepEqual(
    [counted(one.executor.find(id)), one.store.state.devices['pi-0']?.refusedReports],
    [29, 0],
  );
  await one.store.close();
  await openStore(folder, () => NOW);
});

test('a gap is known to the day of the device, and what is refused adds nothing to it', async (t) => {
  const one = await hub(t, await temporaryFolder());
  const id = await begin(one);
  await send(one, 'pi-0', windowOf(id, 1));
  await send(one, 'pi-0', windowOf(id, 5));
  const { start, end } = windowOf(id, 1);
  await send(one, 'pi-0', windowOf(id, 6, { start, end }));
  await send(one, 'pi-0', windowOf(id, 7, { production: digest('7') }));
  await send(one, 'pi-0', windowOf(id, 8));
  const day = Date.parse(start) / (24 * 3_600_000);
  const [found] = await one.store.rollups.deviceDays('pi-0', Math.floor(day), Math.floor(day) + 1);
  assert.deepEqual(
    [
      found?.[1].windows,
      found?.[1].missing,
      found?.[1].episodes,
      one.store.state.devices['pi-0']?.refusedReports,
    ],
    [3, 5, 30, 2],
  );
});

test('more than fits the time of a window is refused, by name; what a busy device may have seen is not', () => {
  const hour = (change: Partial<WindowReport>) => excess({ ...windowOf('r', 1), ...change });
  assert.equal(
    hour({ frames: 120 * 3600, episodes: 3600, latency: { production: [[3, 120 * 3600]], candidate: null } }),
    null,
  );
  assert.equal(
    hour({ latency: { production: [[3, 1e9]], candidate: null } }),
    '1000000000 inferences of production in 3600 s, at most 432000',
  );
  const buckets = Array.from({ length: 64 }, (_, bucket): [number, number] => [bucket, 10_000]);
  assert.match(
    hour({ latency: { production: [], candidate: buckets } }) ?? '',
    /^640000 inferences of the candidate/,
  );
  assert.match(hour({ frames: 1e9 }) ?? '', /frames in 3600 s/);
  assert.match(hour({ episodes: 3601 }) ?? '', /^3601 episodes/);
  const { start } = windowOf('r', 1);
  assert.equal(hour({ start, end: start, episodes: 60 }), null, 'cut short by a change of arms');
  assert.match(hour({ start, end: start, episodes: 61 }) ?? '', /in 60 s/);
});
