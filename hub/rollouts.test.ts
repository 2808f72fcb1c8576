import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Desired, WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { PLAN as LIVING, report } from './rollouts/fixtures.js';
import { Executor } from './rollouts/lifecycle/executor.js';
import { RolloutLog } from './rollouts/log/log.js';
import type { Plan } from './rollouts/plan.js';
import { explainRollout } from './rollouts/report/explain.js';
import type { Rollout } from './rollouts/rollout.js';
import { openStore } from './store/open.js';
import type { Store } from './store/store.js';
import { deviceEntry, MODEL, modelEntry } from './testing/state.js';
import { holdDatabase } from './testing/store.js';

/** An hour's windows are closed by the look half an hour after it; a day lasts an hour, so that five of them pass in a test. */
const PLAN: Plan = { ...LIVING, lagHours: 0, dayHours: 1, watchHours: 4, deadlineHours: 100 };

/** The executor over a real store and a real log; devices are entries, their reports come by hand. */
const coded = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

class Fleet {
  readonly published = new Map<string, Desired>();
  /** A message to this device is lost. */
  unreachable = '';
  readonly rounds: string[] = [];
  /** Why rounds cannot start. */
  refusal: Error | null = null;
  now = new Date('2026-01-01T00:00:00.000Z');
  readonly folder: string;
  readonly store: Store;
  private constructor(folder: string, store: Store) {
    this.folder = folder;
    this.store = store;
    this.executor = new Executor({
      store,
      now: () => this.now,
      publishDesired: async (desired, device) => {
        if (device === this.unreachable) throw new Error('the message was lost');
        this.published.set(device, desired);
      },
      onDecision: () => undefined,
      startRound: async ({ id }) => {
        if (this.refusal !== null) throw this.refusal;
        this.rounds.push(id);
      },
      complain: () => undefined,
    });
  }
  readonly executor: Executor;

  static async open(t: TestContext, devices: number, folder?: string): Promise<Fleet> {
    const at = folder ?? (await temporaryFolder());
    const store = await openStore(at, () => new Date());
    t.after(() => store.close());
    const fleet = new Fleet(at, store);
    if (folder !== undefined) return fleet;
    await store.change((state) => {
      for (let i = 0; i < devices; i++) state.devices[`pi-${i}`] = deviceEntry(`pi-${i}`, `c${i % 6}`);
      state.models[MODEL] = modelEntry(null, ['1.0.0', '2.0.0', '3.0.0', '4.0.0']);
    });
    await fleet.executor.promote({ model: MODEL, version: '1.0.0', percent: 100, plan: PLAN, who: 'test' });
    return fleet;
  }

  promote(version: string, change: Partial<Parameters<Executor['promote']>[0]> = {}) {
    return this.executor.promote({ model: MODEL, version, percent: 100, plan: PLAN, who: 'test', ...change });
  }
  /** Every device of a rollout reports an hour. */
  async hour(rollout: string, counts: Parameters<typeof report>[2]): Promise<void> {
    const { from, to, acting, members } = this.executor.find(rollout);
    const hour = (this.now.getTime() - Date.parse('2026-01-01T00:00:00.000Z')) / 3_600_000;
    for (const device of members) {
      const change: Partial<WindowReport> = {
        rollout,
        production: from.digest,
        candidate: to.digest,
        slice: this.store.state.devices[device]?.slice ?? { channel: '', site: '', hardware: '' },
        serving: acting.includes(device) ? 'candidate' : 'production',
      };
      await this.executor.take(device, report(hour + 1, hour, counts, change));
    }
    this.now = new Date(this.now.getTime() + 3_600_000);
    await this.executor.tick();
  }
  /** Hours until something is so. */
  async until(
    rollout: string,
    counts: Parameters<typeof report>[2],
    done: (state: Rollout) => boolean,
  ): Promise<void> {
    for (let hours = 0; hours < 40 && !done(this.executor.find(rollout)); hours++)
      await this.hour(rollout, counts);
    assert.ok(done(this.executor.find(rollout)), this.executor.find(rollout).last?.reason);
  }
  /** The rollout's log, as `adbreak rollouts events` fetches it. */
  async exported(id: string): Promise<string> {
    const path = join(this.folder, `${id}.jsonl`);
    await writeFile(path, await new RolloutLog(this.store).lines(id));
    return path;
  }
  get production() {
    return this.store.state.models[MODEL]?.production;
  }
}
const GOOD = { wins: 4, agreed: 30 };
const EVEN = { wins: 1, losses: 1, agreed: 30 };
const BAD = { losses: 9, agreed: 20 };

test('a rollout moves devices stage by stage, sets production, and is watched with the old version in the shadow', async (t) => {
  const fleet = await Fleet.open(t, 6);
  const { id } = (await fleet.promote('2.0.0')) ?? { id: '' };
  const acting = () => [...fleet.published.values()].filter(({ serve }) => serve === 'candidate').length;
  assert.equal(acting(), 0);
  await fleet.hour(id, GOOD);
  assert.equal(acting(), 2, 'a third');
  await fleet.hour(id, GOOD);
  assert.equal(acting(), 6);
  await fleet.store.change((state) => {
    state.rollouts = state.rollouts.map((one) => ({ ...one, plan: { ...PLAN, watchHours: 10 } }));
  });
  await fleet.until(id, GOOD, ({ status }) => status === 'watching');
  assert.equal(fleet.production, '2.0.0');
  const desired = fleet.published.get('pi-0');
  assert.deepEqual(
    [desired?.production.version, desired?.candidate?.version, desired?.serve],
    ['1.0.0', '2.0.0', 'candidate'],
  );
  await fleet.until(id, BAD, ({ status }) => status === 'suspended');
  assert.equal(fleet.production, '1.0.0', 'back at once; quarantine takes more days');
  await fleet.until(id, BAD, ({ status }) => status === 'rolled-back');
  assert.deepEqual(
    [fleet.production, fleet.store.state.models[MODEL]?.versions['2.0.0']?.status],
    ['1.0.0', 'quarantined'],
  );
  assert.equal(fleet.published.get('pi-0')?.candidate, null);
});

test('one rollout at a time for a model; another version supersedes it when told to', async (t) => {
  const fleet = await Fleet.open(t, 4);
  const first = await fleet.promote('2.0.0');
  await assert.rejects(fleet.promote('3.0.0'), coded('conflict', /rollout .*2\.0\.0.* is running/));
  const second = await fleet.promote('3.0.0', { supersede: true });
  assert.equal(fleet.executor.find(first?.id ?? '').status, 'superseded');
  assert.equal(fleet.published.get('pi-1')?.candidate?.version, '3.0.0');
  await fleet.executor.order(second?.id ?? '', 'abort', 'test', 'enough');
  assert.equal(fleet.published.get('pi-1')?.candidate, null);
  await assert.rejects(
    fleet.executor.order(second?.id ?? '', 'pause', 'test', 'late'),
    coded('conflict', /it is aborted/),
  );
  await assert.rejects(
    fleet.promote('2.0.0', { plan: { ...PLAN, evidence: 'no-harm' } }),
    coded('conflict', /for going back only/),
  );
});

test('a completed rollout is rolled back as a rollout of the version before it', async (t) => {
  const fleet = await Fleet.open(t, 4);
  const { id } = (await fleet.promote('2.0.0', { plan: { ...PLAN, watchHours: 0 } })) ?? { id: '' };
  await fleet.until(id, GOOD, ({ status }) => status === 'completed');
  assert.deepEqual([fleet.executor.find(id).status, fleet.production], ['completed', '2.0.0']);
  const plan: Plan = {
    ...PLAN,
    evidence: 'no-harm',
    watchHours: 0,
    stages: [{ name: 'all', percent: 100, minEpisodes: 10, soakHours: 0.5, approve: null, round: null }],
  };
  const back = await fleet.executor.rollback(id, plan, 'test', 'viewers complain');
  assert.deepEqual([back.kind, back.from.version, back.to.version], ['rollback', '2.0.0', '1.0.0']);
  assert.equal(fleet.published.get('pi-0')?.serve, 'candidate');
  await fleet.hour(back.id, EVEN);
  assert.deepEqual([fleet.executor.find(back.id).status, fleet.production], ['completed', '1.0.0']);
  await assert.rejects(
    fleet.executor.rollback(id, plan, 'test', 'again'),
    coded('conflict', /is not in production/),
  );
  await fleet.promote('3.0.0');
  assert.deepEqual(
    fleet.executor.find(id).evidence.devices,
    {},
    'only the last ended rollout keeps its evidence in the state',
  );
  assert.match(
    JSON.stringify(explainRollout(fleet.executor.find(id), fleet.now)),
    /680 distinct episodes on 4 channels and 4 devices in 5 days: 80 won, 0 lost/,
  );
});

test('of requests that begin a rollout of one model at the same time, one does', async (t) => {
  const fleet = await Fleet.open(t, 6);
  const active = () => fleet.store.state.rollouts.filter(({ status }) => status === 'running').length;
  const both = await Promise.allSettled([
    fleet.promote('2.0.0'),
    fleet.promote('3.0.0'),
    fleet.promote('2.0.0'),
    fleet.executor.compare(MODEL, ['3.0.0', '4.0.0'], PLAN, 'test'),
  ]);
  assert.equal(active(), 1);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
    'the same version again raises the ceiling',
  );
});

test('finding 2: an order that could not be written changes nothing, and is taken when it can be, without a restart', async (t) => {
  const fleet = await Fleet.open(t, 4);
  const { id } = (await fleet.promote('2.0.0')) ?? { id: '' };
  assert.equal(fleet.published.get('pi-1')?.candidate?.version, '2.0.0');
  const release = await holdDatabase(fleet.folder);
  await assert.rejects(
    fleet.executor.order(id, 'abort', 'test', 'enough'),
    coded('state_unwritable', /another program holds it/),
  );
  await fleet.executor.tick();
  assert.equal(fleet.executor.find(id).status, 'running', 'what could not be written has not happened');
  assert.equal(
    fleet.published.get('pi-1')?.candidate?.version,
    '2.0.0',
    'what is not on disk is not published',
  );
  await release();
  await fleet.executor.order(id, 'abort', 'test', 'enough');
  assert.deepEqual(
    [...fleet.published.values()].map(({ candidate }) => candidate),
    [null, null, null, null],
  );
});

test('a message that was lost is published again at the next look, and the other devices have theirs', async (t) => {
  const fleet = await Fleet.open(t, 3);
  const { id } = (await fleet.promote('2.0.0')) ?? { id: '' };
  fleet.unreachable = 'pi-1';
  await fleet.executor.order(id, 'abort', 'test', 'enough');
  const candidates = () =>
    ['pi-0', 'pi-1', 'pi-2'].map((device) => fleet.published.get(device)?.candidate?.version ?? null);
  assert.deepEqual(candidates(), [null, '2.0.0', null]);
  await assert.rejects(fleet.executor.assign(MODEL), /the message was lost/);
  fleet.unreachable = '';
  await fleet.executor.tick();
  assert.deepEqual(candidates(), [null, null, null]);
});

test('A/B: each device runs one candidate; the better one goes on, the other is superseded', async (t) => {
  const fleet = await Fleet.open(t, 40);
  const plan = {
    ...PLAN,
    deadlineHours: 100,
    stages: PLAN.stages.map((stage) => ({ ...stage, minEpisodes: 20 })),
  };
  const [a, b] = await fleet.executor.compare(MODEL, ['2.0.0', '3.0.0'], plan, 'test');
  assert.ok(a !== undefined && b !== undefined);
  const shadow = (version: string) =>
    [...fleet.published.values()].filter(({ candidate }) => candidate?.version === version).length;
  assert.equal(shadow('2.0.0') + shadow('3.0.0'), 40);
  assert.ok(shadow('2.0.0') >= 8 && shadow('3.0.0') >= 8, `${shadow('2.0.0')} and ${shadow('3.0.0')}`);
  await fleet.hour(a.id, GOOD);
  assert.equal(fleet.executor.find(a.id).last?.cause, 'siblings', 'passed, and waits for the other');
  for (let i = 0; i < 4; i++) await fleet.hour(b.id, EVEN);
  assert.equal(fleet.executor.find(b.id).status, 'superseded', fleet.executor.find(b.id).last?.reason);
  assert.equal(fleet.executor.find(a.id).stage, 1);
  assert.equal(shadow('3.0.0'), 0, 'its devices moved to the winner');
  assert.equal(shadow('2.0.0'), 40);
});

test('a stage that asks for a round starts one, once, and waits for its result', async (t) => {
  const fleet = await Fleet.open(t, 4);
  const [first, ...rest] = PLAN.stages;
  assert.ok(first !== undefined);
  const { id } = (await fleet.promote('2.0.0', {
    plan: { ...PLAN, stages: [{ ...first, round: { quorum: 3, hours: 1 } }, ...rest] },
  })) ?? { id: '' };
  await fleet.hour(id, GOOD);
  await fleet.hour(id, GOOD);
  assert.deepEqual(fleet.rounds, [id]);
  await fleet.executor.roundClosed(id, {
    round: 'r',
    low: 0.01,
    high: 0.1,
    devices: 4,
    episodes: 90,
    inconclusive: false,
  });
  await fleet.executor.tick();
  assert.equal(fleet.executor.find(id).stage, 1);
});

test('finding 3: a round that could not start is tried again at the next look, also after a restart, and starts once', async (t) => {
  const fleet = await Fleet.open(t, 4);
  const [first, ...rest] = PLAN.stages;
  assert.ok(first !== undefined);
  const { id } = (await fleet.promote('2.0.0', {
    plan: { ...PLAN, stages: [{ ...first, round: { quorum: 3, hours: 1 } }, ...rest] },
  })) ?? { id: '' };
  fleet.refusal = new Error('no devices');
  await fleet.hour(id, GOOD);
  await fleet.executor.tick();
  assert.deepEqual(fleet.rounds, []);
  await fleet.store.close();
  const again = await Fleet.open(t, 4, fleet.folder);
  again.now = fleet.now;
  await again.executor.recover();
  await again.executor.tick();
  assert.deepEqual(again.rounds, [id]);
});

test('devices that cannot run the candidate keep the rollout in the shadow; labels are asked where a page can answer', async (t) => {
  const fleet = await Fleet.open(t, 4);
  await fleet.store.change((state) => {
    const device = state.devices['pi-2'];
    if (device !== undefined)
      device.reported = {
        revision: 1,
        serving: null,
        shadow: null,
        slot: 'confirmed',
        problem: null,
        source: 'running',
        statusPage: 'http://pi-2:8080/',
        at: fleet.now.toISOString(),
      };
  });
  const { id } = (await fleet.promote('2.0.0')) ?? { id: '' };
  await fleet.hour(id, { wins: 2, agreed: 30, undecided: 8 });
  assert.deepEqual(
    [fleet.published.get('pi-2')?.ask, fleet.published.get('pi-1')?.ask],
    ['disagreements', null],
  );
  await fleet.executor.deviceSays('pi-0', MODEL, 'model_corrupt');
  await fleet.executor.deviceSays('pi-1', MODEL, 'disk_full');
  await fleet.executor.tick();
  const { status, last } = fleet.executor.find(id);
  assert.deepEqual([status, last?.verdict, last?.cause], ['running', 'SUSPEND', 'failures']);
});

test('the log of a rollout replays to the same decisions with the command line, byte for byte, also after a restart of the hub', async (t) => {
  const fleet = await Fleet.open(t, 6);
  const { id } = (await fleet.promote('2.0.0')) ?? { id: '' };
  await fleet.hour(id, EVEN);
  await fleet.store.close();
  const again = await Fleet.open(t, 6, fleet.folder);
  again.now = fleet.now;
  await again.executor.recover();
  assert.deepEqual(again.executor.find(id), JSON.parse(JSON.stringify(fleet.executor.find(id))));
  await again.hour(id, GOOD);
  await again.executor.order(id, 'pause', 'token:ada', 'lunch');
  await again.executor.order(id, 'resume', 'token:ada', 'after lunch');
  await again.until(id, BAD, ({ status }) => status === 'rolled-back');
  const done: Rollout = again.executor.find(id);
  assert.equal(done.status, 'rolled-back', done.last?.reason);
  const path = await again.exported(id);
  const bin = fileURLToPath(new URL('../bin/adbreak.js', import.meta.url));
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [bin, 'rollouts', 'replay', '--events', path, ...args], { encoding: 'utf8' });
  const json = run('--json');
  assert.equal(json.status, 0, json.stderr);
  const lines = json.stdout.trim().split('\n');
  const summary = JSON.parse(lines.at(-1) ?? '{}') as { identical: boolean; decisions: number };
  assert.equal(summary.identical, true);
  assert.equal(lines.slice(0, -1).join('\n'), done.history.map((one) => JSON.stringify(one)).join('\n'));
  const text = run();
  assert.match(text.stdout, /identical: (\d+) of \1 recorded decisions/);
  assert.match(text.stdout, /rolled back/);
  // A line that somebody changed afterwards shows.
  const forged = join(fleet.folder, 'forged.jsonl');
  await mkdir(fleet.folder, { recursive: true });
  await writeFile(forged, (await readFile(path, 'utf8')).replace('"verdict":"FAIL"', '"verdict":"PASS"'));
  const caught = spawnSync(process.execPath, [bin, 'rollouts', 'replay', '--events', forged], {
    encoding: 'utf8',
  });
  assert.equal(caught.status, 1);
  assert.match(
    caught.stderr,
    /^error state_corrupt: Cannot replay: event \d+, line \d+ of .*forged\.jsonl, was changed/,
  );
  // A log by hand has no chain, and shows by its decisions.
  await writeFile(
    forged,
    (await readFile(forged, 'utf8')).replace(/,"number":\d+,"hash":"[0-9a-f]{64}"\}$/gm, '}'),
  );
  const byHand = spawnSync(process.execPath, [bin, 'rollouts', 'replay', '--events', forged], {
    encoding: 'utf8',
  });
  assert.equal(byHand.status, 1);
  assert.match(byHand.stdout, /different from the recorded decisions, first at number/);
  const missing = spawnSync(process.execPath, [bin, 'rollouts', 'replay', '--events', '/nowhere.jsonl'], {
    encoding: 'utf8',
  });
  assert.match(missing.stderr, /error not_found: Cannot read the events \/nowhere\.jsonl/);
  assert.ok(explainRollout(done, again.now).sections.length >= 3);
});
