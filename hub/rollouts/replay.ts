import { AdbreakError } from '@adbreak/shared/errors.js';
import type { RolloutEvent } from './events.js';
import type { Plan } from './plan.js';
import type { Entry, Rollout } from './rollout.js';
import { start, step } from './step.js';

export interface Replay {
  readonly rollout: Rollout;
  readonly decisions: readonly Entry[];
  /** What the hub decided when it happened, as far as the log says. */
  readonly recorded: readonly Entry[];
  readonly events: number;
  /** Orders of people that do not fit the rollout under another plan; left out. */
  readonly leftOut: readonly string[];
  /** The first decision that came out otherwise; null where all are the same. */
  readonly firstDifference: number | null;
}

/** Runs the gate over a log, under the log's own plan or another one; a function of the events alone. */
export async function replay(events: AsyncIterable<RolloutEvent>, other: Plan | null, onDecision: (entry: Entry) => void = () => undefined): Promise<Replay> {
  let rollout: Rollout | null = null;
  const decisions: Entry[] = [];
  const recorded: Entry[] = [];
  const leftOut: string[] = [];
  let number = 0;
  for await (const event of events) {
    number += 1;
    if (event.kind === 'started') {
      if (rollout !== null) throw new AdbreakError('input_invalid', `Cannot replay: event ${number} starts a second rollout`);
      rollout = start(other === null ? event : { ...event, rollout: { ...event.rollout, plan: other } });
      continue;
    }
    if (rollout === null)
      throw new AdbreakError('input_invalid', 'Cannot replay: the log does not begin with the event `started`', {
        remedy: 'See docs/protocol/rollout-events.md.',
      });
    if (event.kind === 'decision') {
      recorded.push(event.entry);
      continue;
    }
    let result: ReturnType<typeof step>;
    try {
      result = step(rollout, event);
    } catch (error) {
      // Under another plan the rollout may stand elsewhere when the person speaks.
      if (other === null || event.kind !== 'order' || !(error instanceof AdbreakError)) throw error;
      leftOut.push(`event ${number}: ${error.message}`);
      continue;
    }
    const { state, decision } = result;
    rollout = state;
    if (decision === null) continue;
    decisions.push(decision);
    onDecision(decision);
  }
  if (rollout === null) throw new AdbreakError('input_invalid', 'Cannot replay: the log is empty');
  const first = Array.from({ length: Math.max(decisions.length, recorded.length) }, (_, i) => i).find(
    (i) => JSON.stringify(decisions[i]) !== JSON.stringify(recorded[i]),
  );
  return { rollout, decisions, recorded, events: number, leftOut, firstDifference: first ?? null };
}
