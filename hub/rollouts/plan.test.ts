import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { configPath, DEMO_PLAN } from './fixtures.js';
import { checkPlan, mayAdvance, plan, readPlan, toleranceOf } from './plan.js';

test('a plan advances in its windows alone', () => {
  const windows = [{ days: ['mon' as const, 'tue' as const], from: '08:00', to: '16:00' }];
  const at = (time: string) => mayAdvance({ windows }, new Date(time));
  // The first of January 2026 is a Thursday.
  assert.deepEqual(
    [at('2026-01-05T08:00:00.000Z'), at('2026-01-05T16:00:00.000Z'), at('2026-01-01T09:00:00.000Z')],
    [true, false, false],
  );
  assert.ok(mayAdvance({ windows: [] }, new Date(0)));
});

test('harm is half the margin where nothing is said', () => {
  assert.equal(toleranceOf({ margin: 0.02, tolerance: undefined }), 0.01);
  assert.equal(toleranceOf({ margin: 0.02, tolerance: 0 }), 0);
});

test('the plans in configs/ are valid', async () => {
  for (const name of ['standard', 'demo', 'rollback'])
    assert.equal((await readPlan(configPath(name))).name, name);
});

describe('a plan', () => {
  const { stages } = DEMO_PLAN;
  const wrong: [string, unknown][] = [
    ['stages that shrink', { ...DEMO_PLAN, stages: stages.toReversed() }],
    ['no shadow', { ...DEMO_PLAN, stages: stages.slice(1) }],
    ['no end at all devices', { ...DEMO_PLAN, stages: stages.slice(0, 2) }],
    ['two stages of one name', { ...DEMO_PLAN, stages: [stages[0], stages[1], stages[1], stages[2]] }],
    ['a field that is none', { ...DEMO_PLAN, marign: 0.1 }],
    ['NaN', { ...DEMO_PLAN, margin: Number.NaN }],
    ['a tolerance beyond its margin', { ...DEMO_PLAN, tolerance: 0.09 }],
    ['windows longer than its days', { ...DEMO_PLAN, windowSeconds: 7200, dayHours: 1 }],
    ['a window over midnight', { ...DEMO_PLAN, windows: [{ days: ['mon'], from: '22:00', to: '02:00' }] }],
  ];
  for (const [what, value] of wrong)
    test(`with ${what} is refused`, () => assert.equal(plan.safeParse(value).success, false));
  test('of the earlier form is refused with the fields to change', () => {
    const earlier = {
      ...DEMO_PLAN,
      labelRate: 0.25,
      maxUnlabelled: 0.2,
      maxSilent: 0.5,
      world: { falseAlarmHours: 5000, lagHours: 2 },
    };
    assert.throws(
      () => checkPlan(earlier, 'the plan'),
      (error: unknown) =>
        error instanceof AdbreakError &&
        error.code === 'input_invalid' &&
        /it has the earlier form/.test(error.message) &&
        [
          'labelRate (now `labels: all`',
          'maxUnlabelled',
          'maxSilent (now `silence',
          'world.lagHours (now `lagHours`',
        ].every((field) => error.remedy?.includes(field)),
    );
    assert.throws(
      () => checkPlan(null, 'the plan'),
      (error: unknown) => error instanceof AdbreakError,
    );
  });
  test('that does not exist is named', async () => {
    await assert.rejects(
      readPlan('/nowhere.yaml'),
      (error: unknown) => error instanceof AdbreakError && /nowhere/.test(error.message),
    );
  });
});
