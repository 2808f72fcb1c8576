import assert from 'node:assert/strict';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Intake } from '../fleet/ingest.js';
import { DEMO_PLAN } from '../rollouts/fixtures.js';
import { Executor } from '../rollouts/lifecycle/executor.js';
import type { Plan } from '../rollouts/plan.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL, modelEntry } from './state.js';

/** What devices of `intakeOf` run. */
export const PAIR = { production: '1'.repeat(64), candidate: '2'.repeat(64) };

/**
 * The intake over a real store, with a rollout under way that knows pi-0; given the same folder again, a hub that was
 * started anew.
 */
export async function intakeOf({
  now,
  folder,
  plan = DEMO_PLAN,
}: {
  now: () => Date;
  folder?: string;
  plan?: Plan;
}) {
  const state = folder ?? (await temporaryFolder());
  const lines: string[] = [];
  const told: (string | null)[] = [];
  const store = await openStore(state, now);
  const executor = new Executor({
    store,
    now,
    publishDesired: async () => undefined,
    onDecision: () => undefined,
    startRound: async () => undefined,
    complain: (line) => assert.fail(line),
  });
  const intake = new Intake({
    store,
    executor,
    evaluations: { take: async () => assert.fail('no round is open') },
    now,
    log: (line) => lines.push(line),
    onEvent: () => undefined,
    present: () => true,
    barred: () => false,
    tell: async (device) => void told.push(store.state.devices[device]?.refusal?.message ?? null),
  });
  if (folder === undefined) {
    await store.change((all) => {
      for (const id of ['pi-0', 'pi-1', 'pi-2']) all.devices[id] = deviceEntry(id, 'one');
      all.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
    });
    await executor.promote({ model: MODEL, version: '2.0.0', percent: 100, plan, who: 'test' });
  }
  await executor.recover();
  return {
    folder: state,
    lines,
    /**
     * What pi-0 and the others heard of refused reports, as their entries said it; null where there is none.
     */
    told,
    intake,
    store,
    executor,
    rollout: () => store.state.rollouts[0] ?? assert.fail('no rollout'),
    evidence: () => store.state.rollouts[0]?.evidence.devices['pi-0'],
    device: () => store.state.devices['pi-0'] ?? assert.fail('no device'),
    send: (report: WindowReport) => intake.take('pi-0', 'windows', Buffer.from(JSON.stringify(report))),
  };
}
