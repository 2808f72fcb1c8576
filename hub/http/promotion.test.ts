import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configPath, DEMO_PLAN } from '../rollouts/fixtures.js';
import { readPlan } from '../rollouts/plan.js';
import { promotionOf } from './promotion.js';

const shares = (asked: ReturnType<typeof promotionOf>) => [
  asked.ceiling,
  asked.plan.stages.map(({ percent }) => percent),
];

test('a canary is the plan with a stage of its share, and ends there unless it may become production', async () => {
  const standard = await readPlan(configPath('standard'));
  for (const [words, ceiling, stages] of [
    [{ status: 'canary', rollout_percentage: 10 }, 10, [0, 10, 50, 100]],
    [{ status: 'canary', rollout_percentage: 2.5 }, 2.5, [0, 2.5, 10, 50, 100]],
    [{ status: 'canary', rollout_percentage: 20 }, 20, [0, 10, 20, 50, 100]],
    [{ status: 'canary', rollout_percentage: 75 }, 75, [0, 10, 50, 75, 100]],
    [{ status: 'canary', rollout_percentage: 20, is_production: true }, 100, [0, 10, 20, 50, 100]],
    [{ status: 'canary' }, 10, [0, 10, 50, 100]],
    [{ status: 'canary', is_production: false }, 10, [0, 10, 50, 100]],
    [{ status: 'canary', rollout_percentage: 100 }, 100, [0, 10, 50, 100]],
    [{ status: 'production' }, 100, [0, 10, 50, 100]],
    [{ status: 'production', rollout_percentage: 20 }, 20, [0, 10, 50, 100]],
    [{ status: 'production', rollout_percentage: 20, is_production: true }, 100, [0, 10, 50, 100]],
  ] as const)
    assert.deepEqual(shares(promotionOf(words, standard)), [ceiling, stages], JSON.stringify(words));
});

test('a stage that was put in asks for as much as the one it was cut from, and has a name of its own', () => {
  const { plan } = promotionOf({ status: 'canary', rollout_percentage: 10 }, DEMO_PLAN);
  const [, cut, wider] = plan.stages;
  assert.deepEqual({ ...cut, name: '', percent: 0 }, { ...wider, name: '', percent: 0 });
  assert.equal(new Set(plan.stages.map(({ name }) => name)).size, plan.stages.length);
});

test('words that contradict each other, and a plan that has no room for a stage, are refused', () => {
  assert.throws(
    () => promotionOf({ status: 'production', is_production: false }, DEMO_PLAN),
    /is_production: it is false, and status is production/,
  );
  const [shadow, ...others] = DEMO_PLAN.stages;
  assert.ok(shadow !== undefined);
  const full = Array.from({ length: 10 - others.length }, (_, i) => ({
    ...shadow,
    name: `shadow ${i}`,
    percent: 0,
  }));
  const plan = {
    ...DEMO_PLAN,
    stages: [shadow, ...full, ...others, ...others.slice(-1).map((one) => ({ ...one, name: 'more' }))],
  };
  assert.equal(plan.stages.length, 12);
  assert.throws(
    () => promotionOf({ status: 'canary', rollout_percentage: 5 }, plan),
    /the plan demo.*stages/s,
  );
});
