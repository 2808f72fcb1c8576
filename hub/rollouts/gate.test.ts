import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { cohort } from './cohort.js';
import { type DeviceEvidence, NO_EVIDENCE } from './evidence.js';
import { judge } from './gate.js';
import { plan, readPlan } from './plan.js';
import { percentOf, type Rollout, step } from './rollout.js';

const config = (name: string) => fileURLToPath(new URL(`../../../configs/rollouts/${name}.yaml`, import.meta.url));
const PLAN = await readPlan(config('demo'));
const START = new Date('2026-01-01T00:00:00.000Z');
const later = (minutes: number) => new Date(START.getTime() + minutes * 60_000);
const device = (wins: number, losses: number, agreed: number, undecided = 0): DeviceEvidence => ({
  ...NO_EVIDENCE,
  episodes: wins + losses + agreed + undecided,
  wins,
  losses,
  agreed,
  undecided,
  labelled: wins + losses,
  windows: 1,
});
const three = (one: DeviceEvidence) => ({ a: one, b: one, c: one });
const input = (evidence: Record<string, DeviceEvidence>, minutesInStage = 5, stage = 0) => ({ plan: PLAN, stage, episodesBefore: 0, minutesInStage, evidence });
const ref = (version: string) => ({ version, digest: (version[0] ?? '0').repeat(64) });
const rolloutOf = (evidence: Record<string, DeviceEvidence>): Rollout => ({
  id: 'r',
  model: 'base-ad-detector',
  from: ref('1.0.0'),
  to: ref('2.0.0'),
  plan: PLAN,
  ceiling: 100,
  stage: 0,
  status: 'running',
  stageSince: START.toISOString(),
  episodesBefore: 0,
  evidence,
  history: [],
  last: null,
});

describe('the gate', () => {
  test('without evidence never passes, however long it waits', () => {
    assert.equal(judge(input({})).verdict, 'HOLD');
    assert.equal(judge(input({}, 120)).verdict, 'INCONCLUSIVE');
    assert.equal(judge(input(three(NO_EVIDENCE), 1e6)).verdict, 'INCONCLUSIVE');
  });
  test('passes a better candidate with its reason in numbers', () => {
    const verdict = judge(input(three(device(5, 0, 30))));
    assert.equal(verdict.verdict, 'PASS');
    assert.match(verdict.reason, /105 episodes: 15 won, 0 lost, 90 alike; M = .* 8\.0 points/);
  });
  test('fails a worse one in a small fleet on pooled evidence alone, and says so', () => {
    const verdict = judge(input(three(device(1, 9, 20))));
    assert.equal(verdict.verdict, 'FAIL');
    assert.match(verdict.reason, /27 episodes.*E_pooled.*3 devices the fleet is those devices/);
  });
  test('in a larger fleet one bad device suspends; only the fleet’s evidence fails', () => {
    const good = device(4, 4, 90);
    const fleet = (bad: DeviceEvidence) => Object.fromEntries([...Array.from({ length: 9 }, (_, i) => [`d${i}`, good]), ['bad', bad]]);
    assert.equal(judge(input(fleet(device(0, 60, 40)))).verdict, 'SUSPEND');
    assert.equal(judge(input(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`d${i}`, device(1, 15, 90)])))).verdict, 'FAIL');
  });
  test('waits for devices, for episodes, for time, and for labels on the disagreements', () => {
    assert.match(judge(input({ a: device(9, 0, 90), b: device(9, 0, 90) })).reason, /2 of 3 devices/);
    assert.match(judge(input(three(device(2, 0, 10)))).reason, /36 of 60 episodes/);
    assert.match(judge(input(three(device(5, 0, 30)), 0.01)).reason, /minutes/);
    assert.match(judge(input(three(device(5, 0, 30, 9)))).reason, /27 of 42 disagreements have no label/);
  });
  test('promotes candidates that are worse by the margin in at most five of a hundred rollouts, looking after every episode', () => {
    const random = seeded('margin');
    const runs = 400;
    let promoted = 0;
    for (let run = 0; run < runs; run++) {
      const sums = { wins: 0, losses: 0, agreed: 0 };
      for (let episode = 0; episode < 400; episode++) {
        const chance = random.uniform();
        if (chance < 0.04) sums.wins += 1;
        else if (chance < 0.04 + 0.04 + PLAN.margin) sums.losses += 1;
        else sums.agreed += 1;
        const third = { ...NO_EVIDENCE, ...sums, windows: 1 };
        const verdict = judge(input({ a: third, b: { ...NO_EVIDENCE, agreed: 1, windows: 1 }, c: { ...NO_EVIDENCE, agreed: 1, windows: 1 } }));
        if (verdict.verdict === 'FAIL') break;
        if (verdict.verdict === 'PASS') {
          promoted += 1;
          break;
        }
      }
    }
    assert.ok(promoted / runs <= 0.05, `${promoted} of ${runs} were promoted (seed margin)`);
  });
});

describe('a rollout', () => {
  test('moves stage by stage and becomes production at the end', () => {
    let state = rolloutOf(three(device(5, 0, 30)));
    const percents = [];
    for (const minutes of [1, 2, 3]) {
      const next = step(state, later(minutes));
      percents.push(percentOf(next.state));
      state = { ...next.state, evidence: three(device(5 + minutes, 0, 30 + 20 * minutes)) };
      if (next.state.status === 'completed') assert.deepEqual(next.effects, [{ kind: 'set-production', version: '2.0.0' }, { kind: 'assign' }]);
    }
    assert.deepEqual(percents, [34, 100, 0]);
    assert.equal(state.status, 'completed');
    assert.deepEqual(
      state.history.map(({ action }) => action),
      ['advance to canary', 'advance to all', 'complete'],
    );
  });
  test('rolls back with quarantine', () => {
    const { state, effects } = step(rolloutOf(three(device(0, 9, 20))), later(1));
    assert.equal(state.status, 'rolled-back');
    assert.deepEqual(effects, [{ kind: 'quarantine', version: '2.0.0' }, { kind: 'assign' }]);
    assert.deepEqual(step(state, later(2)).effects, [], 'an ended rollout moves no more');
  });
  test('does not go beyond its ceiling', () => {
    const state = { ...rolloutOf(three(device(5, 0, 30))), ceiling: 10 };
    assert.equal(step(state, later(1)).state.stage, 0);
  });
  test('is a function of its state and the time alone', () => {
    const state = rolloutOf(three(device(5, 1, 30)));
    assert.deepEqual(step(state, later(3)), step(structuredClone(state), later(3)));
  });
});

describe('cohorts', () => {
  const devices = Array.from({ length: 40 }, (_, i) => `pi-${i}`);
  test('grow monotonically: the 10 % stay in the 50 %', () => {
    const [ten, half, all] = [10, 50, 100].map((percent) => cohort('r', devices, percent));
    assert.deepEqual([ten?.size, half?.size, all?.size], [4, 20, 40]);
    for (const one of ten ?? []) assert.ok(half?.has(one));
  });
  test('differ between rollouts, hold at least one device, and none in shadow', () => {
    assert.notDeepEqual(cohort('r', devices, 10), cohort('s', devices, 10));
    assert.equal(cohort('r', ['only'], 1).size, 1);
    assert.equal(cohort('r', devices, 0).size, 0);
  });
});

describe('plans', () => {
  test('in configs/ are valid', async () => {
    for (const name of ['standard', 'demo']) assert.equal((await readPlan(config(name))).name, name);
  });
  const wrong = { ...PLAN, stages: [PLAN.stages[1], PLAN.stages[0]] };
  test('whose stages do not grow from shadow to all are refused', () => assert.equal(plan.safeParse(wrong).success, false));
  test('that do not exist are named', async () => {
    await assert.rejects(readPlan('/nowhere.yaml'), (error: unknown) => error instanceof AdbreakError && /nowhere/.test(error.message));
  });
});
