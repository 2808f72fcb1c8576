import type { ModelRef } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { hourOf } from '@adbreak/shared/evidence/world.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { apartBy, type Found, findApart, isApart, tooManyApart } from './apart.js';
import { absorbHour, closeHours, driftOf, noDrift } from './drift.js';
import type { EventOf, RolloutEvent } from './events.js';
import { byName, type DeviceEvidence, noEvidence, noHealth, saturated } from './evidence.js';
import { type GateInput, judge, type Sibling, type Verdict, weigh } from './gate.js';
import { type DeviceHealth, type HealthFacts, LIMITS } from './health.js';
import { mayAdvance } from './plan.js';
import { type Entry, isActive, percentOf, type Rollout } from './rollout.js';
import { silenceOf, troubledBySilence } from './silence.js';
import { clusterOfSlice } from './slices.js';
import { answersOf, episodesIn, episodesOf, standingOf, summaryOf } from './standing.js';
import { absorb, beforeClosing, closeWindows, mayClose, windowOf } from './windows.js';
import { hours, percent } from './words.js';

/** What a decision does to the world; idempotent, carried out after the new state is on disk. */
export type Effect =
  | { readonly kind: 'assign' }
  /** `except`: what stays on another version, by slice (`channel=one`) or device (`device=pi-3`). */
  | {
      readonly kind: 'set-production';
      readonly version: string;
      readonly except: Readonly<Record<string, ModelRef>>;
    }
  | { readonly kind: 'quarantine'; readonly version: string }
  | { readonly kind: 'start-round' }
  | { readonly kind: 'supersede-siblings' };
export interface Step {
  readonly state: Rollout;
  readonly effects: readonly Effect[];
  /** The new entry of the history, where something was decided. */
  readonly decision: Entry | null;
  readonly verdict: Verdict | null;
  /** A look that changed nothing: leaving it out of a log gives the same decisions. */
  readonly quiet: boolean;
}

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

// — the gate's turn —

function tick(before: Rollout, now: Date, siblings: readonly Sibling[]): Step {
  const { plan } = before;
  // A look whose log could not be written must have changed nothing.
  const evidence = mayClose(before.evidence, plan, now)
    ? beforeClosing(before.evidence, plan, now)
    : before.evidence;
  if (evidence !== before.evidence)
    closeWindows(
      evidence,
      plan,
      (id, cluster) => isApart(id, ownValue(evidence.devices, id), cluster, before),
      now,
    );
  const drifted: Rollout = { ...before, evidence, drift: closeHours(before.drift, plan, now, before.id) };
  const done = look(drifted, inputOf(drifted, now, siblings), now);
  const { state, decision, effects } = done;
  const same =
    state.drift === before.drift && evidence === before.evidence && state.silentSince === before.silentSince;
  return { ...done, quiet: same && decision === null && effects.length === 0 };
}

/** One look at evidence that is closed: who is judged apart first, then the verdict on the others. */
export function look(before: Rollout, input: GateInput, now: Date): Step {
  const troubled = input.silence !== null && troubledBySilence(input.silence, before.plan) !== null;
  const state: Rollout = {
    ...before,
    silentSince: troubled ? (before.silentSince ?? now.toISOString()) : null,
  };
  return leaveBehind(state, input, now) ?? transition(state, judge(input), now);
}

/** What the gate looks at, made from a rollout's state. */
export function inputOf(state: Rollout, now: Date, siblings: readonly Sibling[] = []): GateInput {
  const { plan, evidence } = state;
  const standing = standingOf(state);
  const shadow = percentOf(state) === 0;
  // Where another plan is replayed, who acted then is not who would act: in shadow nobody does.
  const acting = shadow ? [] : state.acting;
  const episodes = episodesIn(standing);
  return {
    clusters: standing.clusters,
    days: standing.days,
    channelsApart: standing.channelsApart ?? 0,
    wrong: standing.wrong,
    plan,
    id: state.id,
    stage: state.stage,
    hoursInStage: hoursSince(state.stageSince, now),
    devices: standing.devices.length,
    answers: answersOf(standing),
    episodesInStage: shadow
      ? episodes - state.before.episodes
      : evidence.actingEpisodes - state.before.acting,
    acting: shadow ? null : acting.length,
    silence: silenceOf(state, acting, now),
    silentHours: state.silentSince === null ? null : hoursSince(state.silentSince, now),
    health: healthOf(state, acting),
    // The stop that stands is no repetition of itself.
    limitStops: state.limitStops - (state.limitStanding === null ? 0 : 1),
    drift: driftOf(state.drift, plan),
    round: state.round,
    approved: state.approved,
    mayAdvance: mayAdvance(plan, now),
    siblings,
    status: isActive(state) ? state.status : 'running',
  };
}

function healthOf({ evidence, members, failing }: Rollout, acting: readonly string[]): HealthFacts {
  const acts = new Set(acting);
  const known = (id: string): DeviceHealth[] => {
    const device = ownValue(evidence.devices, id);
    return device === undefined ? [] : [{ id, ...device.health }];
  };
  return {
    acting: acting.flatMap(known),
    control: members.filter((id) => !acts.has(id)).flatMap(known),
    wanted: members.length,
    failing: Object.entries(failing).map(([device, code]) => ({ device, code })),
  };
}

export function hoursSince(then: string, now: Date): number {
  return Math.max(0, (now.getTime() - Date.parse(then)) / 3_600_000);
}

/**
 * Devices that are unlike all others, and slices in which the candidate is worse, are judged apart from now on. Null where
 * there are none. Slices wait where the fleet itself is harmed: that is said first.
 */
function leaveBehind(state: Rollout, input: GateInput, now: Date): Step | null {
  const harmed = () => weigh(input, state.plan).harm.pooled >= -Math.log(state.plan.alphaHarm);
  const found = findApart(state, input.wrong);
  const units = found.filter(({ kind }) => kind === 'device');
  // Most looks find nobody, and weigh nothing twice.
  const chosen = units.length > 0 ? units : found.length === 0 || harmed() ? [] : found;
  const many = tooManyApart(state);
  if (chosen.length === 0 && many === null) return null;
  const next = chosen.reduce((all, one) => withApart(all, one, now), state);
  const tooMany = tooManyApart(next);
  const verdict = (name: 'APART' | 'SUSPEND', cause: Verdict['cause'], reason: string): Verdict => ({
    verdict: name,
    cause,
    reason,
    episodes: Math.round(episodesOf(next)),
    ask: null,
  });
  if (tooMany !== null) {
    // What is shown to be bad without those ends here; what is apart keeps nobody from saying so.
    const judged = judge(input);
    if (judged.verdict === 'FAIL') return transition(next, judged, now);
    const step = transition(
      next,
      verdict('SUSPEND', 'too-many-apart', [tooMany, ...chosen.map(({ reason }) => reason)].join('; ')),
      now,
    );
    return chosen.length === 0 ? step : { ...step, effects: withAssign(step.effects) };
  }
  const cause = chosen[0]?.kind === 'device' ? 'unlike-others' : 'worse-in-slice';
  return record(
    next,
    verdict('APART', cause, chosen.map(({ reason }) => reason).join('; ')),
    'stays on production there',
    {},
    [{ kind: 'assign' }],
    now,
  );
}
function withAssign(effects: readonly Effect[]): readonly Effect[] {
  return effects.some(({ kind }) => kind === 'assign') ? effects : [...effects, { kind: 'assign' }];
}

/** What was averaged over days held those devices too, so days begin anew. */
function withApart(state: Rollout, { kind, name, reason }: Found, now: Date): Rollout {
  const entry = { at: now.toISOString(), reason };
  const waiting = Object.entries(state.evidence.waiting).map(([window, devices]) => [
    window,
    Object.fromEntries(Object.entries(devices).map(([id, one]) => [id, { ...one, day: null }])),
  ]);
  const evidence = { ...state.evidence, days: {}, waiting: Object.fromEntries(waiting) };
  return kind === 'device'
    ? { ...state, evidence, setAside: { ...state.setAside, [name]: entry } }
    : { ...state, evidence, excluded: { ...state.excluded, [name]: entry } };
}

/** What a verdict does to a rollout; pure, and the same for real fleets and simulated ones. */
function transition(state: Rollout, verdict: Verdict, now: Date): Step {
  const say = (
    action: string,
    change: Partial<Rollout> = {},
    effects: readonly Effect[] = [],
    said = verdict,
  ) => record(state, said, action, change, effects, now);
  // Who went back by a person's word is not sent forward again by the gate: the person is asked.
  if (state.kind === 'rollback' && (verdict.verdict === 'FAIL' || verdict.verdict === 'SUSPEND'))
    return say('wait for a person', {}, [], {
      ...verdict,
      verdict: 'INCONCLUSIVE',
      reason: `${verdict.reason}; a person went back to this version, and decides`,
    });
  switch (verdict.verdict) {
    case 'FAIL':
      return say('roll back', { status: 'rolled-back' }, [
        ...backToProduction(state),
        { kind: 'quarantine', version: state.to.version },
        { kind: 'assign' },
      ]);
    case 'SUSPEND': {
      const broken = LIMITS.find((one) => one === verdict.cause);
      const limit =
        broken !== undefined && state.limitStanding === null
          ? { limitStops: state.limitStops + 1, limitStanding: broken }
          : {};
      // In the shadow it is where a suspension would put it; it stays there while the evidence says so, and then asks a person.
      if (percentOf(state) === 0)
        return hoursSince(state.stageSince, now) < state.plan.deadlineHours
          ? say('wait', limit)
          : say('wait for a person', limit, [], overdue(verdict, state));
      return say('back to shadow', { status: 'suspended', stage: 0, ...stageStart(state, now), ...limit }, [
        ...backToProduction(state),
        { kind: 'assign' },
      ]);
    }
    case 'WORLD':
    case 'AMBIGUOUS':
      return say('freeze');
    case 'APART':
    case 'HOLD':
    case 'INCONCLUSIVE':
      if (verdict.cause === 'watch' && hoursSince(state.stageSince, now) >= state.plan.watchHours)
        return say('end the watch', { status: 'completed' }, intoProduction(state));
      return say('wait');
    case 'PASS':
      return state.status === 'running' ? advance(state, verdict, now) : say('wait');
  }
}

/** What begins anew where a rollout goes on: a limit that breaks from now on breaks a second time. */
const GOES_ON = { approved: false, limitStanding: null } as const;

function overdue(verdict: Verdict, { id, plan }: Rollout): Verdict {
  const then = `the deadline of ${hours(plan.deadlineHours)} has passed in the shadow: a person decides (\`adbreak rollouts abort ${id}\`)`;
  return { ...verdict, verdict: 'INCONCLUSIVE', reason: `${verdict.reason}; ${then}` };
}

/** A version that is watched is in production already: taking it back restores what was there before, exceptions too. */
function backToProduction(state: Rollout): readonly Effect[] {
  return state.status === 'watching'
    ? [{ kind: 'set-production', version: state.from.version, except: state.exceptions }]
    : [];
}

/** What stays behind when the rollout completes: an earlier exception keeps its version, everything else the rollout's production. */
function leftBehind(state: Rollout): Record<string, ModelRef> {
  const { excluded, setAside, exceptions, from, evidence } = state;
  // Who was of such a site, and calls itself otherwise now, was measured with nobody.
  const moved = byName(evidence.devices).flatMap(([id, { slice, named }]) =>
    apartBy(id, slice, state) === null && apartBy(id, null, state, named) !== null ? [id] : [],
  );
  const names = [
    ...Object.keys(excluded),
    ...[...Object.keys(setAside), ...moved].map((id) => `device=${id}`),
  ];
  return Object.fromEntries(names.map((name) => [name, ownValue(exceptions, name) ?? from]));
}

/** The candidate is production now, but for what stays behind; at the end of a watch again, with who was judged apart meanwhile. */
function intoProduction(state: Rollout): readonly Effect[] {
  return [
    { kind: 'set-production', version: state.to.version, except: leftBehind(state) },
    { kind: 'assign' },
  ];
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
  const waits = action === 'wait' || action === 'freeze' || action === 'wait for a person';
  const quiet = waits && state.last?.verdict === last.verdict && state.last.cause === last.cause;
  return {
    state: { ...state, ...change, last, history: quiet ? state.history : remember(state.history, last) },
    effects: [
      ...effects,
      ...(ask === 'round' && state.last?.cause !== 'round' ? [{ kind: 'start-round' } as const] : []),
    ],
    decision: quiet ? null : last,
    verdict,
    quiet: false,
  };
}

/** The log has all of it; the state keeps as much as people read. */
const MOST_HISTORY = 1000;
function remember(history: readonly Entry[], last: Entry): Entry[] {
  return [...history.slice(1 - MOST_HISTORY), last];
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
  const since = { ...GOES_ON, round: null, ...stageStart(state, now) };
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
    [...first, ...intoProduction(state)],
    now,
  );
}

/** A stage's time, episodes and windows begin together: what came before it fills no hole after it. */
function stageStart(state: Rollout, now: Date): Pick<Rollout, 'stageSince' | 'before' | 'windowsBefore'> {
  return {
    stageSince: now.toISOString(),
    before: { episodes: episodesOf(state), acting: state.evidence.actingEpisodes },
    windowsBefore: Object.fromEntries(
      Object.entries(state.evidence.devices).map(([id, { windows }]) => [id, windows]),
    ),
  };
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
      episodes: Math.round(episodesOf(state)),
      action,
    };
    return {
      state: { ...state, ...change, last, history: remember(state.history, last) },
      effects,
      decision: last,
      verdict: null,
      quiet: false,
    };
  };
  const assign: Effect = { kind: 'assign' };
  switch (event.order) {
    case 'pause':
      return state.status === 'running'
        ? obey('pause', { status: 'paused' })
        : refuse(`it is ${state.status}`);
    case 'resume': {
      if (state.status === 'paused') return obey('resume', { status: 'running', ...stageStart(state, now) });
      if (state.status !== 'suspended') return refuse(`it is ${state.status}`);
      const many = tooManyApart(state);
      if (many !== null)
        return refuse(
          `the gate would suspend it again: ${many}`,
          `Abort it: \`adbreak rollouts abort ${state.id}\`.`,
        );
      const verdict = judge(inputOf({ ...state, status: 'running' }, now));
      if (verdict.verdict === 'SUSPEND' || verdict.verdict === 'FAIL')
        return refuse(
          `the gate would suspend it again: ${verdict.reason}`,
          'Wait for more evidence from the shadow, or abort it.',
        );
      const since = { ...GOES_ON, ...stageStart(state, now) };
      return obey(
        'resume in shadow',
        { status: 'running', stage: 0, evidence: withoutActing(state.evidence), ...since },
        [assign],
      );
    }
    case 'abort':
    case 'supersede': {
      const status = event.order === 'abort' ? 'aborted' : 'superseded';
      // A version that is watched is in production already: ending the watch keeps it, aborting takes it back.
      if (state.status === 'watching' && event.order === 'supersede')
        return obey('end the watch', { status: 'completed' }, intoProduction(state));
      const back = backToProduction(state);
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

/** Where it acts again it is looked at again: what crashed before a person resumed is no second time. */
function withoutActing(evidence: Rollout['evidence']): Rollout['evidence'] {
  const devices = Object.entries(evidence.devices).map(([id, one]): [string, DeviceEvidence] => [
    id,
    { ...one, health: { ...one.health, acting: noHealth() } },
  ]);
  return { ...evidence, devices: Object.fromEntries(devices) };
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
  const since = { ...GOES_ON, round: null, ...stageStart(state, new Date(event.at)) };
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
    intoProduction(state),
  );
}
