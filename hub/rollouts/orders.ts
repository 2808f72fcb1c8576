import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { isTakenOut, tooManyApart } from './apart.js';
import type { EventOf } from './events.js';
import { type DeviceEvidence, noHealth } from './evidence.js';
import { judge } from './gate.js';
import { inputOf } from './look.js';
import {
  backToProduction,
  type Effect,
  GOES_ON,
  intoProduction,
  remember,
  type Step,
  stageName,
  stageStart,
  withApart,
} from './moves.js';
import type { Entry, Rollout } from './rollout.js';
import { episodesOf } from './standing.js';
import { hours, percent } from './words.js';

/** A person's turn: orders, in the order in which they come. Pure. */

/** Throws `conflict` where the order does not fit the rollout. */
export function order(state: Rollout, event: EventOf<'order'>): Step {
  const now = new Date(event.at);
  const refuse = (why: string, remedy?: string) => {
    throw new AdbreakError(
      'conflict',
      `Cannot ${event.order} rollout ${state.id}: ${why}`,
      remedy === undefined ? {} : { remedy },
    );
  };
  const obey = (action: string, change: Partial<Rollout>, effects: readonly Effect[] = []): Step =>
    obeyed(state, { at: event.at, reason: `${event.who}: ${event.reason}`, action }, change, effects);
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

/** A person's word is recorded, always. */
function obeyed(
  state: Rollout,
  said: Pick<Entry, 'at' | 'reason' | 'action'>,
  change: Partial<Rollout>,
  effects: readonly Effect[],
): Step {
  const last: Entry = {
    at: said.at,
    stage: stageName(state),
    verdict: 'ORDER',
    cause: 'person',
    reason: said.reason,
    episodes: Math.round(episodesOf(state)),
    action: said.action,
  };
  return {
    state: { ...state, ...change, last, history: remember(state.history, last) },
    effects,
    decision: last,
    verdict: null,
    quiet: false,
  };
}

/**
 * A person takes a device's evidence out: it is set aside as a broken unit is, and counts as one against what the plan
 * lets be set aside. What cannot be told apart by device begins anew. Once more, it changes nothing.
 */
export function exclude(state: Rollout, { at, who, device, reason }: EventOf<'exclude'>): Step {
  if (isTakenOut(device, state)) return { state, effects: [], decision: null, verdict: null, quiet: true };
  const why = `${device} was taken out by ${who}: ${reason}`;
  const found = { kind: 'device', name: device, reason: why } as const;
  const apart = Object.hasOwn(state.setAside, device) ? state : withApart(state, found, new Date(at));
  const next: Rollout = {
    ...apart,
    setAside: { ...apart.setAside, [device]: { at, reason: why, who } },
    before: beforeWithout(device, apart),
    // It may have answered: the stage asks for another round, without it.
    round: null,
  };
  return obeyed(next, { at, reason: why, action: `take ${device} out` }, {}, [{ kind: 'assign' }]);
}

/** Episodes where the candidate acts are a sum over devices: where it acted on this one, the stage counts them anew. */
function beforeWithout(device: string, { before, placed, evidence }: Rollout): Rollout['before'] {
  return ownValue(placed, device)?.acted === true ? { ...before, acting: evidence.actingEpisodes } : before;
}
