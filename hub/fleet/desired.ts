import type { Desired, ModelRef } from '@adbreak/shared/contract/messages.js';
import { type SignedDesired, takesSigned } from '@adbreak/shared/contract/signed-desired.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { Round } from '../evaluations/round.js';
import { activeRollouts, exceptionOf } from '../rollouts/lifecycle/memberships.js';
import type { Rollout } from '../rollouts/rollout.js';
import type { HubState } from '../store/state.js';

/**
 * What every device of a model shall run, or those named; pure. Devices of a model without production version get nothing. The
 * time it takes grows with the devices, however many of them a rollout or a round reaches.
 */
export function assignments(
  state: Readonly<HubState>,
  model: string,
  only?: readonly string[],
): Map<string, Omit<Desired, 'revision'>> {
  const production = productionOf(state, model);
  if (production === null) return new Map();
  // A set is made once for many devices; for a few of them a look through the list is cheaper.
  const lookUp = (ids: readonly string[]): Pick<ReadonlySet<string>, 'has'> =>
    only === undefined ? new Set(ids) : { has: (id) => ids.includes(id) };
  const rollouts = activeRollouts(state, model).map((rollout) => ({
    rollout,
    members: lookUp(rollout.members),
    acting: lookUp(rollout.acting),
  }));
  const rounds = state.evaluations
    // A device that was moved to another model has none of the versions that the round is about.
    .filter((round) => round.status === 'open' && round.model === model)
    .map((round) => ({ round, cohort: lookUp(round.cohort) }));
  const asked =
    only === undefined ? Object.values(state.devices) : only.flatMap((id) => state.devices[id] ?? []);
  const devices = asked.filter((device) => device.model === model && !device.revoked);
  return new Map(
    devices.map((device) => {
      const { id, reported } = device;
      const exception = exceptionOf(state, model, device);
      const found = rollouts.find(({ members }) => members.has(id));
      const rollout = found?.rollout;
      return [
        id,
        {
          model,
          // While a completed rollout is watched, the version before it goes on in the shadow: evidence keeps its sides.
          production: productionIn(rollout, id, exception) ?? exception ?? production,
          candidate: rollout?.to ?? null,
          serve: found?.acting.has(id) ? 'candidate' : 'production',
          rollout: rollout?.id ?? null,
          evaluation: openRound(rounds, id),
          // As long as a rollout looks at evidence, people are asked about what was drawn.
          ask: rollout !== undefined && reported?.statusPage != null ? 'disagreements' : null,
          draws: drawsOf(rollout),
        },
      ];
    }),
  );
}

/** Whether a device's desired state says what it shall; compared field by field, for a fleet is compared at every look. */
export function sameAssignment(wanted: Omit<Desired, 'revision'>, desired: Desired | null): boolean {
  return (
    desired !== null &&
    desired.model === wanted.model &&
    sameModel(desired.production, wanted.production) &&
    sameModel(desired.candidate, wanted.candidate) &&
    desired.serve === wanted.serve &&
    desired.rollout === wanted.rollout &&
    // What a round asks for is fixed when it begins.
    desired.evaluation?.round === wanted.evaluation?.round &&
    desired.ask === wanted.ask &&
    desired.draws.perWeek === wanted.draws.perWeek &&
    desired.draws.answerHours === wanted.draws.answerHours
  );
}
function sameModel(a: ModelRef | null, b: ModelRef | null): boolean {
  return a === b || (a !== null && b !== null && a.digest === b.digest && a.version === b.version);
}

/**
 * As it is published: what has its default is left out, and read as its default. An agent of 0.1.0 refuses a
 * message with a key that it does not know, and would take no model at all; so why a report was refused is
 * told to those that name a stream.
 */
export function forTheWire(
  { evaluation, ask, draws, ...known }: Desired,
  { stream, refusal }: Pick<HubState['devices'][string], 'stream' | 'refusal'> = {},
): Partial<Desired> {
  const plain = draws.perWeek === NO_DRAWS.perWeek && draws.answerHours === NO_DRAWS.answerHours;
  return {
    ...known,
    ...(evaluation !== null && { evaluation }),
    ...(ask !== null && { ask }),
    ...(!plain && { draws }),
    ...(stream !== undefined && refusal !== undefined && { refusal }),
  };
}

/** A device that was away for a week takes what waits for it, and one that hears nothing new says so after two. */
const SIGNED_LIFE_MS = 14 * 24 * 3_600_000;

/**
 * What a device reads as its desired state: signed, for this device, from now on for two weeks; plain for an agent that
 * knows no signed ones, or has not said yet.
 */
export function wordTo(
  { id, agent, ...said }: Pick<HubState['devices'][string], 'id' | 'agent' | 'stream' | 'refusal'>,
  desired: Desired,
  now: Date,
  sign: (payload: string) => SignedDesired,
): string {
  const plain = forTheWire(desired, said);
  if (!takesSigned(agent)) return JSON.stringify(plain);
  const expires = new Date(now.getTime() + SIGNED_LIFE_MS).toISOString();
  return JSON.stringify(
    sign(JSON.stringify({ device: id, issued: now.toISOString(), expires, desired: plain })),
  );
}

/** In a rollout: its production, or the older version that an earlier rollout left on this device. Null without a rollout. */
function productionIn(
  rollout: Rollout | undefined,
  device: string,
  exception: ModelRef | null,
): ModelRef | null {
  if (rollout === undefined) return null;
  return ownValue(rollout.excepted, device) === undefined ? rollout.from : (exception ?? rollout.from);
}

/** The draws of a device that is in no rollout, and what an agent takes where the message names none. */
const NO_DRAWS: Desired['draws'] = { perWeek: null, answerHours: 24 };

function drawsOf(rollout: Rollout | undefined): Desired['draws'] {
  if (rollout === undefined) return NO_DRAWS;
  const { labels, answerHours } = rollout.plan;
  return { perWeek: labels === 'all' ? null : labels.perDeviceAndWeek, answerHours };
}

/** The round that a device shall answer next. */
function openRound(
  rounds: readonly { readonly round: Round; readonly cohort: Pick<ReadonlySet<string>, 'has'> }[],
  device: string,
): Desired['evaluation'] {
  const next = rounds.find(
    ({ round, cohort }) => cohort.has(device) && !Object.hasOwn(round.answers, device),
  );
  return next?.round.request ?? null;
}

export function productionOf(state: Pick<HubState, 'models'>, model: string): ModelRef | null {
  const version = state.models[model]?.production ?? null;
  const digest = version === null ? undefined : state.models[model]?.versions[version]?.manifest.digest;
  return version === null || digest === undefined ? null : { version, digest };
}
