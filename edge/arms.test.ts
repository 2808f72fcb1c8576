import assert from 'node:assert/strict';
import { test } from 'node:test';
import { armsOf } from './arms.js';

const [production, candidate] = ['1.0.0', '2.0.0'].map((version) => ({
  version,
  digest: version[0]?.repeat(64) ?? '',
}));

test('of two models one acts and the other is its shadow; of none, none', () => {
  assert.ok(production !== undefined && candidate !== undefined);
  assert.deepEqual(armsOf({ serve: 'production', production, candidate }), {
    acting: production,
    shadow: candidate,
  });
  assert.deepEqual(armsOf({ serve: 'candidate', production, candidate }), {
    acting: candidate,
    shadow: production,
  });
  assert.deepEqual(armsOf({ serve: 'production', production, candidate: null }), {
    acting: production,
    shadow: null,
  });
  assert.deepEqual(armsOf(undefined), { acting: null, shadow: null });
});
