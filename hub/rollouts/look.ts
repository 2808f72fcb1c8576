import { ownValue } from '@adbreak/shared/own-value.js';
import { findApart, isApart, isTakenOut, tooManyApart, tooManyGone } from './apart.js';
import { closeHours, driftOf } from './drift.js';
import { type GateInput, judge, type Sibling, type Verdict, weigh } from './gate.js';
import { type DeviceHealth, type HealthFacts, LIMITS } from './health.js';
import {
  backToProduction,
  type Effect,
  GOES_ON,
  hoursInStage,
  hoursSince,
  intoProduction,
  remember,
  type Step,
  stageName,
  stageStart,
  withApart,
} from './moves.js';
import { mayAdvance } from './plan.js';
import { type Entry, isActive, percentOf, type Rollout } from './rollout.js';
import { silenceOf, troubledBySilence } from './silence.js';
import { answersOf, episodesIn, episodesOf, standingOf } from './standing.js';
import { beforeClosing, closeWindows, mayClose } from './windows.js';
import { hours } from './words.js';

/** The gate's turn: windows that are over are closed, then it is decided. Pure. */

export function tick(before: Rollout, now: Date, siblings: readonly Sibling[]): Step {
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
  return leaveBehind(state, input, now) ?? transition(state, withheld(state, judge(input)), now);
}

/** What would pass waits for a person where too much of the evidence was taken out; a watch ends all the same. */
function withheld(state: Rollout, verdict: Verdict): Verdict {
  if (verdict.verdict !== 'PASS' || state.status === 'watching') return verdict;
  const gone = tooManyGone(state);
  return gone === null ? verdict : { ...verdict, verdict: 'HOLD', cause: 'too-many-apart', reason: gone };
}

/** What the gate looks at, made from a rollout's state. */
export function inputOf(state: Rollout, now: Date, siblings: readonly Sibling[] = []): GateInput {
  const { plan, evidence } = state;
  const standing = standingOf(state);
  const shadow = percentOf(state) === 0;
  const heard = (id: string) => !isTakenOut(id, state);
  // Where another plan is replayed, who acted then is not who would act: in shadow nobody does.
  const acting = shadow ? [] : state.acting.filter(heard);
  const members = state.members.filter(heard);
  const episodes = episodesIn(standing);
  return {
    clusters: standing.clusters,
    days: standing.days,
    channelsApart: standing.channelsApart ?? 0,
    wrong: standing.wrong,
    plan,
    id: state.id,
    stage: state.stage,
    hoursInStage: hoursInStage(state, now),
    devices: standing.devices.length,
    answers: answersOf(standing),
    episodesInStage: shadow
      ? episodes - state.before.episodes
      : evidence.actingEpisodes - state.before.acting,
    acting: shadow ? null : acting.length,
    silence: silenceOf({ ...state, members }, acting, now),
    silentHours: state.silentSince === null ? null : hoursSince(state.silentSince, now),
    health: healthOf({ ...state, members }, acting),
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

function healthOf({ evidence, members, failing, setAside }: Rollout, acting: readonly string[]): HealthFacts {
  const acts = new Set(acting);
  const known = (id: string): DeviceHealth[] => {
    const device = ownValue(evidence.devices, id);
    return device === undefined ? [] : [{ id, ...device.health }];
  };
  return {
    acting: acting.flatMap(known),
    control: members.filter((id) => !acts.has(id)).flatMap(known),
    wanted: members.length,
    failing: Object.entries(failing).flatMap(([device, code]) =>
      isTakenOut(device, { setAside }) ? [] : [{ device, code }],
    ),
  };
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
        return hoursInStage(state, now) < state.plan.deadlineHours
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
      if (verdict.cause === 'watch' && hoursInStage(state, now) >= state.plan.watchHours)
        return say('end the watch', { status: 'completed' }, intoProduction(state));
      return say('wait');
    case 'PASS':
      return state.status === 'running' ? advance(state, verdict, now) : say('wait');
  }
}

function overdue(verdict: Verdict, { id, plan }: Rollout): Verdict {
  const then = `the deadline of ${hours(plan.deadlineHours)} has passed in the shadow: a person decides (\`adbreak rollouts abort ${id}\`)`;
  return { ...verdict, verdict: 'INCONCLUSIVE', reason: `${verdict.reason}; ${then}` };
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
