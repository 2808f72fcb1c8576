import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DEMO_PLAN, report } from '../rollouts/fixtures.js';
import { Executor } from '../rollouts/lifecycle/executor.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { Intake } from './ingest.js';

const NOW = new Date('2026-01-03T00:00:00.000Z');
const DIGESTS = { production: '1'.repeat(64), candidate: '2'.repeat(64) };

/** The intake over a real store, with a rollout under way that knows pi-0. */
async function intakeOf() {
  const store = await openStore(await temporaryFolder(), () => NOW);
  const executor = new Executor({
    store,
    now: () => NOW,
    publishDesired: async () => undefined,
    onDecision: () => undefined,
    startRound: async () => undefined,
    complain: (line) => assert.fail(line),
  });
  const evaluations = { take: async () => assert.fail('no round is open') };
  const intake = new Intake({
    store,
    executor,
    evaluations,
    now: () => NOW,
    log: (line) => assert.fail(line),
    onEvent: () => undefined,
    present: () => true,
  });
  await store.change((state) => {
    for (const id of ['pi-0', 'pi-1', 'pi-2']) state.devices[id] = deviceEntry(id, 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  });
  const promoted = await executor.promote({
    model: MODEL,
    version: '2.0.0',
    percent: 100,
    plan: DEMO_PLAN,
    who: 'test',
  });
  const window = (sequence: number, change: Partial<WindowReport> = {}) => {
    const own = { rollout: promoted?.id ?? null, ...DIGESTS, ...change };
    return intake.take(
      'pi-0',
      'windows',
      Buffer.from(JSON.stringify(report(sequence, sequence % 40, { wins: 1, agreed: 8 }, own))),
    );
  };
  return { evidence: () => store.state.rollouts[0]?.evidence.devices['pi-0'], window };
}

test('windows of one device are taken in order, whichever rollout each is of', async () => {
  const { window, evidence } = await intakeOf();
  await Promise.all([window(1), window(2, { rollout: null }), window(3)]);
  assert.equal(evidence()?.sequence, 3);
  assert.equal(evidence()?.lost.windows, 0);
  assert.equal(evidence()?.windows, 2);
});

for (const [between, change] of [
  ['one of no rollout', { rollout: null }],
  ['one of another pair', { production: '9'.repeat(64) }],
] as const)
  test(`a gap in the numbers is not forgotten for ${between} that comes first`, async () => {
    const { window, evidence } = await intakeOf();
    await window(1);
    await window(2);
    await window(23, change);
    await window(24);
    assert.equal(evidence()?.lost.windows, 20);
  });
