import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { report } from '../rollouts/fixtures.js';
import { intakeOf, PAIR } from '../testing/intake.js';

const NOW = new Date('2026-01-03T00:00:00.000Z');

async function intake() {
  const { send, evidence, rollout } = await intakeOf({ now: () => NOW });
  const window = (sequence: number, change: Partial<WindowReport> = {}) => {
    const own = { rollout: rollout().id, ...PAIR, ...change };
    return send(report(sequence, sequence % 40, { wins: 1, agreed: 8 }, own));
  };
  return { evidence, window };
}

test('windows of one device are taken in order, whichever rollout each is of', async () => {
  const { window, evidence } = await intake();
  await Promise.all([window(1), window(2, { rollout: null }), window(3)]);
  assert.equal(evidence()?.sequence, 3);
  assert.equal(evidence()?.lost.windows, 0);
  assert.equal(evidence()?.windows, 2);
});

for (const [between, change] of [
  ['one of no rollout', { rollout: null }],
  ['one of another pair', { production: PAIR.candidate, candidate: PAIR.production }],
] as const)
  test(`a gap in the numbers is not forgotten for ${between} that comes first`, async () => {
    const { window, evidence } = await intake();
    await window(1);
    await window(2);
    await window(23, change);
    await window(24);
    assert.equal(evidence()?.lost.windows, 20);
  });
