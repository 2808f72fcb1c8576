import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState } from '../store/state.js';
import { endings } from './endings.js';
import { newToken } from './secrets.js';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const DAY = 24 * 3_600_000;
const at = (days: number) => new Date(START + days * DAY);
const made = (issued: number, ends: number, revoked: number | null = null) => ({
  fingerprint: 'f'.repeat(64),
  issued: at(issued).toISOString(),
  ends: at(ends).toISOString(),
  revoked: revoked === null ? null : at(revoked).toISOString(),
});

test('a token and an operator’s certificate are named from thirty days before their end until thirty days after it', () => {
  const state = emptyState();
  const { row: first } = newToken('first', 'admin', at(0));
  const { row: short } = newToken('short', 'viewer', at(0), 20);
  const { row: gone } = newToken('gone', 'viewer', at(0));
  state.tokens.push(first, short, { ...gone, revoked: at(1).toISOString() });
  state.tokens.push({ id: 'endless', role: 'viewer', hash: gone.hash, created: at(0).toISOString() });
  const entry = { role: 'operator' as const, created: at(0).toISOString() };
  state.operators['desk'] = { name: 'desk', ...entry, certificates: [made(0, 360)] };
  state.operators['next'] = { name: 'next', ...entry, certificates: [made(0, 360), made(300, 665)] };
  state.operators['back'] = {
    name: 'back',
    ...entry,
    certificates: [made(0, 362), made(1, 366, 2)],
  };
  const named = (days: number) => endings(state, at(days)).map(({ what, over }) => `${what} ${over}`);
  assert.deepEqual(named(0), []);
  assert.deepEqual(named(16), ['token short false'], 'the last quarter of what is short');
  assert.deepEqual(named(329), []);
  assert.deepEqual(named(335), [
    'the certificate of operator desk false',
    'the certificate of operator back false',
    'token first false',
  ]);
  assert.deepEqual(named(370), [
    'the certificate of operator desk true',
    'the certificate of operator back true',
    'token first true',
  ]);
  assert.deepEqual(named(400), []);
  const [desk] = endings(state, at(340));
  assert.match(desk?.mend ?? '', /adbreak operators certificate desk --role operator/);
});
