import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { desired } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callHub, type HubRequest } from '../cli/client.js';
import { pushVersion } from '../cli/push.js';
import { auditLines } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

const coded =
  (code: ErrorCode, words = /./) =>
  (error: unknown) =>
    error instanceof AdbreakError && error.code === code && words.test(error.message);
const post = (json: unknown = {}): HubRequest => ({ method: 'POST', json });
const PROMOTE = '/api/v1/models/base-ad-detector/versions';

async function release(
  version: string,
  edit: { manifest?: (text: string) => string; file?: (file: Uint8Array) => Uint8Array } = {},
): Promise<string> {
  const folder = join(await temporaryFolder(), version);
  const { file, manifest } = tinyRelease(version);
  await mkdir(folder);
  await writeFile(join(folder, 'model.tflite'), edit.file?.(file) ?? file);
  await writeFile(
    join(folder, 'manifest.json'),
    edit.manifest?.(JSON.stringify(manifest)) ?? JSON.stringify(manifest),
  );
  return folder;
}

describe('doors', () => {
  test('nothing answers without a token, a known one, and its role', async (t) => {
    const hub = await testHub(t);
    await assert.rejects(callHub({ ...hub, token: '' }, '/api/v1/overview'), coded('unauthorized'));
    await assert.rejects(
      callHub({ ...hub, token: 'adbreak_token_0' }, '/api/v1/overview'),
      coded('unauthorized'),
    );
    const { token } = (await callHub(hub, '/api/v1/tokens', post({ id: 'eye', role: 'viewer' }))) as {
      token: string;
    };
    const viewer = { ...hub, token };
    await callHub(viewer, '/api/v1/overview');
    for (const path of ['/api/v1/claims', `${PROMOTE}/1.0.0/promote`, '/api/v1/devices/pi-1/revoke'])
      await assert.rejects(callHub(viewer, path, post()), coded('forbidden'), path);
    await assert.rejects(
      callHub(viewer, '/tuf/metadata/timestamp.json'),
      coded('unauthorized', /device certificate/),
    );
  });
  test('tokens and claims are stored as hashes only', async (t) => {
    const hub = await testHub(t);
    const { tokens } = (await callHub(hub, '/api/v1/claims', post())) as { tokens: string[] };
    await hub.running[Symbol.asyncDispose]();
    const stored = await readFile(join(hub.folder, 'hub.db'), 'latin1');
    assert.ok(stored.includes('token.create'), 'it is all there');
    for (const secret of [hub.token, ...tokens]) assert.ok(!stored.includes(secret));
  });
  test('at most 10,000 claims are remembered', async (t) => {
    const hub = await testHub(t);
    for (let made = 0; made < 10_000; made += 1000)
      await callHub(hub, '/api/v1/claims', post({ count: 1000, hours: 8784 }));
    await assert.rejects(
      callHub(hub, '/api/v1/claims', post({ count: 1 })),
      coded('conflict', /10000 are remembered, at most 10000/),
    );
  });
  test('bodies are checked: unknown fields, sizes, types', async (t) => {
    const hub = await testHub(t);
    await assert.rejects(
      callHub(hub, '/api/v1/tokens', post({ id: 'A B', role: 'viewer' })),
      coded('input_invalid', /id/),
    );
    await assert.rejects(
      callHub(hub, '/api/v1/tokens', post({ id: 'x'.repeat(100_000), role: 'viewer' })),
      (error: unknown) => error instanceof AdbreakError,
    );
    await assert.rejects(
      callHub(hub, '/api/v1/enrol', post({ token: 'short', device: 'pi-1', csr: '', instance: '' })),
      coded('input_invalid'),
    );
    await assert.rejects(callHub(hub, '/api/v1/nothing'), coded('not_found'));
  });
});

describe('enrolment', () => {
  const enrol = (hub: TestHub, token: string, device = 'pi-1') =>
    callHub(hub, '/api/v1/enrol', post({ token, device, csr: 'no request', instance: 'i' }));
  const claim = async (hub: TestHub, body = {}) =>
    ((await callHub(hub, '/api/v1/claims', post(body))) as { tokens: [string] }).tokens[0];

  test('refuses a token that is unknown, expired, or of another device, each in a sentence', async (t) => {
    let now = new Date('2026-01-01T00:00:00.000Z');
    const hub = await testHub(t, { now: () => now });
    await assert.rejects(
      enrol(hub, 'adbreak_claim_00000000000000'),
      coded('token_invalid', /pi-1.*not known/),
    );
    await assert.rejects(
      enrol(hub, await claim(hub, { device: 'pi-2' })),
      coded('token_invalid', /another device/),
    );
    const old = await claim(hub, { hours: 1 });
    now = new Date('2026-01-01T02:00:00.000Z');
    await assert.rejects(enrol(hub, old), coded('token_invalid', /expired/));
  });
  test('refuses a signing request that is none, and the token stays good', async (t) => {
    const hub = await testHub(t);
    const token = await claim(hub);
    await assert.rejects(enrol(hub, token), coded('input_invalid', /PKCS#10/));
    await assert.rejects(enrol(hub, token), coded('input_invalid', /PKCS#10/));
  });
});

describe('rollouts', () => {
  const START = '/api/v1/rollouts';
  async function running(t: Parameters<typeof testHub>[0]) {
    const hub = await testHub(t);
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await pushVersion(hub, await release(version));
    await callHub(hub, `${PROMOTE}/1.0.0/promote`, post());
    const { rollout } = (await callHub(hub, `${PROMOTE}/1.1.0/promote`, post())) as {
      rollout: { id: string };
    };
    return { hub, id: rollout.id };
  }
  test('are explained, planned, paused and resumed, and each order stands in history and audit', async (t) => {
    const { hub, id } = await running(t);
    const { text } = (await callHub(hub, `${START}/${id}/explain`)) as { text: string };
    assert.match(text, /base-ad-detector 1\.0\.0 → 1\.1\.0: running in stage shadow/);
    const plan = (await callHub(hub, `${START}/plan`, post({ model: 'base-ad-detector' }))) as {
      text: string;
      devices: number;
    };
    assert.match(plan.text, /warning: the plan asks for evidence from 3 devices, the fleet has 0/);
    const paused = (await callHub(hub, `${START}/${id}/pause`, post({ reason: 'a holiday' }))) as {
      status: string;
      history: { verdict: string; reason: string }[];
    };
    assert.equal(paused.status, 'paused');
    // The gate may have looked again since.
    assert.ok(
      paused.history.some(
        ({ verdict, reason }) => verdict === 'ORDER' && reason === 'token:first: a holiday',
      ),
    );
    await assert.rejects(callHub(hub, `${START}/${id}/pause`, post()), coded('conflict', /it is paused/));
    assert.equal(
      ((await callHub(hub, `${START}/${id}/resume`, post())) as { status: string }).status,
      'running',
    );
    const audit = (await auditLines(hub.folder)).join('\n');
    assert.match(audit, /"what":"rollout\.pause".*"reason":"a holiday"/);
    const log = await callHub(hub, `${START}/${id}/events`);
    assert.match(String(log), /^\{"kind":"started"/);
  });
  test('go past the gate only by an administrator’s word with a reason', async (t) => {
    const { hub, id } = await running(t);
    const { token } = (await callHub(hub, '/api/v1/tokens', post({ id: 'ops', role: 'operator' }))) as {
      token: string;
    };
    await assert.rejects(
      callHub({ ...hub, token }, `${START}/${id}/force`, post({ reason: 'hurry' })),
      coded('forbidden'),
    );
    await assert.rejects(callHub(hub, `${START}/${id}/force`, post()), coded('input_invalid', /reason/));
    const forced = (await callHub(hub, `${START}/${id}/force`, post({ reason: 'hurry' }))) as {
      stageName: string;
      history: { verdict: string; action: string }[];
    };
    assert.equal(forced.stageName, 'canary');
    assert.ok(
      forced.history.some(({ verdict, action }) => verdict === 'ORDER' && action === 'forced to canary'),
    );
  });
  test('another version waits, supersedes, or is compared; what is not there is named', async (t) => {
    const { hub, id } = await running(t);
    await assert.rejects(callHub(hub, `${PROMOTE}/1.2.0/promote`, post()), coded('conflict', /1\.1\.0/));
    await callHub(hub, `${PROMOTE}/1.2.0/promote`, post({ supersede: true }));
    assert.equal(((await callHub(hub, `${START}/${id}`)) as { status: string }).status, 'superseded');
    await assert.rejects(callHub(hub, `${START}/nothing/explain`), coded('not_found', /nothing/));
    await assert.rejects(
      callHub(hub, `${START}/compare`, post({ model: 'base-ad-detector', versions: ['1.1.0', '1.2.0'] })),
      coded('conflict', /is running/),
    );
    await assert.rejects(
      callHub(hub, `${START}/${id}/rollback`, post({ reason: 'x' })),
      coded('conflict', /is not in production/),
    );
  });
  test('rounds need devices and a version to compare; tags need a device', async (t) => {
    const { hub } = await running(t);
    const round = (body: object) =>
      callHub(hub, '/api/v1/evaluations', post({ model: 'base-ad-detector', candidate: '1.1.0', ...body }));
    await assert.rejects(round({}), coded('conflict', /0 devices can be asked, the quorum is 10/));
    await assert.rejects(round({ candidate: '9.0.0' }), coded('not_found', /9\.0\.0/));
    await assert.rejects(round({ candidate: '1.0.0' }), coded('input_invalid', /against itself/));
    await assert.rejects(
      round({ secure: true, epsilon: 1, quorum: 2 }),
      (error: unknown) => error instanceof AdbreakError,
    );
    await assert.rejects(
      callHub(hub, '/api/v1/devices/pi-9/tags', { method: 'PUT', json: { tags: { ring: 'early' } } }),
      coded('not_found', /pi-9/),
    );
  });
});

describe('models', () => {
  test('are pushed, promoted and downloaded on the seed system’s paths', async (t) => {
    const hub = await testHub(t);
    await pushVersion(hub, await release('1.0.0'));
    assert.deepEqual(
      await callHub(
        hub,
        `${PROMOTE}/1.0.0/promote`,
        post({ is_production: true, status: 'production', rollout_percentage: 100 }),
      ),
      {
        model_name: 'base-ad-detector',
        version: '1.0.0',
        rollout: null,
        production: '1.0.0',
      },
    );
    for (const version of ['1.0.0', 'production'])
      assert.deepEqual(
        await callHub(hub, `${PROMOTE}/${version}/download`),
        Buffer.from(tinyRelease('1.0.0').file),
      );
    await pushVersion(hub, await release('1.1.0'));
    const { rollout } = (await callHub(
      hub,
      `${PROMOTE}/1.1.0/promote`,
      post({ status: 'canary', rollout_percentage: 10 }),
    )) as {
      rollout: { ceiling: number; percent: number; status: string };
    };
    assert.deepEqual(
      [rollout.ceiling, rollout.percent, rollout.status],
      [10, 0, 'running'],
      'a percentage becomes a rollout that begins in the shadow',
    );
    await assert.rejects(callHub(hub, `${PROMOTE}/9.9.9/promote`, post()), coded('not_found', /9\.9\.9/));
    await assert.rejects(callHub(hub, `${PROMOTE}/9.9.9/download`), coded('not_found'));
  });
  test('a forged manifest, a corrupt model, a second version of the same name: refused, nothing written', async (t) => {
    const hub = await testHub(t);
    const forged = await release('1.0.0', {
      manifest: (text) => text.replace(/"digest":"../, '"digest":"00'),
    });
    await assert.rejects(pushVersion(hub, forged), coded('manifest_forged', /SHA-256/));
    await assert.rejects(
      pushVersion(
        hub,
        await release('1.0.0', { manifest: (text) => text.replace('"schema":1', '"schema":1,"note":1') }),
      ),
      coded('input_invalid', /note/),
    );
    await assert.rejects(
      pushVersion(hub, await release('1.0.0', { file: (file) => file.subarray(0, 100) })),
      coded('manifest_forged'),
    );
    const overview = (await callHub(hub, '/api/v1/overview')) as { models: object };
    assert.deepEqual(overview.models, {});
    await pushVersion(hub, await release('1.0.0'));
    await assert.rejects(pushVersion(hub, await release('1.0.0')), coded('conflict', /exists already/));
  });
  test('every change stands in the audit log with who made it', async (t) => {
    const hub = await testHub(t);
    await pushVersion(hub, await release('1.0.0'));
    await callHub(hub, `${PROMOTE}/1.0.0/promote`, post());
    const lines = (await auditLines(hub.folder)).map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ who, what }) => `${who} ${what}`),
      ['hub token.create', 'token:first model.register', 'token:first model.promote'],
    );
  });
});

test('the longest name and version that can be pushed can be promoted, and its devices are told', async (t) => {
  const hub = await testHub(t);
  const name = 'm'.repeat(64);
  for (const version of ['1.0.0', '10000.10000.10000']) {
    const folder = await release(version, {
      manifest: (text) => JSON.stringify({ ...(JSON.parse(text) as object), name }),
    });
    await pushVersion(hub, folder);
    await callHub(hub, `/api/v1/models/${name}/versions/${version}/promote`, post());
  }
  const { rollouts } = (await callHub(hub, '/api/v1/overview')) as {
    rollouts: { id: string; status: string }[];
  };
  const [{ id = '', status } = {}] = rollouts;
  assert.deepEqual([id.length, status], [89, 'running']);
  assert.equal(((await callHub(hub, `/api/v1/rollouts/${id}`)) as { id: string }).id, id);
  await hub.running[Symbol.asyncDispose]();
  const again = { ...(await testHub(t, { folder: hub.folder })), token: hub.token };
  await callHub(again, `/api/v1/rollouts/${id}/abort`, post({ reason: 'enough' }));
  assert.equal(desired.shape.rollout.safeParse(id).success, true);
});

test('the hub remembers everything across a restart', async (t) => {
  const first = await testHub(t);
  await pushVersion(first, await release('1.0.0'));
  await first.running[Symbol.asyncDispose]();
  const again = await testHub(t, { folder: first.folder });
  assert.equal(again.running.firstToken, null, 'the first token is shown once');
  const overview = (await callHub({ ...again, token: first.token }, '/api/v1/overview')) as {
    models: Record<string, { versions: object }>;
  };
  assert.deepEqual(Object.keys(overview.models['base-ad-detector']?.versions ?? {}), ['1.0.0']);
});
