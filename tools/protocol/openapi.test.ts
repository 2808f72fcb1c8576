import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askByDocument } from './openapi.js';

test('what the hub answers is what its OpenAPI document says, and no fault; `make conformance-http` asks for longer', async (t) => {
  const asking = { examples: 15, edges: false, seconds: 300, seed: 1 };
  const { requests, statuses, conforms, words } = await askByDocument(t, asking);
  t.diagnostic(`${requests} requests: ${JSON.stringify(statuses)}`);
  assert.ok(conforms, words.slice(-20_000));
  assert.ok(requests >= 300, `${requests} requests\n${words.slice(-4000)}`);
  // Behind the doors, too: made, led on, refused, and not found.
  for (const status of ['200', '201', '400', '404']) assert.ok(status in statuses, JSON.stringify(statuses));
});
