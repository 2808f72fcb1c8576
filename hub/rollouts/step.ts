import { hourOf } from '@adbreak/shared/evidence/world.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { isApart } from './apart.js';
import { absorbHour, noDrift } from './drift.js';
import type { EventOf, RolloutEvent } from './events.js';
import { noEvidence, saturated } from './evidence.js';
import { tick } from './look.js';
import type { Step } from './moves.js';
import { exclude, order } from './orders.js';
import { isActive, type Rollout } from './rollout.js';
import { clusterOfSlice } from './slices.js';
import { summaryOf } from './standing.js';
import { absorb, windowOf } from './windows.js';

export function start({
  at,
  rollout,
  ceiling,
  reference,
  baseline,
  exceptions,
}: EventOf<'started'>): Rollout {
  return {
    ...rollout,
    ceiling,
    stage: 0,
    status: 'running',
    startedAt: at,
    stageSince: at,
    uncountedHours: 0,
    before: { episodes: 0, acting: 0 },
    windowsBefore: {},
    approved: false,
    round: null,
    members: [],
    acting: [],
    placed: {},
    excepted: {},
    exceptions,
    excluded: {},
    setAside: {},
    failing: {},
    limitStops: 0,
    limitStanding: null,
    silentSince: null,
    evidence: noEvidence(windowOf(Date.parse(at), rollout.plan) - 1),
    baseline,
    drift: noDrift(reference, hourOf(Date.parse(at)).hour),
    history: [],
    last: null,
    summary: null,
  };
}

/**
 * One event: state in, state and effects out; no clock, no chance, no I/O. Evidence and open hours are added up in place
 * (they are sums); everything else of the old state is left as it was.
 */
export function step(state: Rollout, event: Exclude<RolloutEvent, { kind: 'started' }>): Step {
  const still = (next: Rollout = state): Step => ({
    state: next,
    effects: [],
    decision: null,
    verdict: null,
    quiet: false,
  });
  if (!isActive(state)) return still();
  switch (event.kind) {
    case 'window':
      takeWindow(state, event);
      return still();
    case 'assigned':
      return still(assigned(state, event));
    case 'device': {
      const known = ownValue(state.evidence.devices, event.device);
      if (event.enrolledAgain && known !== undefined) known.sequence = 0;
      const others = Object.fromEntries(Object.entries(state.failing).filter(([id]) => id !== event.device));
      return still({
        ...state,
        failing: event.problem === null ? others : { ...others, [event.device]: event.problem },
      });
    }
    case 'round':
      return still({ ...state, round: event.round });
    case 'tick':
      return ended(tick(state, new Date(event.at), event.siblings));
    case 'order':
      return ended(order(state, event));
    case 'exclude':
      return exclude(state, event);
    case 'uncounted':
      return still(uncounted(state, event));
    case 'decision':
      return still();
  }
}

/** An ended rollout keeps its numbers, whatever becomes of its evidence. */
function ended(done: Step): Step {
  return isActive(done.state) || done.state.summary !== null
    ? done
    : { ...done, state: { ...done.state, summary: summaryOf(done.state) } };
}

/** What waits goes on where it stood. */
function uncounted(state: Rollout, { hours }: EventOf<'uncounted'>): Rollout {
  const { silentSince, uncountedHours } = state;
  const later = (instant: string) => new Date(Date.parse(instant) + hours * 3_600_000).toISOString();
  return {
    ...state,
    uncountedHours: uncountedHours + hours,
    silentSince: silentSince === null ? null : later(silentSince),
  };
}

function takeWindow(state: Rollout, event: EventOf<'window'>): void {
  const { at, device, report, lost = 0, anewAfter } = event;
  const place = ownValue(state.placed, device);
  const production = ownValue(state.excepted, device) ?? state.from.digest;
  const belongs =
    place !== undefined &&
    report.rollout === state.id &&
    report.production === production &&
    report.candidate === state.to.digest;
  const cluster = clusterOfSlice(report.slice);
  const became = absorb(
    state.evidence,
    device,
    report,
    state.plan,
    { belongs, mayAct: place?.acted === true, lost, anewAfter },
    Date.parse(at),
  );
  if (became === 'misdated') state.drift.misdated = saturated(state.drift.misdated + 1);
  // Drift is watched in what is known to be this device's, now and of a place that it may name.
  const known = became === 'counted' || became === 'unasked' || became === 'late';
  if (known && !isApart(device, ownValue(state.evidence.devices, device), cluster, state))
    absorbHour(state.drift, device, cluster, report);
}

function assigned(state: Rollout, { at, members, acting, excepted }: EventOf<'assigned'>): Rollout {
  const window = windowOf(Date.parse(at), state.plan);
  const acts = new Set(acting);
  const placed: Rollout['placed'] = {};
  for (const id of members) {
    const before = ownValue(state.placed, id);
    placed[id] = {
      member: before?.member ?? window,
      acting: acts.has(id) ? (before?.acting ?? window) : null,
      acted: acts.has(id) || before?.acted === true,
    };
  }
  return { ...state, members, acting, placed, excepted };
}
