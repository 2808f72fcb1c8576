import { FleetLikelihood } from '@adbreak/shared/evidence/fleet.js';
import { logHarmPooled } from '@adbreak/shared/evidence/harm.js';
import { logClosed } from '@adbreak/shared/evidence/multiplicity.js';
import { logNonInferiority } from '@adbreak/shared/evidence/non-inferiority.js';
import { logNonInferioritySampled } from '@adbreak/shared/evidence/sampled.js';
import type { DriftVerdict } from './drift.js';
import { decided, type Outcome } from './evidence.js';
import { brokenLimit, type HealthFacts } from './health.js';
import type { Plan, Stage } from './plan.js';
import { type GateDevice, type Screened, screen } from './screen.js';
import { evalue, hours, percent, points } from './words.js';

/** Below this many devices the fleet is those devices, and the pooled evidence answers for it. docs/statistics.md, "Pooled harm of the first gate". */
export const SMALL_FLEET = 5;

export const VERDICTS = ['PASS', 'HOLD', 'SUSPEND', 'FAIL', 'INCONCLUSIVE', 'WORLD', 'AMBIGUOUS'] as const;
export type VerdictName = (typeof VERDICTS)[number];
export const CAUSES = [
  'no-worse',
  'no-harm',
  'worse',
  'worse-in-slice',
  'crashes',
  'latency',
  'memory',
  'failures',
  'world',
  'ambiguous',
  'candidate-changed',
  'devices',
  'episodes',
  'silent',
  'soak',
  'labels',
  'one-device',
  'evidence',
  'siblings',
  'outdone',
  'round',
  'approval',
  'window',
  'watch',
] as const;
export type Cause = (typeof CAUSES)[number];
export interface Verdict {
  readonly verdict: VerdictName;
  readonly cause: Cause;
  /** One sentence with its numbers, for people. */
  readonly reason: string;
  /** Episodes decided so far. */
  readonly episodes: number;
  /** What somebody else has to do first. */
  readonly ask: 'labels' | 'round' | 'approval' | null;
}

/** Another candidate against the same production: promotion counts both (several questions, one error: docs/statistics.md, "Several candidates"). */
export interface Sibling {
  readonly id: string;
  /** ln of its evidence for promotion. */
  readonly log: number;
  readonly status: 'open' | 'passed' | 'ended';
  /** Its estimated difference to production, share of episodes. */
  readonly difference: number;
}
export interface GateInput {
  readonly plan: Plan;
  readonly id: string;
  readonly stage: number;
  readonly hoursInStage: number;
  readonly devices: readonly GateDevice[];
  readonly slices: Readonly<Record<string, readonly (Outcome & { readonly id: string })[]>>;
  /** Episodes decided in this stage where the candidate acts; in shadow, everywhere. */
  readonly decidedInStage: number;
  /** Devices on which the candidate acts, and how many of them sent nothing in this stage. */
  readonly acting: { readonly devices: number; readonly silent: number };
  readonly health: HealthFacts | null;
  readonly drift: DriftVerdict;
  /** Lower end of the candidate's difference by the stage's federated round; null before it. */
  readonly round: { readonly low: number; readonly inconclusive: boolean } | null;
  readonly approved: boolean;
  /** Inside one of the plan's windows. */
  readonly mayAdvance: boolean;
  readonly siblings: readonly Sibling[];
  readonly watching: boolean;
}

type Say = (verdict: VerdictName, cause: Cause, reason: string, ask?: Verdict['ask']) => Verdict;
interface Case {
  readonly input: GateInput;
  readonly screened: Screened;
  readonly sums: Outcome & { readonly undecided: number };
  readonly fleet: FleetLikelihood;
  readonly say: Say;
}

/** The verdict on a rollout's evidence; pure, and valid at every look. Harm is asked first, then what may explain it away. */
export function judge(input: GateInput): Verdict {
  const screened = screen(input.devices, input.plan.maxTimesMedian);
  const sums = addUp(screened.kept);
  const episodes = decided(sums);
  const named =
    screened.leftOut.length === 0 ? '' : `; left out: ${screened.leftOut.map(({ why }) => why).join(', ')}`;
  const say: Say = (verdict, cause, reason, ask = null) => ({
    verdict,
    cause,
    reason: reason + named,
    episodes,
    ask,
  });
  const fleet = fleetOf(screened.kept, input.plan);
  const all: Case = { input, screened, sums, fleet, say };
  return (
    harm(all) ?? health(all) ?? (input.watching ? watch(all) : (drift(all) ?? waits(all) ?? promotion(all)))
  );
}

/** With sampled labels each labelled disagreement stands for 1/rate of them (Horvitz-Thompson), and unlabelled ones for none. */
export function fleetOf(
  devices: readonly GateDevice[],
  { labelRate }: Pick<Plan, 'labelRate'>,
): FleetLikelihood {
  return new FleetLikelihood(
    devices.map((one) =>
      labelRate < 1
        ? {
            wins: one.wins / labelRate,
            losses: one.losses / labelRate,
            episodes: decided(one) + one.undecided,
            devices: one.devices ?? 1,
          }
        : { ...one, episodes: decided(one) },
    ),
    1 / labelRate,
  );
}

/** What the devices have together. */
export function addUp(devices: readonly GateDevice[]): Case['sums'] {
  const sum = { agreed: 0, wins: 0, losses: 0, undecided: 0 };
  for (const { agreed, wins, losses, undecided, devices: n = 1 } of devices) {
    sum.agreed += agreed * n;
    sum.wins += wins * n;
    sum.losses += losses * n;
    sum.undecided += undecided * n;
  }
  return sum;
}

// — harm: docs/statistics.md, "Pooled harm of the first gate" and "Random effects" —

function harm({ input, screened, sums: { wins, losses }, fleet, say }: Case): Verdict | null {
  const threshold = -Math.log(input.plan.alphaHarm);
  const pooled = logHarmPooled(losses, wins);
  if (pooled < threshold) return harmInSlice(input, screened, say);
  const facts = `only the candidate was wrong in ${losses} episodes, only production in ${wins}: E_pooled = ${evalue(pooled)} ≥ ${evalue(threshold)}`;
  // The table of docs/statistics.md, "The world or the model": where production shifts and the two differ no more than before, nothing is rolled back.
  if (input.drift.worldDoubt && !input.drift.disagreementAlarm)
    return say(
      'SUSPEND',
      'worse',
      `worse: ${facts}; the world is changing under both models (R = ${evalue(Math.log(input.drift.world ?? 1))}), so nothing is rolled back yet`,
    );
  if (fleet.devices < SMALL_FLEET)
    return say('FAIL', 'worse', `worse: ${facts}; with ${fleet.devices} devices the fleet is those devices`);
  const forFleet = fleet.logHarm();
  if (forFleet >= threshold)
    return say('FAIL', 'worse', `worse for the fleet: ${facts}; E_fleet = ${evalue(forFleet)}`);
  const alone = screened.kept.find(
    (one) => (one.devices ?? 1) === 1 && logHarmPooled(losses - one.losses, wins - one.wins) < threshold,
  );
  const who =
    alone === undefined
      ? ''
      : `; without ${alone.id} (${alone.losses} lost, ${alone.wins} won) it would not be`;
  return say(
    'SUSPEND',
    'worse',
    `worse on the devices that ran it: ${facts}; not yet shown for the fleet (E_fleet = ${evalue(forFleet)})${who}`,
  );
}

/** Each slice at its share of alpha. It suspends and never fails: the fleet's own evidence decides about the fleet. */
function harmInSlice({ plan, slices }: GateInput, { leftOut }: Screened, say: Say): Verdict | null {
  const gone = new Set(leftOut.map(({ id }) => id));
  const entries = Object.entries(slices);
  const threshold = Math.log(Math.max(1, entries.length) / plan.alphaSlices);
  for (const [name, all] of entries) {
    const devices = gone.size === 0 ? all : all.filter(({ id }) => !gone.has(id));
    const losses = devices.reduce((sum, one) => sum + one.losses, 0);
    const wins = devices.reduce((sum, one) => sum + one.wins, 0);
    const pooled = logHarmPooled(losses, wins);
    if (pooled < threshold) continue;
    const fleet = new FleetLikelihood(devices.map((one) => ({ ...one, episodes: decided(one) })));
    if (fleet.devices >= SMALL_FLEET && fleet.logHarm() < threshold) continue;
    return say(
      'SUSPEND',
      'worse-in-slice',
      `worse in ${name}: only the candidate was wrong in ${losses} episodes there, only production in ${wins}: E = ${evalue(pooled)} ≥ ${evalue(threshold)}, the threshold of ${entries.length} slices`,
    );
  }
  return null;
}

function health({ input, say }: Case): Verdict | null {
  const broken = input.health === null ? null : brokenLimit(input.health, input.plan);
  return broken && say('FAIL', broken.cause, broken.reason);
}

function watch({ input, say }: Case): Verdict {
  return say(
    'HOLD',
    'watch',
    `completed; it is watched for ${hours(input.plan.watchHours)}, ${hours(input.hoursInStage)} have passed without harm`,
  );
}

// — the world or the model: docs/statistics.md, "The world or the model" —

function drift({ input: { drift: seen, plan }, sums, say }: Case): Verdict | null {
  const disagreements = sums.wins + sums.losses + sums.undecided;
  const unlabelled = disagreements === 0 || plan.labelRate < 1 ? 0 : sums.undecided / disagreements;
  const limit = plan.world.falseAlarmHours;
  if (seen.worldAlarm && seen.disagreementAlarm)
    return say(
      'AMBIGUOUS',
      'ambiguous',
      `production's confidences have shifted (R = ${evalue(Math.log(seen.world ?? 1))}, the alarm is at ${limit}) and the two models differ more than they did: held; only labelled harm rolls back`,
      'labels',
    );
  if (seen.worldAlarm)
    return say(
      'WORLD',
      'world',
      `the world changed under both models: production's confidences have shifted (R = ${evalue(Math.log(seen.world ?? 1))}, the alarm is at ${limit}), the two models differ no more than before; nothing is promoted, nothing is rolled back. Retraining on what is on now may help`,
    );
  if (seen.disagreementAlarm && unlabelled > plan.maxUnlabelled)
    return say(
      'HOLD',
      'candidate-changed',
      `the candidate has changed beside an unchanged production: they differ more often than they did; labels on ${sums.undecided} of ${disagreements} disagreements are missing, and they decide`,
      'labels',
    );
  return null;
}

// — what must be there before anything may pass; missing evidence waits, and never passes —

/** HOLD, and INCONCLUSIVE once the stage's time is over. */
function wait(
  { input: { plan, hoursInStage }, say }: Case,
  cause: Cause,
  why: string,
  ask: Verdict['ask'] = null,
): Verdict {
  return hoursInStage >= plan.deadlineHours
    ? say(
        'INCONCLUSIVE',
        cause,
        `${why}, and the deadline of ${hours(plan.deadlineHours)} has passed: a person decides`,
        ask,
      )
    : say('HOLD', cause, why, ask);
}

function waits(all: Case): Verdict | null {
  const { input, screened, sums } = all;
  const { plan, acting } = input;
  const stage = stageOf(input);
  const devices = screened.kept.reduce((sum, one) => sum + (decided(one) > 0 ? (one.devices ?? 1) : 0), 0);
  if (devices < plan.minDevices)
    return wait(all, 'devices', `evidence from ${devices} of ${plan.minDevices} devices`);
  if (acting.devices > 0 && acting.silent > plan.maxSilent * acting.devices)
    return wait(
      all,
      'silent',
      `${acting.silent} of ${acting.devices} devices on which the candidate acts have sent nothing in this stage`,
    );
  if (input.decidedInStage < (stage?.minEpisodes ?? 0))
    return wait(
      all,
      'episodes',
      `${input.decidedInStage} of ${stage?.minEpisodes} episodes in this stage${acting.devices > 0 ? ' on devices where the candidate acts' : ''}`,
    );
  if (input.hoursInStage < (stage?.soakHours ?? 0))
    return wait(all, 'soak', `${hours(input.hoursInStage)} of ${hours(stage?.soakHours ?? 0)} in this stage`);
  if (plan.evidence === 'no-harm') return null;
  const disagreements = sums.wins + sums.losses + sums.undecided;
  if (plan.labelRate === 1 && disagreements > 0 && sums.undecided / disagreements > plan.maxUnlabelled)
    return wait(
      all,
      'labels',
      `${sums.undecided} of ${disagreements} disagreements have no label; at most ${Math.round(100 * plan.maxUnlabelled)} % may lack one`,
      'labels',
    );
  const largest = screened.kept.reduce<GateDevice | null>(
    (most, one) => (most === null || labelledOf(one) > labelledOf(most) ? one : most),
    null,
  );
  const labelled = sums.wins + sums.losses;
  if (
    largest !== null &&
    devices > 1 &&
    labelled >= LEAST_LABELLED &&
    labelledOf(largest) > plan.maxFromOneDevice * labelled
  )
    return wait(
      all,
      'one-device',
      `${labelledOf(largest)} of ${labelled} labelled disagreements come from ${largest.id} alone`,
      'labels',
    );
  return null;
}

const LEAST_LABELLED = 10;
const labelledOf = ({ wins, losses }: Outcome) => wins + losses;
const stageOf = ({ plan, stage }: GateInput): Stage | undefined => plan.stages[stage];

// — promotion: docs/statistics.md, "Drawn answers" and "Random effects" —

/** ln of the evidence that the candidate is at most the margin worse: M, and from five devices on E_fleet as well. */
export function promotionEvidence(
  sums: ReturnType<typeof addUp>,
  likelihood: FleetLikelihood,
  plan: Plan,
): { readonly m: number; readonly fleet: number | null; readonly log: number } {
  const m =
    plan.labelRate < 1
      ? logNonInferioritySampled(
          { wins: sums.wins, losses: sums.losses, zeros: sums.agreed + sums.undecided },
          plan.margin,
          plan.labelRate,
        )
      : logNonInferiority(sums, plan.margin);
  const fleet = likelihood.devices < SMALL_FLEET ? null : likelihood.logNonInferiority(plan.margin);
  return { m, fleet, log: Math.min(m, fleet ?? m) };
}

function promotion(all: Case): Verdict {
  const { input, sums, say } = all;
  const { plan } = input;
  if (plan.evidence === 'no-harm')
    return agreed(
      all,
      say('PASS', 'no-harm', `no harm in ${decided(sums)} episodes: ${sums.wins} won, ${sums.losses} lost`),
    );
  const threshold = -Math.log(plan.alphaPromote);
  const { m, fleet, log } = promotionEvidence(sums, all.fleet, plan);
  const together = logClosed([log, ...input.siblings.map((one) => one.log)], 0);
  const several =
    input.siblings.length === 0
      ? ''
      : `, with ${input.siblings.length === 1 ? 'the other candidate' : `${input.siblings.length} other candidates`} ${evalue(together)}`;
  const facts = `${decided(sums)} episodes: ${sums.wins} won, ${sums.losses} lost, ${sums.agreed} alike; M = ${evalue(m)}${fleet === null ? '' : `, E_fleet = ${evalue(fleet)}`}${several} against ${evalue(threshold)} for a margin of ${points(plan.margin)}`;
  if (together < threshold) return wait(all, 'evidence', `not enough evidence yet: ${facts}`);
  return best(all) ?? agreed(all, say('PASS', 'no-worse', `no worse than production: ${facts}`));
}

export function differenceOf(sums: Outcome): number {
  return (sums.wins - sums.losses) / Math.max(1, decided(sums));
}

/** Of several candidates that pass, the best goes on; it waits in the shadow until the others have had their time. */
function best(all: Case): Verdict | null {
  const { input, sums } = all;
  if (input.stage > 0) return null;
  const open = input.siblings.filter(({ status }) => status === 'open');
  if (open.length > 0 && input.hoursInStage < input.plan.deadlineHours)
    return all.say(
      'HOLD',
      'siblings',
      `passed; it waits for ${open.map(({ id }) => id).join(', ')} to be decided`,
    );
  const own = differenceOf(sums);
  const better = input.siblings.find(
    ({ id, status, difference }) =>
      status === 'passed' && (difference > own || (difference === own && id < input.id)),
  );
  return better === undefined
    ? null
    : all.say(
        'HOLD',
        'outdone',
        `passed, but ${better.id} is better: ${percent(better.difference)} against ${percent(own)} of episodes gained on production`,
      );
}

/** Who else must agree before a stage that has passed is left: a federated round, a person. */
function agreed(all: Case, passed: Verdict): Verdict {
  const { input } = all;
  const stage = stageOf(input);
  if (stage?.round != null) {
    if (input.round === null)
      return wait(
        all,
        'round',
        `passed, and waits for a federated round of ${stage.round.quorum} devices`,
        'round',
      );
    if (input.round.inconclusive)
      return wait(all, 'round', 'passed, but the federated round had too few answers', 'round');
    if (input.round.low < -input.plan.margin)
      return wait(
        all,
        'round',
        `passed, but by the federated round the candidate may be ${points(-input.round.low)} worse; the margin is ${points(input.plan.margin)}`,
        'round',
      );
  }
  const last = input.stage === input.plan.stages.length - 1;
  if (!input.approved && (stage?.approve != null || (last && !input.plan.autoPromote)))
    return all.say(
      'HOLD',
      'approval',
      `${passed.reason}; a person (${stage?.approve ?? 'operator'}) must approve: \`adbreak rollouts approve ${input.id}\``,
      'approval',
    );
  if (!input.mayAdvance)
    return all.say('HOLD', 'window', `${passed.reason}; it waits for a window of the plan to advance in`);
  return passed;
}
