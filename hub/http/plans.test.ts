import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callHub } from '../cli/client.js';
import { pushVersion } from '../cli/push.js';
import { configPath, DEMO_PLAN } from '../rollouts/fixtures.js';
import { type Plan, readPlan } from '../rollouts/plan.js';
import { auditLines } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

const coded =
  (code: ErrorCode, words = /./) =>
  (error: unknown) =>
    error instanceof AdbreakError && error.code === code && words.test(error.message);
const promote = (hub: TestHub, version: string, json: object = {}) =>
  callHub(hub, `/api/v1/models/base-ad-detector/versions/${version}/promote`, { method: 'POST', json });
const compare = (hub: TestHub, json: object) =>
  callHub(hub, '/api/v1/rollouts/compare', {
    method: 'POST',
    json: { model: 'base-ad-detector', versions: ['1.1.0', '1.2.0'], ...json },
  });

/** A hub with a production version and two candidates; the same as an operator sees it. */
async function started(t: TestContext): Promise<{ admin: TestHub; operator: TestHub; viewer: TestHub }> {
  const admin = await testHub(t);
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
    const folder = join(await temporaryFolder(), version);
    const { file, manifest } = tinyRelease(version);
    await mkdir(folder);
    await writeFile(join(folder, 'model.tflite'), file);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    await pushVersion(admin, folder);
  }
  await promote(admin, '1.0.0');
  const token = async (role: string) =>
    (
      (await callHub(admin, '/api/v1/tokens', { method: 'POST', json: { id: role, role } })) as {
        token: string;
      }
    ).token;
  return {
    admin,
    operator: { ...admin, token: await token('operator') },
    viewer: { ...admin, token: await token('viewer') },
  };
}

test('a plan of one’s own moves nothing for an operator; for an administrator it does, and stands whole in the audit log', async (t) => {
  const { admin, operator } = await started(t);
  const own = { ...DEMO_PLAN, name: 'my-own', margin: 0.07 };
  await assert.rejects(
    promote(operator, '1.1.0', { plan: own }),
    coded('forbidden', /a plan that comes with the call needs the role admin/),
  );
  await assert.rejects(compare(operator, { plan: own }), coded('forbidden'));
  const { rollout } = (await promote(admin, '1.1.0', { plan: own })) as {
    rollout: { id: string; plan: Plan };
  };
  assert.equal(rollout.plan.name, 'my-own');
  await assert.rejects(
    callHub(operator, `/api/v1/rollouts/${rollout.id}/rollback`, {
      method: 'POST',
      json: { reason: 'x', plan: own },
    }),
    coded('forbidden', /a plan that comes/),
  );
  const lines = await auditLines(admin.folder);
  const kept = lines
    .map((line) => JSON.parse(line) as { who: string; what: string; subject: string; after: unknown })
    .filter(({ what }) => what === 'plan.bring');
  assert.deepEqual(
    kept.map(({ who, subject, after }) => ({ who, subject, after })),
    [{ who: 'token:first', subject: 'base-ad-detector 1.1.0', after: JSON.parse(JSON.stringify(own)) }],
  );
});

test('the widest plans of all are refused, also an administrator’s: the gate is walked round by `force` alone', async (t) => {
  const { admin } = await started(t);
  for (const [change, field] of [
    [{ margin: 0.499, alphaPromote: 0.499 }, 'margin'],
    [{ alphaPromote: 0.499 }, 'alphaPromote'],
    [{ alphaHarm: 1e-9 }, 'alphaHarm'],
    [{ maxExcluded: 0.9 }, 'maxExcluded'],
    [{ stages: DEMO_PLAN.stages.map((stage) => ({ ...stage, minEpisodes: 0 })) }, 'stages.0.minEpisodes'],
  ] as const)
    await assert.rejects(
      promote(admin, '1.1.0', { plan: { ...DEMO_PLAN, ...change } }),
      coded('input_invalid', new RegExp(`${field}: must be from`)),
      field,
    );
});

test('an operator uses the hub’s plans by name, but not the demo’s; an unknown name is answered with those there are', async (t) => {
  const { admin, operator, viewer } = await started(t);
  const { plans, promote: unnamed } = (await callHub(viewer, '/api/v1/plans')) as {
    plans: Plan[];
    promote: string;
  };
  assert.deepEqual(
    [plans.map(({ name }) => name).sort(), unnamed],
    [['demo', 'rollback', 'small', 'standard'], 'demo'],
  );
  await assert.rejects(
    promote(operator, '1.1.0', { plan: 'constructor' }),
    coded('not_found', /the hub has demo, rollback, small, standard/),
  );
  await assert.rejects(
    promote(operator, '1.1.0', { plan: 'demo' }),
    coded('forbidden', /the plan demo needs the role admin/),
  );
  await assert.rejects(
    promote(operator, '1.1.0', { plan: 'rollback' }),
    coded('conflict', /for going back only/),
  );
  const { rollout } = (await promote(operator, '1.1.0', { plan: 'standard' })) as { rollout: { plan: Plan } };
  assert.equal(rollout.plan.name, 'standard');
  await promote(admin, '1.2.0', { plan: 'demo', supersede: true });
});

test('no comparison by a plan for going back; no going back to what was not in production', async (t) => {
  const { admin, operator } = await started(t);
  await assert.rejects(compare(operator, { plan: 'rollback' }), coded('conflict', /for going back only/));
  await assert.rejects(
    compare(admin, { plan: { ...(await readPlan(configPath('rollback'))), name: 'mine' } }),
    coded('conflict', /for going back only/),
  );
  await assert.rejects(
    compare(operator, { plan: 'standard' }),
    coded('conflict', /on 0 devices: each needs 5/),
  );
  const { rollout } = (await promote(operator, '1.1.0', { plan: 'standard' })) as { rollout: { id: string } };
  await assert.rejects(
    callHub(operator, `/api/v1/rollouts/${rollout.id}/rollback`, {
      method: 'POST',
      json: { reason: 'x', plan: 'rollback' },
    }),
    coded('conflict', /is not in production/),
  );
});

test('a forecast moves nothing: a viewer may try a plan of one’s own', async (t) => {
  const { viewer } = await started(t);
  const forecast = (plan: unknown) =>
    callHub(viewer, '/api/v1/rollouts/plan', { method: 'POST', json: { model: 'base-ad-detector', plan } });
  assert.match(((await forecast({ ...DEMO_PLAN, name: 'tried' })) as { text: string }).text, /shadow 0 %/);
  assert.match(((await forecast('standard')) as { text: string }).text, /half 50 %/);
  await assert.rejects(
    forecast({ ...DEMO_PLAN, margin: 0.3 }),
    coded('input_invalid', /margin: must be from/),
  );
});
