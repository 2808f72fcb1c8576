import { ClusterLikelihood } from '@adbreak/shared/evidence/clusters.js';
import { logClosed } from '@adbreak/shared/evidence/multiplicity.js';
import { clusterOf, logHarm, logNoWorse, type Tallies } from '@adbreak/shared/evidence/tally.js';
import type { DriftVerdict } from './drift.js';
import { sumOf, type Totals, totalOf } from './evidence.js';
import { brokenLimit, type HealthFacts } from './health.js';
import { type Plan, type Stage, toleranceOf } from './plan.js';
import { type SilenceFacts, troubledBySilence } from './silence.js';
import type { Cause, VerdictName } from './verdicts.js';
import { count, evalue, hours, percent, points } from './words.js';

/** Below this many channels the fleet is those channels, and the pooled evidence answers for it. docs/gate.md. */
export const SMALL_FLEET = 5;
/** The programme of a day is common to all; fewer days say nothing about other days. */
export const LEAST_DAYS = 5;

export interface Verdict {
  readonly verdict: VerdictName;
  readonly cause: Cause;
  /** One sentence with its numbers, for people. */
  readonly reason: string;
  /** Distinct episodes so far, averaged over a channel's devices. */
  readonly episodes: number;
  /** What somebody else has to do first. */
  readonly ask: 'labels' | 'round' | 'approval' | null;
}

/** Another candidate against the same production: promotion counts both (several questions, one error). */
export interface Sibling {
  readonly id: string;
  /** ln of its evidence for promotion. */
  readonly log: number;
  readonly status: 'open' | 'passed' | 'ended';
  /** Its estimated difference to production, share of episodes. */
  readonly difference: number;
}
/** A channel, or a group of channels with the same counts in a simulation of very many. */
export interface GateCluster {
  readonly id: string;
  readonly tallies: Tallies;
  readonly clusters?: number;
}
/** Evidence that counts: closed windows of devices that are not judged apart. */
export interface CountedEvidence {
  readonly clusters: readonly GateCluster[];
  readonly days: readonly Tallies[];
  /** Channels of which everything is judged apart: a fleet of five channels that leaves one behind is not a small one of four. */
  readonly channelsApart?: number;
  /** Share of answers that may be wrong: the plan's, or what control items show. */
  readonly wrong: number;
}
export interface GateInput extends CountedEvidence {
  readonly plan: Plan;
  readonly id: string;
  readonly stage: number;
  readonly hoursInStage: number;
  /** Devices that have given evidence, and answered disagreements of the one that gave most, and of all. */
  readonly devices: number;
  readonly answers: {
    readonly most: { readonly device: string; readonly n: number } | null;
    readonly all: number;
  };
  /** Distinct episodes of this stage where the candidate acts; in shadow, anywhere. */
  readonly episodesInStage: number;
  /** Devices on which the candidate acts; null in the shadow. */
  readonly acting: number | null;
  readonly silence: SilenceFacts | null;
  /** Hours since silence began to hold the rollout; null where it does not. */
  readonly silentHours: number | null;
  readonly health: HealthFacts | null;
  /** How often a limit has stopped this rollout already. */
  readonly limitStops: number;
  readonly drift: DriftVerdict;
  /** Lower end of the candidate's difference by the stage's federated round; null before it. */
  readonly round: { readonly low: number; readonly inconclusive: boolean } | null;
  readonly approved: boolean;
  /** Inside one of the plan's windows. */
  readonly mayAdvance: boolean;
  readonly siblings: readonly Sibling[];
  readonly status: 'running' | 'paused' | 'suspended' | 'watching';
}

type Say = (verdict: VerdictName, cause: Cause, reason: string, ask?: Verdict['ask']) => Verdict;
interface Case {
  readonly input: GateInput;
  readonly weighed: Weighed;
  readonly say: Say;
}

// — what the evidence weighs —

/** ln of each e-value; null where there are too few clusters for one. */
export interface Evidence3 {
  /** Over all episodes alike. */
  readonly pooled: number;
  /** With channels, and with days, as what differs. */
  readonly channels: number | null;
  readonly days: number | null;
}
export interface Weighed {
  readonly totals: Totals;
  readonly channels: number;
  readonly days: number;
  readonly harm: Evidence3;
  readonly promotion: Evidence3;
  /** Candidate less production, share of episodes, with open draws left out. */
  readonly difference: number;
}

type Side = 'harm' | 'promotion';
function modelOf(groups: readonly GateCluster[], side: Side, wrong: number): ClusterLikelihood {
  return new ClusterLikelihood(
    groups.map(({ tallies, clusters: n = 1 }) => {
      const one = clusterOf(tallies, side, wrong);
      return n === 1 ? one : { ...one, clusters: n };
    }),
    { clip: true },
  );
}

/** Everything that the gate's two questions need, once for the gate, the explanation and the simulator. Pure. */
export function weigh({ clusters, days, channelsApart = 0, wrong }: CountedEvidence, plan: Plan): Weighed {
  const total = sumOf(clusters);
  const tolerance = toleranceOf(plan);
  const model = (groups: readonly GateCluster[], side: Side) => modelOf(groups, side, wrong);
  const byDay = days.map((tallies, i) => ({ id: String(i), tallies }));
  const [harm, promotion] = [model(clusters, 'harm'), model(clusters, 'promotion')];
  const [dayHarm, dayPromotion] = [model(byDay, 'harm'), model(byDay, 'promotion')];
  const enough = harm.clusters > 0 && harm.clusters + channelsApart >= SMALL_FLEET;
  const enoughDays = dayHarm.clusters >= LEAST_DAYS;
  return {
    totals: totalOf(total),
    channels: harm.clusters,
    days: dayHarm.clusters,
    harm: {
      pooled: logHarm(total, { tolerance, wrong }),
      channels: enough ? harm.logHarm(tolerance) : null,
      days: enoughDays ? dayHarm.logHarm(tolerance) : null,
    },
    promotion: {
      pooled: logNoWorse(total, { margin: plan.margin, wrong }),
      channels: enough ? promotion.logNoWorse(plan.margin) : null,
      days: enoughDays ? dayPromotion.logNoWorse(plan.margin) : null,
    },
    difference: meanOf(total),
  };
}

/** Candidate less production, share of episodes, and what the evidence does not rule out. */
export interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}
/** Open draws may be anything: the interval goes from where they all are losses to where they all are wins. Null without episodes. */
export function differenceOf({ clusters, wrong }: CountedEvidence, { alphaHarm }: Plan): Difference | null {
  const low = modelOf(clusters, 'promotion', wrong).confidenceSequence(alphaHarm)?.low;
  const high = modelOf(clusters, 'harm', wrong).confidenceSequence(alphaHarm)?.high;
  return low === undefined || high === undefined ? null : { value: meanOf(sumOf(clusters)), low, high };
}
/** Answered outcomes over their rate, per episode. */
function meanOf(tallies: Tallies): number {
  let [sum, episodes] = [0, 0];
  for (const { rate, zeros, wins, losses, open } of tallies) {
    sum += (wins - losses) / rate;
    episodes += zeros + wins + losses + open;
  }
  return sum / Math.max(1, episodes);
}

/** The least of what is there: every question must be answered. */
export function leastOf({ pooled, channels, days }: Evidence3): number {
  return Math.min(pooled, channels ?? pooled, days ?? pooled);
}

/** ln of the evidence that a stage's promotion needs: days only where it cannot be taken back cheaply. */
export function promotionLog({ promotion }: Weighed, last: boolean): number {
  return leastOf(last ? promotion : { ...promotion, days: null });
}

// — the verdict —

/** The verdict on a rollout's evidence; pure, and valid at every look. Harm is asked first, then what may explain it away. */
export function judge(input: GateInput): Verdict {
  const weighed = weigh(input, input.plan);
  const episodes = Math.round(weighed.totals.episodes);
  const say: Say = (verdict, cause, reason, ask = null) => ({ verdict, cause, reason, episodes, ask });
  const all: Case = { input, weighed, say };
  return (
    harm(all) ??
    health(all) ??
    lastingSilence(all) ??
    (input.status === 'watching' ? watch(all) : null) ??
    (input.status === 'suspended' ? suspended(all) : null) ??
    drift(all) ??
    waits(all) ??
    promotion(all)
  );
}

const outcomes = ({ wins, losses }: Totals) => `${tidy(losses)} lost, ${tidy(wins)} won`;
/** Averages are fractions; people read whole numbers where they are. */
function tidy(n: number): string {
  return Number.isInteger(n) || n >= 100 ? Math.round(n).toLocaleString('en-US') : n.toFixed(1);
}

function harm({ input, weighed, say }: Case): Verdict | null {
  const { plan } = input;
  const threshold = -Math.log(plan.alphaHarm);
  const { pooled, channels, days } = weighed.harm;
  if (pooled < threshold) return null;
  const facts = `worse by more than ${points(toleranceOf(plan))}: ${outcomes(weighed.totals)} in ${tidy(weighed.totals.episodes)} distinct episodes; H = ${evalue(pooled)} ≥ ${evalue(threshold)}`;
  // Where production shifts and the two differ no more than before, nothing is rolled back.
  if (input.drift.worldDoubt && !input.drift.disagreementAlarm)
    return say(
      'SUSPEND',
      'worse',
      `${facts}; the world is changing under both models (R = ${evalue(Math.log(input.drift.world ?? 1))}), so nothing is rolled back yet`,
    );
  if (channels !== null && channels < threshold)
    return say(
      'SUSPEND',
      'worse',
      `${facts}; on the channels that are watched, not yet shown for all (E_fleet = ${evalue(channels)})`,
    );
  const small =
    channels === null
      ? `; with ${count(weighed.channels, 'channel')} the fleet is ${weighed.channels === 1 ? 'that channel' : 'those channels'}`
      : `; E_fleet = ${evalue(channels)}`;
  if (days === null)
    return say(
      'SUSPEND',
      'worse',
      `${facts}${small}; a rollback needs ${LEAST_DAYS} days of evidence, there are ${weighed.days}: back to the shadow costs nothing`,
    );
  if (days < threshold)
    return say(
      'SUSPEND',
      'worse',
      `${facts}${small}; not yet shown over the days (E_days = ${evalue(days)})`,
    );
  return say('FAIL', 'worse', `${facts}${small}, E_days = ${evalue(days)}`);
}

/** A limit stops; only one that stops a second time ends the rollout. In the shadow, devices that cannot run it harm nobody: they never do. */
function health({ input, say }: Case): Verdict | null {
  const broken = input.health === null ? null : brokenLimit(input.health, input.plan);
  if (broken === null) return null;
  return input.limitStops > 0 && !(broken.cause === 'failures' && input.acting === null)
    ? say('FAIL', broken.cause, `${broken.reason}; a limit has stopped this rollout before`)
    : say('SUSPEND', broken.cause, broken.reason);
}

function lastingSilence({ input, say }: Case): Verdict | null {
  const why = input.silence === null ? null : troubledBySilence(input.silence, input.plan);
  if (why === null || input.silentHours === null || (input.acting ?? 0) === 0) return null;
  return input.silentHours >= input.plan.silence.suspendHours
    ? say('SUSPEND', 'silent', `${why}, for ${hours(input.silentHours)} now`)
    : null;
}

function watch(all: Case): Verdict {
  const { input, say } = all;
  const why = input.silence === null ? null : troubledBySilence(input.silence, input.plan);
  if (why !== null) return say('HOLD', 'silent', `completed, and watched: ${why}`);
  return say(
    'HOLD',
    'watch',
    `completed; it is watched for ${hours(input.plan.watchHours)}, ${hours(input.hoursInStage)} have passed without harm`,
  );
}

function suspended(all: Case): Verdict {
  return wait(
    all,
    'suspended',
    `suspended: nothing says now that it is worse; a person resumes or aborts it (\`adbreak rollouts resume ${all.input.id}\`)`,
  );
}

// — the world or the model —

/** More open draws than this share of all, and a rise of the disagreements asks for answers first. */
const MANY_OPEN = 0.2;
function drift(all: Case): Verdict | null {
  const { input, weighed } = all;
  const { drift: seen, plan } = input;
  const limit = plan.world.falseAlarmHours;
  const shifted = `production's confidences have shifted (R = ${evalue(Math.log(seen.world ?? 1))}, the alarm is at ${limit})`;
  if (seen.worldAlarm && seen.disagreementAlarm)
    return wait(
      all,
      'ambiguous',
      `${shifted} and the two models differ more than they did: held; only answered harm rolls back`,
      'labels',
      'AMBIGUOUS',
    );
  if (seen.worldAlarm)
    return wait(
      all,
      'world',
      `the world changed under both models: ${shifted}, the two models differ no more than before; nothing is promoted, nothing is rolled back. Retraining on what is on now may help`,
      null,
      'WORLD',
    );
  const { wins, losses, open } = weighed.totals;
  if (seen.disagreementAlarm && open > MANY_OPEN * (wins + losses + open))
    return wait(
      all,
      'candidate-changed',
      `the candidate has changed beside an unchanged production: they differ more often than they did; ${tidy(open)} of ${tidy(wins + losses + open)} drawn disagreements have no answer, and they decide`,
      'labels',
    );
  return null;
}

// — what must be there before anything may pass; missing evidence waits, and never passes —

/** HOLD (or another verdict that waits), and INCONCLUSIVE once the stage's time is over. */
function wait(
  { input: { plan, hoursInStage }, say }: Case,
  cause: Cause,
  why: string,
  ask: Verdict['ask'] = null,
  verdict: VerdictName = 'HOLD',
): Verdict {
  return hoursInStage >= plan.deadlineHours
    ? say(
        'INCONCLUSIVE',
        cause,
        `${why}, and the deadline of ${hours(plan.deadlineHours)} has passed: a person decides`,
        ask,
      )
    : say(verdict, cause, why, ask);
}

function waits(all: Case): Verdict | null {
  const { input } = all;
  const { plan, acting } = input;
  const stage = stageOf(input);
  if (acting === 0)
    return wait(all, 'devices', 'the candidate acts on no device: nobody whom this stage may reach is there');
  if (input.devices < plan.minDevices)
    return wait(all, 'devices', `evidence from ${input.devices} of ${plan.minDevices} devices`);
  const why = input.silence === null ? null : troubledBySilence(input.silence, plan);
  if (why !== null) return wait(all, 'silent', why);
  // Sums of thirds: a last digit is no episode.
  if (input.episodesInStage + 1e-6 < (stage?.minEpisodes ?? 0))
    return wait(
      all,
      'episodes',
      `${tidy(Math.floor(input.episodesInStage + 1e-6))} of ${stage?.minEpisodes} distinct episodes in this stage${acting === null ? '' : ' where the candidate acts'}`,
    );
  if (input.hoursInStage < (stage?.soakHours ?? 0))
    return wait(all, 'soak', `${hours(input.hoursInStage)} of ${hours(stage?.soakHours ?? 0)} in this stage`);
  if (plan.evidence === 'no-harm') return null;
  const { most, all: answers } = input.answers;
  if (
    most !== null &&
    input.devices > 1 &&
    answers >= LEAST_ANSWERS &&
    most.n > plan.maxFromOneDevice * answers
  )
    return wait(
      all,
      'one-device',
      `${most.n} of ${answers} answers come from ${most.device} alone`,
      'labels',
    );
  return null;
}

const LEAST_ANSWERS = 10;
export const stageOf = ({ plan, stage }: Pick<GateInput, 'plan' | 'stage'>): Stage | undefined =>
  plan.stages[stage];
const isLast = ({ plan, stage }: GateInput) => stage === plan.stages.length - 1;

// — promotion —

function promotion(all: Case): Verdict {
  const { input, weighed, say } = all;
  const { plan } = input;
  const { totals } = weighed;
  const shown = `${tidy(totals.episodes)} distinct episodes on ${count(weighed.channels, 'channel')}: ${tidy(totals.wins)} won, ${tidy(totals.losses)} lost, ${tidy(totals.open)} unanswered`;
  if (plan.evidence === 'no-harm') return agreed(all, say('PASS', 'no-harm', `no harm in ${shown}`));
  const threshold = -Math.log(plan.alphaPromote);
  const log = promotionLog(weighed, isLast(input));
  const together = logClosed([log, ...input.siblings.map((one) => one.log)], 0);
  const facts = `${shown}; ${evidenceText(weighed, input)}${siblingText(input, together)} against ${evalue(threshold)} for a margin of ${points(plan.margin)}`;
  if (together < threshold)
    return stillOpen(all, facts, threshold) ?? wait(all, 'evidence', `not enough evidence yet: ${facts}`);
  if (isLast(input) && weighed.promotion.days === null)
    return wait(
      all,
      'days',
      `no worse so far, and the last stage needs evidence of ${LEAST_DAYS} days; there are ${weighed.days}: ${facts}`,
    );
  return best(all) ?? agreed(all, say('PASS', 'no-worse', `no worse than production: ${facts}`));
}

function evidenceText({ promotion: { pooled, channels, days } }: Weighed, input: GateInput): string {
  const fleet = channels === null ? '' : `, E_fleet = ${evalue(channels)}`;
  return `M = ${evalue(pooled)}${fleet}${isLast(input) && days !== null ? `, E_days = ${evalue(days)}` : ''}`;
}
function siblingText({ siblings }: GateInput, together: number): string {
  if (siblings.length === 0) return '';
  const others = siblings.length === 1 ? 'the other candidate' : `${siblings.length} other candidates`;
  return `, with ${others} ${evalue(together)}`;
}

/** Where answers are all that is missing: it would pass if nobody's silence counted against it. */
function stillOpen(all: Case, facts: string, threshold: number): Verdict | null {
  const { input, weighed } = all;
  const { wins, losses, open } = weighed.totals;
  if (open === 0) return null;
  const without = {
    ...input,
    clusters: input.clusters.map((one) => ({
      ...one,
      tallies: one.tallies.map((t) => ({ ...t, zeros: t.zeros + t.open, open: 0 })),
    })),
  };
  if (promotionLog(weigh(without, input.plan), false) < threshold) return null;
  const share = open / (wins + losses + open);
  return wait(
    all,
    'labels',
    `${percent(share)} of the drawn disagreements have no answer, and each counts against the candidate: ${facts}`,
    'labels',
  );
}

/** Of several candidates that pass, the best goes on; it waits in the shadow until the others have had their time. */
function best(all: Case): Verdict | null {
  const { input, weighed } = all;
  if (input.stage > 0) return null;
  const open = input.siblings.filter(({ status }) => status === 'open');
  if (open.length > 0 && input.hoursInStage < input.plan.deadlineHours)
    return all.say(
      'HOLD',
      'siblings',
      `passed; it waits for ${open.map(({ id }) => id).join(', ')} to be decided`,
    );
  const own = weighed.difference;
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
  if (!input.approved && (stage?.approve != null || (isLast(input) && !input.plan.autoPromote)))
    return wait(
      all,
      'approval',
      `${passed.reason}; a person (${stage?.approve ?? 'operator'}) must approve: \`adbreak rollouts approve ${input.id}\``,
      'approval',
    );
  if (!input.mayAdvance)
    return all.say('HOLD', 'window', `${passed.reason}; it waits for a window of the plan to advance in`);
  return passed;
}
