import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantSchema } from './instant.js';
import { status } from './messages.js';

test('a moment is told in so many characters, and no more is kept of anybody', () => {
  const at = (digits: number) => `2026-01-01T00:00:00.${'0'.repeat(digits)}Z`;
  for (const digits of [1, 3, 9])
    assert.ok(instantSchema().safeParse(at(digits)).success, `${digits} digits`);
  for (const digits of [15, 60_000]) {
    assert.ok(!instantSchema().safeParse(at(digits)).success, `${digits} digits`);
    assert.ok(!status.safeParse({ online: true, agent: '1', at: at(digits) }).success);
  }
});
