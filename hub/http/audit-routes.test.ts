import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuditLine, audit } from '@adbreak/shared/contract/http/audit.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, callHub } from '../cli/client.js';
import { runAt } from '../testing/command.js';
import { tamper } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';
import { BUDGET } from './refused.js';

const list = async (hub: TestHub, query: object = {}) => callBy(hub, audit.list, { query });
const told = ({ who, what, subject }: AuditLine) => `${who} ${what} ${subject}`;
async function madeToken(hub: TestHub, id: string, role: 'viewer' | 'operator'): Promise<TestHub> {
  return { ...hub, token: (await callBy(hub, tokens.create, { body: { id, role } })).token };
}

test('a change says who made it, from where, in which request, and what became of what', async (t) => {
  const hub = await testHub(t);
  await madeToken(hub, 'eye', 'viewer');
  const { entries, next } = await list(hub);
  const [newest] = entries;
  assert.deepEqual([entries.map(({ number }) => number), next], [[2, 1], null]);
  assert.deepEqual(
    [newest && told(newest), newest?.from, (newest?.after as { role: string } | undefined)?.role],
    ['token:first token.create eye', '127.0.0.1', 'viewer'],
  );
  assert.ok(hub.log.some((line) => line.startsWith(`request ${newest?.request}: POST /api/v1/tokens`)));
  assert.deepEqual(
    [entries[1]?.who, entries[1]?.from],
    ['hub', null],
    'what nobody asked for has no address',
  );
});

test('an attempt above a role stands in the log under its token, a flood of them as one line more', async (t) => {
  const now = () => new Date('2026-01-01T00:00:00.000Z');
  const hub = await testHub(t, { now });
  const eye = await madeToken(hub, 'eye', 'viewer');
  const tries = BUDGET.each + 7;
  for (let i = 0; i < tries; i++)
    await assert.rejects(callHub(eye, '/api/v1/claims', { method: 'POST', json: {} }), { code: 'forbidden' });
  await assert.rejects(callHub({ ...hub, token: 'none' }, '/api/v1/overview'), { code: 'unauthorized' });
  const found = await until('they are written', async () => {
    const { entries } = await list(hub, { what: 'refused' });
    return entries.length > BUDGET.each && entries;
  });
  assert.deepEqual(found.map(told).sort().slice(0, 2), [
    'nobody known refused GET /api/v1/overview',
    'token:eye refused POST /api/v1/claims',
  ]);
  assert.equal(found.length, BUDGET.each + 1);
  await assert.rejects(list(eye), {
    code: 'forbidden',
    message: /reading the audit log needs the role admin/,
  });
  await hub.running[Symbol.asyncDispose]();
  const again = { ...(await testHub(t, { folder: hub.folder, now })), token: hub.token };
  const { entries } = await list(again, { what: 'refused.more' });
  assert.deepEqual(
    entries.map(({ who, after }) => [who, (after as { attempts: number }).attempts]),
    [['token:eye', tries + 1 - BUDGET.each]],
  );
});

test('the log is read a page at a time, by who, what, subject and time', async (t) => {
  let now = new Date('2026-01-01T00:00:00.000Z');
  const hub = await testHub(t, { now: () => now });
  for (let i = 0; i < 5; i++) await madeToken(hub, `early-${i}`, 'viewer');
  now = new Date('2026-01-03T00:00:00.000Z');
  for (let i = 0; i < 5; i++) await madeToken(hub, `late-${i}`, 'operator');
  const first = await list(hub, { limit: 4 });
  assert.deepEqual([first.entries.length, first.next], [4, first.entries.at(-1)?.number]);
  const rest = await list(hub, { before: first.next ?? 0 });
  assert.deepEqual(
    [...first.entries, ...rest.entries].map(({ number }) => number),
    Array.from({ length: 11 }, (_, i) => 11 - i),
  );
  const subjects = async (query: object) => (await list(hub, query)).entries.map(({ subject }) => subject);
  assert.deepEqual(await subjects({ subject: 'early-3' }), ['early-3']);
  assert.equal((await subjects({ since: '2026-01-02T00:00:00.000Z' })).length, 5);
  assert.equal((await subjects({ who: 'first', what: 'token' })).length, 10);
  assert.deepEqual(await subjects({ who: 'hub' }), ['first']);
  await assert.rejects(callHub(hub, '/api/v1/audit?since=yesterday'), { code: 'input_invalid' });
});

test('`audit list` tells it in lines, and `audit verify` finds an entry that was changed, or all of it written anew', async (t) => {
  const hub = await testHub(t);
  await madeToken(hub, 'eye', 'viewer');
  const { out } = await runAt(hub, 'audit', 'list', '--what', 'token', '--since', '1h');
  assert.match(out, /^2 {2}\S+Z {2}token:first at 127\.0\.0\.1: token\.create eye {2}\{"role":"viewer"/);
  const verify = (...args: string[]) => runAt(hub, 'audit', 'verify', '--state', hub.folder, ...args);
  const sound = await verify('--json');
  const { entries, hash } = JSON.parse(sound.out) as { entries: number; hash: string };
  assert.deepEqual([sound.code, entries], [0, 2]);
  assert.equal((await verify('--holds', `2:${hash}`)).code, 0);
  const other = await verify('--holds', `2:${'0'.repeat(64)}`);
  assert.match(other.error, /error state_corrupt: .*entry 2 is not the one that was noted down/);
  await hub.running[Symbol.asyncDispose]();
  await tamper(hub.folder, "update audit set body = replace(body, 'eye', 'ear') where number = 2");
  const changed = await verify();
  assert.equal(changed.code, 1);
  assert.match(changed.error, /error state_corrupt: Cannot trust the audit log .*entry 2 was changed/);
});
