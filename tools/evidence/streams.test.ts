import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { Adwin, PageHinkley } from './streams.js';

test('detectors on streams find a step and keep quiet before it', () => {
  const random = seeded('streams');
  const values = Array.from({ length: 2000 }, (_, i) => (i < 1000 ? 0 : 1) + 0.2 * random.normal());
  const [adwin, hinkley] = [new Adwin(), new PageHinkley({ threshold: 10 })];
  const cuts = values.flatMap((value, i) => (adwin.update(value) ? [i] : []));
  const found = values.flatMap((value, i) => (hinkley.update(value) ? [i] : []));
  assert.ok((cuts[0] ?? 0) >= 1000 && (cuts[0] ?? 0) < 1064, `${cuts[0]}`);
  assert.ok((found[0] ?? 0) >= 1000 && (found[0] ?? 0) < 1064, `${found[0]}`);
  assert.ok(Math.abs(adwin.mean - 1) <= 0.1, `${adwin.mean}`);
});
