import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Desired, desired } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import { forTheWire } from './desired.js';

const modelRef = z.strictObject({ version: z.string(), digest: z.string() });
/** What an agent of 0.1.0 takes: a key that it does not know makes it refuse the whole message. */
const ofTheFirstAgents = z.strictObject({
  revision: z.int().positive(),
  model: z.string(),
  production: modelRef,
  candidate: modelRef.nullable(),
  serve: z.enum(['production', 'candidate']),
  rollout: z.string().nullable(),
});
const ref = (version: string) => ({ version: `${version}.0.0`, digest: version.repeat(64) });
const PLAIN: Desired = {
  revision: 3,
  model: 'base-ad-detector',
  production: ref('1'),
  candidate: ref('2'),
  serve: 'production',
  rollout: 'r',
  evaluation: null,
  ask: null,
  draws: { perWeek: null, answerHours: 24 },
};
const published = (message: Desired): unknown => JSON.parse(JSON.stringify(forTheWire(message)));

test('an agent of 0.1.0 takes an assignment that asks for nothing newer, and later agents read it as it was', () => {
  assert.deepEqual(ofTheFirstAgents.parse(published(PLAIN)).candidate, ref('2'));
  assert.deepEqual(desired.parse(published(PLAIN)), PLAIN);
});

test('what is not its default is published', () => {
  for (const change of [
    { ask: 'disagreements' as const },
    { draws: { perWeek: null, answerHours: 12 } },
    { draws: { perWeek: 7, answerHours: 24 } },
  ]) {
    const message = { ...PLAIN, ...change };
    assert.deepEqual(desired.parse(published(message)), message);
  }
});
