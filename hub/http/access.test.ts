import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { test } from 'node:test';
import { mayAs, ROLES, type Role } from '@adbreak/shared/contract/http/access.js';
import { OPERATIONS } from '@adbreak/shared/contract/http/all.js';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import { callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { type TestHub, testHub } from '../testing.js';

/** A path with names that nothing has. */
const filled = (path: string) =>
  path.replace(/\{(\w+)\}/g, (_, name) => (name === 'version' ? '1.0.0' : 'none'));

async function tokens(hub: TestHub): Promise<Record<Role, string>> {
  const made = async (role: Role) => {
    const answer = await callHub(hub, '/api/v1/tokens', { method: 'POST', json: { id: role, role } });
    return (answer as { token: string }).token;
  };
  return { viewer: await made('viewer'), operator: await made('operator'), admin: await made('admin') };
}

test('every route is registered from a contract, and every contract is a route', async (t) => {
  const { running } = await testHub(t);
  const registered = running.routes
    .filter(({ method }) => method !== 'HEAD')
    .map(({ method, url }) => `${method} ${url}`);
  const written = OPERATIONS.map(
    ({ contract: { method, path } }) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
  );
  assert.deepEqual(registered.sort(), written.sort());
});

test('every route is closed to who has no token, a role below its own, or no certificate', async (t) => {
  const hub = await testHub(t);
  const by = await tokens(hub);
  const agent = new Agent({ ca: hub.authority, keepAlive: true });
  t.after(() => agent.destroy());
  const codeOf = async (method: string, path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { status, body } = await answerOf({ hub: hub.hub, method, path: filled(path), headers, agent });
    return status < 400 ? String(status) : problem.parse(JSON.parse(body)).code;
  };
  let closed = 0;
  for (const { name, contract } of OPERATIONS) {
    const { method, path, access } = contract;
    if (access === 'public' || access === 'visitor') continue;
    closed += 1;
    assert.equal(await codeOf(method, path), 'unauthorized', name);
    for (const role of ROLES) {
      const code = await codeOf(method, path, by[role]);
      if (access === 'device' || access === 'late-device')
        assert.equal(code, 'unauthorized', `${name} ${role}`);
      else if (mayAs(role, access))
        assert.ok(!['unauthorized', 'forbidden'].includes(code), `${name}: ${code}`);
      else assert.equal(code, 'forbidden', `${name} ${role}`);
    }
  }
  assert.ok(closed > 40, `${closed} routes`);
});

test('who may not come in is refused before the body is read, and each refusal is in the log by its request', async (t) => {
  const hub = await testHub(t);
  const agent = new Agent({ ca: hub.authority });
  const { status, headers, body } = await answerOf({
    hub: hub.hub,
    method: 'POST',
    path: '/api/v1/claims',
    headers: { 'content-type': 'application/json' },
    send: '{ this is not JSON',
    agent,
  });
  const { code, request } = problem.parse(JSON.parse(body));
  assert.deepEqual([status, code, headers['x-request-id']], [401, 'unauthorized', request]);
  const line = hub.log.findIndex((one) =>
    one.startsWith(`request ${request}: POST /api/v1/claims by nobody`),
  );
  assert.ok(line >= 0, hub.log.join('\n'));
  assert.equal(hub.about[line]?.request, request);
});

test('who is refused again and again fills no log', async (t) => {
  const hub = await testHub(t, { now: () => new Date('2026-01-01T00:00:00.000Z') });
  const agent = new Agent({ ca: hub.authority, keepAlive: true });
  t.after(() => agent.destroy());
  for (let i = 0; i < 40; i++)
    await answerOf({ hub: hub.hub, method: 'GET', path: '/api/v1/overview', agent });
  assert.equal(hub.log.filter((line) => /GET \/api\/v1\/overview by nobody known/.test(line)).length, 20);
});
