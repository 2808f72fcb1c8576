import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { stringify } from 'yaml';
import { clustersOf, configPath, DEMO_PLAN, input } from '../fixtures.js';
import { judge } from '../gate.js';
import { boundedPlan } from '../plan.js';
import { readPlans } from './plans.js';

const coded = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

test('every number of a plan has an upper bound', () => {
  const wide = (
    value: unknown,
    path: readonly (string | number)[] = [],
  ): (readonly (string | number)[])[] => {
    if (typeof value === 'number') return [path];
    return typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, one]) => wide(one, [...path, key]))
      : [];
  };
  const [first, ...rest] = DEMO_PLAN.stages;
  const whole = { ...DEMO_PLAN, stages: [{ ...first, round: { quorum: 3, hours: 1 } }, ...rest] };
  const paths = wide(whole);
  assert.ok(paths.length > 25, String(paths.length));
  for (const path of paths) {
    const made = structuredClone(whole) as unknown as Record<string, unknown>;
    let inner = made;
    for (const key of path.slice(0, -1)) inner = inner[key] as Record<string, unknown>;
    for (const huge of [1e9, Number.POSITIVE_INFINITY, -1e9]) {
      inner[String(path.at(-1))] = huge;
      assert.equal(boundedPlan.safeParse(made).success, false, `${path.join('.')} = ${huge}`);
    }
  }
});

test('by the widest plan that is allowed, two models that never differ pass after more than thirty episodes, and not before', () => {
  const stages = DEMO_PLAN.stages.map((stage) => ({ ...stage, minEpisodes: 10, soakHours: 0 }));
  const plan = boundedPlan.parse({ ...DEMO_PLAN, margin: 0.1, alphaHarm: 0.1, alphaPromote: 0.1, stages });
  const after = (episodes: number) => judge(input(clustersOf(3, 0, 0, episodes / 3), { plan })).verdict;
  assert.deepEqual([after(3), after(30), after(36)], ['HOLD', 'HOLD', 'PASS']);
});

test('a folder of plans is read whole: two of a name, one that is none, and no folder at all are named', async () => {
  const folder = await temporaryFolder();
  const read = () => readPlans(folder, configPath('standard'), configPath('rollback'));
  await writeFile(join(folder, 'a.yaml'), stringify({ ...DEMO_PLAN, name: 'house' }));
  await writeFile(join(folder, 'notes.txt'), 'no plan');
  assert.deepEqual([...(await read()).named.keys()].sort(), ['house', 'rollback', 'standard']);
  await writeFile(join(folder, 'b.yaml'), stringify({ ...DEMO_PLAN, name: 'house' }));
  await assert.rejects(read(), coded('conflict', /two of the name house/));
  await writeFile(join(folder, 'b.yaml'), 'name: broken');
  await assert.rejects(read(), coded('input_invalid', /b\.yaml/));
  await assert.rejects(
    readPlans('/nowhere', configPath('standard'), configPath('rollback')),
    coded('not_found', /nowhere/),
  );
});
