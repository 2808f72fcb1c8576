import { AdbreakError } from '@adbreak/shared/errors.js';
import type { RolloutEvent } from '../events.js';
import type { RolloutEvent as FirstEvent } from '../first-gate/events.js';
import type { Entry as FirstEntry, Rollout as FirstRollout } from '../first-gate/rollout.js';
import { start as firstStart, step as firstStep } from '../first-gate/step.js';
import type { Plan } from '../plan.js';
import type { Entry, Rollout } from '../rollout.js';
import { start, step } from '../step.js';

export interface Replay<R, E> {
  readonly rollout: R;
  readonly decisions: readonly E[];
  /** What the hub decided when it happened, as far as the log says. */
  readonly recorded: readonly E[];
  readonly events: number;
  /** Orders of people that do not fit the rollout under another plan; left out. */
  readonly leftOut: readonly string[];
  /** The first decision that came out otherwise; null where all are the same. */
  readonly firstDifference: number | null;
}

/** A gate as a log needs it: how a rollout starts, and what an event does. */
interface Gate<R, E, Event extends { readonly kind: string }> {
  readonly start: (event: Extract<Event, { kind: 'started' }>) => R;
  readonly step: (
    state: R,
    event: Exclude<Event, { kind: 'started' }>,
  ) => { readonly state: R; readonly decision: E | null };
}

/** Runs the gate over a log, under the log's own plan or another one; a function of the events alone. */
export function replay(
  events: AsyncIterable<RolloutEvent>,
  other: Plan | null,
  onDecision: (entry: Entry) => void = () => undefined,
): Promise<Replay<Rollout, Entry>> {
  const from =
    other === null
      ? start
      : (event: Extract<RolloutEvent, { kind: 'started' }>) =>
          start({ ...event, rollout: { ...event.rollout, plan: other } });
  return run<Rollout, Entry, RolloutEvent>(events, { start: from, step }, other !== null, onDecision);
}

/** Audits a log of the first gate, by that gate: what it decided then must come out again. */
export function replayFirst(
  events: AsyncIterable<FirstEvent>,
  onDecision: (entry: FirstEntry) => void = () => undefined,
): Promise<Replay<FirstRollout, FirstEntry>> {
  return run<FirstRollout, FirstEntry, FirstEvent>(
    events,
    { start: firstStart, step: firstStep },
    false,
    onDecision,
  );
}

async function run<R, E, Event extends { readonly kind: string }>(
  events: AsyncIterable<Event | Extract<Event, { kind: 'decision' }>>,
  gate: Gate<R, E, Event>,
  lenient: boolean,
  onDecision: (entry: E) => void,
): Promise<Replay<R, E>> {
  let rollout: R | null = null;
  const decisions: E[] = [];
  const recorded: E[] = [];
  const leftOut: string[] = [];
  let number = 0;
  for await (const event of events) {
    number += 1;
    if (isStart(event)) {
      if (rollout !== null)
        throw new AdbreakError('input_invalid', `Cannot replay: event ${number} starts a second rollout`);
      rollout = gate.start(event);
      continue;
    }
    if (rollout === null)
      throw new AdbreakError(
        'input_invalid',
        'Cannot replay: the log does not begin with the event `started`',
        {
          remedy: 'See docs/protocol/rollout-events.md.',
        },
      );
    if (isDecision<E>(event)) {
      recorded.push(event.entry);
      continue;
    }
    let result: { readonly state: R; readonly decision: E | null };
    try {
      result = gate.step(rollout, event as Exclude<Event, { kind: 'started' }>);
    } catch (error) {
      // Under another plan the rollout may stand elsewhere when the person speaks.
      if (!lenient || event.kind !== 'order' || !(error instanceof AdbreakError)) throw error;
      leftOut.push(`event ${number}: ${error.message}`);
      continue;
    }
    rollout = result.state;
    if (result.decision === null) continue;
    decisions.push(result.decision);
    onDecision(result.decision);
  }
  if (rollout === null) throw new AdbreakError('input_invalid', 'Cannot replay: the log is empty');
  const first = Array.from({ length: Math.max(decisions.length, recorded.length) }, (_, i) => i).find(
    (i) => JSON.stringify(decisions[i]) !== JSON.stringify(recorded[i]),
  );
  return { rollout, decisions, recorded, events: number, leftOut, firstDifference: first ?? null };
}

function isStart<Event extends { readonly kind: string }>(
  event: Event,
): event is Extract<Event, { kind: 'started' }> {
  return event.kind === 'started';
}
function isDecision<E>(event: {
  readonly kind: string;
}): event is { readonly kind: 'decision'; readonly entry: E } {
  return event.kind === 'decision';
}
