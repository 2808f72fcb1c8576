import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { callHub } from '../cli/client.js';
import { hubWithExceptions, productions } from '../testing/exceptions.js';
import { auditLines } from '../testing/store.js';
import type { TestHub } from '../testing.js';

const EXCEPTIONS = '/api/v1/models/base-ad-detector/exceptions';
const coded =
  (code: ErrorCode, words = /./) =>
  (error: unknown) =>
    error instanceof AdbreakError && error.code === code && words.test(error.message);
const lift = (hub: TestHub, json: unknown, path = EXCEPTIONS) =>
  callHub(hub, `${path}/lift`, { method: 'POST', json });
const as = async (hub: TestHub, role: string) => {
  const { token } = (await callHub(hub, '/api/v1/tokens', { method: 'POST', json: { id: role, role } })) as {
    token: string;
  };
  return { ...hub, token };
};
const listed = z.object({
  exceptions: z.array(z.object({ name: z.string(), devices: z.array(z.string()) })),
  text: z.string(),
});

test('whoever may look sees exceptions; an administrator alone lifts one, as one alone may force', async (t) => {
  const hub = await hubWithExceptions(t);
  const [viewer, operator] = [await as(hub, 'viewer'), await as(hub, 'operator')];
  await assert.rejects(callHub({ ...hub, token: '' }, EXCEPTIONS), coded('unauthorized'));
  await assert.rejects(lift({ ...hub, token: '' }, { name: 'channel=one' }), coded('unauthorized'));
  const { exceptions, text } = listed.parse(await callHub(viewer, EXCEPTIONS));
  assert.deepEqual(
    exceptions.map(({ name, devices }) => [name, devices]),
    [
      ['channel=one', ['pi-1', 'pi-2']],
      ['device=pi-3', ['pi-3']],
    ],
  );
  assert.match(text, /channel=one stays on 1\.0\.0: 2 devices: pi-1, pi-2/);
  for (const one of [viewer, operator])
    await assert.rejects(
      lift(one, { name: 'channel=one' }),
      coded('forbidden', /lifting an exception needs the role admin/),
    );
  assert.deepEqual(await productions(hub), {
    'pi-1': '1.0.0',
    'pi-2': '1.0.0',
    'pi-3': '1.0.0',
    'pi-4': '2.0.0',
  });
  const answer = (await lift(hub, { name: 'channel= One', reason: '  a new aerial ' })) as {
    kind: string;
    moves: object[];
  };
  assert.deepEqual([answer.kind, answer.moves.length], ['lift', 2]);
  assert.deepEqual(await productions(hub), {
    'pi-1': '2.0.0',
    'pi-2': '2.0.0',
    'pi-3': '1.0.0',
    'pi-4': '2.0.0',
  });
  assert.match(
    (await auditLines(hub.folder)).join('\n'),
    /"who":"token:first","what":"exception\.lift","subject":"base-ad-detector channel=one".*"reason":"a new aerial"/,
  );
});

test('bad input is refused with a code, and changes nothing', async (t) => {
  const hub = await hubWithExceptions(t);
  const before = await callHub(hub, EXCEPTIONS);
  for (const body of [
    {},
    null,
    [],
    { name: 1 },
    { name: '' },
    { name: 'constructor' },
    { name: '__proto__' },
    { name: 'ring=early' },
    { name: 'channel' },
    { name: `channel=${'x'.repeat(130)}` },
    { name: 'channel=one', reason: '' },
    { name: 'channel=one', reason: ' \n' },
    { name: 'channel=one', reason: 'x'.repeat(501) },
    { name: 'channel=one', percent: 1 },
  ])
    await assert.rejects(lift(hub, body), coded('input_invalid'), JSON.stringify(body));
  await assert.rejects(
    lift(hub, { name: 'channel=one', reason: 'x'.repeat(70_000) }),
    coded('input_too_large'),
  );
  for (const name of [
    'channel=constructor',
    'device=constructor',
    'device=__proto__',
    'channel=',
    'channel=onne',
    'channel=on e',
  ])
    await assert.rejects(lift(hub, { name }), coded('not_found', /it is no exception/), name);
  for (const model of ['constructor', 'nothing']) {
    await assert.rejects(
      callHub(hub, `/api/v1/models/${model}/exceptions`),
      coded('not_found', /there is no such model/),
    );
    await assert.rejects(
      lift(hub, { name: 'channel=one' }, `/api/v1/models/${model}/exceptions`),
      coded('not_found', /there is no such model/),
    );
  }
  for (const model of ['__proto__', 'A', 'x'.repeat(65)])
    await assert.rejects(
      callHub(hub, `/api/v1/models/${model}/exceptions`),
      coded('input_invalid', /must be a model name/),
    );
  assert.deepEqual(await callHub(hub, EXCEPTIONS), before);
});

test('while a rollout of the model is active nothing is lifted; when it is aborted, it is', async (t) => {
  const hub = await hubWithExceptions(t);
  const promoted = await callHub(hub, '/api/v1/models/base-ad-detector/versions/3.0.0/promote', {
    method: 'POST',
    json: {},
  });
  const { rollout } = z.object({ rollout: z.object({ id: z.string() }) }).parse(promoted);
  await assert.rejects(
    lift(hub, { name: 'channel=one' }),
    coded('conflict', new RegExp(`rollout ${rollout.id} is running`)),
  );
  assert.match(
    listed.parse(await callHub(hub, EXCEPTIONS)).text,
    new RegExp(`Rollout ${rollout.id} is running: nothing can be lifted`),
  );
  await callHub(hub, `/api/v1/rollouts/${rollout.id}/abort`, { method: 'POST', json: { reason: 'x' } });
  await lift(hub, { name: 'channel=one' });
  assert.deepEqual((await productions(hub))['pi-1'], '2.0.0');
});
