import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { callBy, callHub } from '../cli/client.js';
import { newSecret } from '../identity/secrets.js';
import { openStore } from '../store/open.js';
import { runAt } from '../testing/command.js';
import { auditLines } from '../testing/store.js';
import { testHub } from '../testing.js';

const DAY = 24 * 3_600_000;
const START = Date.parse('2026-01-01T00:00:00.000Z');

test('a token opens nothing after its end, a year where nothing is said, or once it is revoked', async (t) => {
  let now = new Date(START);
  const hub = await testHub(t, { now: () => now });
  const make = async (id: string, days?: number) => {
    const body = { id, role: 'viewer' as const, ...(days !== undefined && { days }) };
    return { ...hub, token: (await callBy(hub, tokens.create, { body })).token };
  };
  const [year, week, lost] = [await make('year'), await make('week', 7), await make('lost')];
  const look = (as: typeof hub) => callHub(as, '/api/v1/overview');
  for (const as of [year, week, lost]) await look(as);

  const revoked = await callBy(hub, tokens.revoke, { params: { id: 'lost' } });
  assert.deepEqual([revoked.standing, revoked.revoked], ['revoked', now.toISOString()]);
  await assert.rejects(look(lost), {
    code: 'unauthorized',
    message: /the token lost was revoked at 2026-01-01/,
  });
  now = new Date(START + 7 * DAY);
  await assert.rejects(look(week), { code: 'unauthorized', message: /the token week expired at 2026-01-08/ });
  const again = await callBy(hub, tokens.revoke, { params: { id: 'lost' } });
  assert.equal(again.revoked, revoked.revoked, 'it stays revoked since then');

  now = new Date(START + 365 * DAY - 1);
  await look(year);
  const { tokens: all } = await callBy(hub, tokens.list, {});
  assert.deepEqual(
    all.map(({ id, role, standing }) => `${id} ${role} ${standing}`),
    ['first admin valid', 'year viewer valid', 'week viewer expired', 'lost viewer revoked'],
  );
  assert.ok(!JSON.stringify(all).includes('hash'));
  now = new Date(START + 365 * DAY);
  await assert.rejects(look(year), { code: 'unauthorized', message: /the token year expired at 2027-01-01/ });
  const lines = (await auditLines(hub.folder)).join('\n');
  assert.match(lines, /"who":"token:first","what":"token\.revoke","subject":"lost"/);
});

test('a token of before tokens ended goes on, and is listed as one without an end', async (t) => {
  const folder = await temporaryFolder();
  const first = await testHub(t, { folder });
  await first.running[Symbol.asyncDispose]();
  const { secret, hash } = newSecret('token');
  const store = await openStore(folder, () => new Date());
  const created = '2020-01-01T00:00:00.000Z';
  await store.change((state) => void state.tokens.push({ id: 'old', hash, role: 'admin', created }));
  await store.close();
  const hub = { ...(await testHub(t, { folder })), token: secret };
  const { tokens: all } = await callBy(hub, tokens.list, {});
  assert.deepEqual(
    all.find(({ id }) => id === 'old'),
    { id: 'old', role: 'admin', created, expires: null, revoked: null, standing: 'endless' },
  );
});

test('a name is one token’s for good, and the last token of an administrator stays', async (t) => {
  const hub = await testHub(t);
  const body = { id: 'ops', role: 'admin' as const };
  const ops = { ...hub, token: (await callBy(hub, tokens.create, { body })).token };
  await callBy(ops, tokens.revoke, { params: { id: 'first' } });
  await assert.rejects(callBy(ops, tokens.revoke, { params: { id: 'ops' } }), {
    code: 'conflict',
    message: /it is the last one of an administrator/,
  });
  await assert.rejects(callBy(ops, tokens.create, { body: { ...body, id: 'first' } }), { code: 'conflict' });
  await assert.rejects(callBy(ops, tokens.revoke, { params: { id: 'nobody' } }), { code: 'not_found' });
  await callHub(ops, '/api/v1/overview');
});

test('tokens are made, listed and revoked from the command line', async (t) => {
  const hub = await testHub(t);
  const made = await runAt(hub, 'tokens', 'create', 'eye', '--role', 'viewer', '--days', '30');
  assert.match(made.out, /"token": "adbreak_token_[0-9a-f]{40}"/);
  const list = (await runAt(hub, 'tokens', 'list')).out;
  assert.match(list, /^first {2}admin {2}made \S+, until \S+$/m);
  const [, from = '', until = ''] = /^eye {2}viewer {2}made (\S+), until (\S+)$/m.exec(list) ?? [];
  assert.equal(Date.parse(until) - Date.parse(from), 30 * DAY);
  assert.match((await runAt(hub, 'tokens', 'revoke', 'eye')).out, /^eye {2}viewer .*, revoked \S+\n$/);
  assert.match(
    (await runAt(hub, 'tokens', 'create', 'x', '--role', 'king')).error,
    /Allowed choices are viewer/,
  );
  assert.match(
    (await runAt(hub, 'tokens', 'create', 'x', '--role', 'viewer', '--days', '0')).error,
    /a number of days up to 3650/,
  );
});
