import { AdbreakError } from '@adbreak/shared/errors.js';
import { hourOf } from '@adbreak/shared/evidence/world.js';
import { absorbHour, closeHours, driftOf, noDrift } from './drift.js';
import type { EventOf, RolloutEvent } from './events.js';
import { absorb, decided, noEvidence, total } from './evidence.js';
import { type GateInput, judge, type Sibling, type Verdict } from './gate.js';
import { healthOf } from './health.js';
import { mayAdvance } from './plan.js';
import { type Entry, isActive, percentOf, type Rollout } from './rollout.js';
import type { GateDevice } from './screen.js';
import { hours, percent } from './words.js';

/** What a decision does to the world; idempotent, carried out after the new state is on disk. */
export type Effect =
  | { readonly kind: 'assign' }
  | { readonly kind: 'set-production'; readonly version: string }
  | { readonly kind: 'quarantine'; readonly version: string }
  | { readonly kind: 'ask-labels'; readonly wanted: boolean }
  | { readonly kind: 'start-round' }
  | { readonly kind: 'supersede-siblings' };
export interface Step {
  readonly state: Rollout;
  readonly effects: readonly Effect[];
  /** The new entry of the history, where something was decided. */
  readonly decision: Entry | null;
  readonly verdict: Verdict | null;
}

export function start({ at, rollout, ceiling, reference, baseline }: EventOf<'started'>): Rollout {
  return {
    ...rollout,
    ceiling,
    stage: 0,
    status: 'running',
    startedAt: at,
    stageSince: at,
    before: { decided: 0, acting: 0 },
    windowsBefore: {},
    approved: false,
    round: null,
    members: [],
    acting: [],
    failing: {},
    evidence: noEvidence(),
    baseline,
    drift: noDrift(reference, hourOf(Date.parse(at)).hour),
    history: [],
    last: null,
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
  });
  if (!isActive(state)) return still();
  switch (event.kind) {
    case 'window':
      takeWindow(state, event);
      return still();
    case 'assigned':
      return still({
        ...state,
        members: event.members,
        acting: event.acting,
        windowsBefore: { ...actingWindows(state, event.acting), ...state.windowsBefore },
      });
    case 'device': {
      const known = state.evidence.devices[event.device];
      if (event.enrolledAgain && known !== undefined)
        state.evidence.devices[event.device] = { ...known, sequence: 0 };
      const { [event.device]: _, ...others } = state.failing;
      return still({
        ...state,
        failing: event.problem === null ? others : { ...others, [event.device]: event.problem },
      });
    }
    case 'round':
      return still({ ...state, round: event.round });
    case 'tick':
      return tick(state, new Date(event.at), event.siblings);
    case 'order':
      return order(state, event);
    case 'decision':
      return still();
  }
}

function takeWindow(state: Rollout, { device, report }: EventOf<'window'>): void {
  // QoS 1 may deliver twice: a sequence number counts once.
  if (report.sequence <= (state.evidence.devices[device]?.sequence ?? 0)) return;
  if (
    report.rollout !== state.id ||
    report.production !== state.from.digest ||
    report.candidate !== state.to.digest
  )
    return;
  absorb(state.evidence, device, report, state.plan.slices);
  absorbHour(state.drift, report);
}

// — the gate's turn —

function tick(before: Rollout, now: Date, siblings: readonly Sibling[]): Step {
  const state = { ...before, drift: closeHours(before.drift, before.plan, before.evidence, now, before.id) };
  return transition(state, judge(inputOf(state, now, siblings)), now);
}

/** What the gate looks at, made from a rollout's state. */
export function inputOf(state: Rollout, now: Date, siblings: readonly Sibling[] = []): GateInput {
  const { plan, evidence } = state;
  const sums = total(Object.values(evidence.devices));
  // Where another plan is replayed, who acted then is not who would act: in shadow nobody does.
  const acting = state.status !== 'watching' && percentOf(state) > 0 ? state.acting : [];
  return {
    plan,
    id: state.id,
    stage: state.stage,
    hoursInStage: hoursSince(state.stageSince, now),
    devices: gateDevices(state),
    slices: Object.fromEntries(
      Object.entries(evidence.slices).map(([name, devices]) => [
        name,
        Object.entries(devices).map(([id, outcome]) => ({ id, ...outcome })),
      ]),
    ),
    decidedInStage:
      acting.length > 0 ? sums.actingDecided - state.before.acting : decided(sums) - state.before.decided,
    acting: {
      devices: acting.length,
      silent: acting.filter((id) => (evidence.devices[id]?.windows ?? 0) <= (state.windowsBefore[id] ?? 0))
        .length,
    },
    health: healthOf(
      evidence,
      plan,
      state.members.length,
      Object.entries(state.failing).map(([device, code]) => ({ device, code })),
    ),
    drift: driftOf(state.drift, plan),
    round: state.round,
    approved: state.approved,
    mayAdvance: mayAdvance(plan, now),
    siblings,
    watching: state.status === 'watching',
  };
}

export function gateDevices({ evidence }: Pick<Rollout, 'evidence'>): GateDevice[] {
  return Object.entries(evidence.devices).map(([id, { agreed, wins, losses, undecided }]) => ({
    id,
    agreed,
    wins,
    losses,
    undecided,
  }));
}

export function hoursSince(then: string, now: Date): number {
  return Math.max(0, (now.getTime() - Date.parse(then)) / 3_600_000);
}

/** What a verdict does to a rollout; pure, and the same for real fleets and simulated ones. */
export function transition(state: Rollout, verdict: Verdict, now: Date): Step {
  const say = (action: string, change: Partial<Rollout> = {}, effects: readonly Effect[] = []) =>
    record(state, verdict, action, change, effects, now);
  switch (verdict.verdict) {
    case 'FAIL':
      return say('roll back', { status: 'rolled-back' }, [
        ...(state.status === 'watching'
          ? [{ kind: 'set-production', version: state.from.version } as const]
          : []),
        { kind: 'quarantine', version: state.to.version },
        { kind: 'assign' },
      ]);
    case 'SUSPEND':
      // In the shadow it is where a suspension would put it; it stays there while the evidence says so.
      if (percentOf(state) === 0) return say('wait');
      return say('back to shadow', { status: 'suspended', stage: 0, stageSince: now.toISOString() }, [
        ...(state.status === 'watching'
          ? [{ kind: 'set-production', version: state.from.version } as const]
          : []),
        { kind: 'assign' },
      ]);
    case 'WORLD':
    case 'AMBIGUOUS':
      return say('freeze');
    case 'HOLD':
    case 'INCONCLUSIVE':
      if (verdict.cause === 'watch' && hoursSince(state.stageSince, now) >= state.plan.watchHours)
        return say('end the watch', { status: 'completed' }, [{ kind: 'assign' }]);
      return say('wait');
    case 'PASS':
      return state.status === 'running' ? advance(state, verdict, now) : say('wait');
  }
}

/** Waiting is recorded when its cause changes, everything else always. */
function record(
  state: Rollout,
  verdict: Verdict,
  action: string,
  change: Partial<Rollout>,
  effects: readonly Effect[],
  now: Date,
): Step {
  const { ask, ...facts } = verdict;
  const last: Entry = { at: now.toISOString(), stage: stageName(state), ...facts, action };
  const quiet =
    (action === 'wait' || action === 'freeze') &&
    state.last?.verdict === last.verdict &&
    state.last.cause === last.cause;
  const asked = askedFor(state.last);
  const wanted = ask === 'labels';
  return {
    state: { ...state, ...change, last, history: quiet ? state.history : [...state.history, last] },
    effects: [
      ...effects,
      ...(wanted === asked ? [] : [{ kind: 'ask-labels', wanted } as const]),
      ...(ask === 'round' && state.last?.cause !== 'round' ? [{ kind: 'start-round' } as const] : []),
    ],
    decision: quiet ? null : last,
    verdict,
  };
}

/** Whether the last entry made the status pages ask for labels. */
export function askedFor(last: Entry | null): boolean {
  return (
    last !== null &&
    (last.cause === 'labels' ||
      last.cause === 'candidate-changed' ||
      last.cause === 'ambiguous' ||
      last.cause === 'one-device')
  );
}

function stageName({ plan, stage, status }: Rollout): string {
  return status === 'watching' ? 'watch' : (plan.stages[stage]?.name ?? '');
}

function advance(state: Rollout, verdict: Verdict, now: Date): Step {
  const next = state.plan.stages[state.stage + 1];
  const first: readonly Effect[] =
    state.stage === 0 && state.group !== null ? [{ kind: 'supersede-siblings' }] : [];
  if (next !== undefined && next.percent > state.ceiling) {
    const held: Verdict = {
      ...verdict,
      verdict: 'HOLD',
      cause: 'approval',
      reason: `${verdict.reason}; the next stage is beyond the ${state.ceiling} % that were asked for`,
    };
    return record(state, held, 'wait', {}, [], now);
  }
  const since = { stageSince: now.toISOString(), approved: false, round: null, ...stageStart(state) };
  if (next !== undefined)
    return record(
      state,
      verdict,
      `advance to ${next.name}`,
      { stage: state.stage + 1, ...since },
      [...first, { kind: 'assign' }],
      now,
    );
  return record(
    state,
    verdict,
    'complete',
    { status: state.plan.watchHours > 0 ? 'watching' : 'completed', ...since },
    [...first, { kind: 'set-production', version: state.to.version }, { kind: 'assign' }],
    now,
  );
}

function stageStart(state: Rollout): Pick<Rollout, 'before' | 'windowsBefore'> {
  const sums = total(Object.values(state.evidence.devices));
  return {
    before: { decided: decided(sums), acting: sums.actingDecided },
    windowsBefore: actingWindows(state, Object.keys(state.evidence.devices)),
  };
}
function actingWindows({ evidence }: Rollout, devices: readonly string[]): Record<string, number> {
  return Object.fromEntries(devices.map((id) => [id, evidence.devices[id]?.windows ?? 0]));
}

// — a person's turn —

/** Throws `conflict` where the order does not fit the rollout. */
function order(state: Rollout, event: EventOf<'order'>): Step {
  const now = new Date(event.at);
  const refuse = (why: string, remedy?: string) => {
    throw new AdbreakError(
      'conflict',
      `Cannot ${event.order} rollout ${state.id}: ${why}`,
      remedy === undefined ? {} : { remedy },
    );
  };
  const obey = (action: string, change: Partial<Rollout>, effects: readonly Effect[] = []): Step => {
    const last: Entry = {
      at: event.at,
      stage: stageName(state),
      verdict: 'ORDER',
      cause: 'person',
      reason: `${event.who}: ${event.reason}`,
      episodes: decided(total(Object.values(state.evidence.devices))),
      action,
    };
    return {
      state: { ...state, ...change, last, history: [...state.history, last] },
      effects,
      decision: last,
      verdict: null,
    };
  };
  const assign: Effect = { kind: 'assign' };
  switch (event.order) {
    case 'pause':
      return state.status === 'running'
        ? obey('pause', { status: 'paused' })
        : refuse(`it is ${state.status}`);
    case 'resume': {
      if (state.status === 'paused') return obey('resume', { status: 'running', stageSince: event.at });
      if (state.status !== 'suspended') return refuse(`it is ${state.status}`);
      const verdict = judge(inputOf({ ...state, status: 'running' }, now));
      if (verdict.verdict === 'SUSPEND' || verdict.verdict === 'FAIL')
        return refuse(
          `the gate would suspend it again: ${verdict.reason}`,
          'Wait for more evidence from the shadow, or abort it.',
        );
      return obey(
        'resume in shadow',
        { status: 'running', stage: 0, ...stageStart(state), stageSince: event.at, approved: false },
        [assign],
      );
    }
    case 'abort':
    case 'supersede': {
      const status = event.order === 'abort' ? 'aborted' : 'superseded';
      // A version that is watched is in production already: ending the watch keeps it, aborting takes it back.
      if (state.status === 'watching' && event.order === 'supersede')
        return obey('end the watch', { status: 'completed' }, [assign]);
      const back: readonly Effect[] =
        state.status === 'watching' ? [{ kind: 'set-production', version: state.from.version }] : [];
      return obey(event.order, { status }, [...back, assign]);
    }
    case 'approve':
      if (state.status !== 'running') return refuse(`it is ${state.status}`);
      return obey('approve', { approved: true });
    case 'ceiling': {
      const ceiling = Math.max(state.ceiling, event.percent ?? 0);
      return obey(`raise the ceiling to ${percent(ceiling / 100)}`, { ceiling });
    }
    case 'force':
      return force(state, event, obey, refuse);
  }
}

/** Past the gate by a person's word: the next stage, or completion. Named and recorded as what it is. */
function force(
  state: Rollout,
  event: EventOf<'order'>,
  obey: (action: string, change: Partial<Rollout>, effects?: readonly Effect[]) => Step,
  refuse: (why: string) => never | undefined,
): Step {
  if (state.status !== 'running' && state.status !== 'paused' && state.status !== 'suspended')
    refuse(`it is ${state.status}`);
  const next = state.plan.stages[state.stage + 1];
  const since = { stageSince: event.at, approved: false, round: null, ...stageStart(state) };
  if (next !== undefined)
    return obey(
      `forced to ${next.name}`,
      { status: 'running', stage: state.stage + 1, ceiling: Math.max(state.ceiling, next.percent), ...since },
      [{ kind: 'assign' }],
    );
  const watched = state.plan.watchHours > 0;
  return obey(
    `forced to complete${watched ? `, watched for ${hours(state.plan.watchHours)}` : ''}`,
    { status: watched ? 'watching' : 'completed', ceiling: 100, ...since },
    [{ kind: 'set-production', version: state.to.version }, { kind: 'assign' }],
  );
}
