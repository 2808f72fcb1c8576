import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { api, Refused, ServerGone, ShutOut } from './api.js';

const action = { kind: 'redo', id: '00000000-0000-4000-8000-000000000001' } as const;
const body = JSON.stringify({ error: 'x', message: 'No.', remedy: 'Do.' });

describe('what an answer means for what was asked', () => {
  const cases = [
    { status: 401, kind: ShutOut, words: 'a server that was started anew: kept, not dropped' },
    { status: 503, kind: ServerGone, words: 'not now' },
    { status: 429, kind: ServerGone, words: 'too often' },
    { status: 422, kind: Refused, words: 'never' },
    { status: 404, kind: Refused, words: 'no such thing' },
  ];
  for (const { status, kind, words } of cases)
    test(`${status}: ${words}`, async (t) => {
      t.mock.method(globalThis, 'fetch', async () => new Response(body, { status }));
      await assert.rejects(api.post('ada', action), (error) => error instanceof kind);
    });

  test('what is asked for again later is nothing that was refused', () => {
    assert.ok(new ShutOut('x') instanceof ServerGone);
    assert.ok(!(new ShutOut('x') instanceof Refused));
  });
});
