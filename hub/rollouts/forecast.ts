import { DRAW_RATES } from '@adbreak/shared/contract/messages.js';
import { seeded } from '@adbreak/shared/random.js';
import { RoomStream } from '../simulate/living-rooms.js';
import { RoomEvidence } from '../simulate/room-evidence.js';
import { cohort, type Member, reaches } from './cohort.js';
import { LEAST_DAYS, leastOf, promotionLog, SMALL_FLEET, weigh } from './gate.js';
import type { Plan } from './plan.js';
import { clusterOfSlice } from './slices.js';
import { count, hours, percent, points } from './words.js';

/** What a fleet has shown of itself; assumptions where it has shown nothing yet. */
export interface FleetRates {
  /** Episodes a device ends in a day. */
  readonly episodesPerDay: number;
  /** Share of episodes on which two versions differ. */
  readonly disagreement: number;
  /** Share of what is drawn that people answer. */
  readonly answered: number;
  /** Of win or loss among one channel's disagreements. */
  readonly correlation: number;
  /** Where each of these comes from, in words. */
  readonly sources: readonly string[];
}

export interface StageForecast {
  readonly name: string;
  readonly acting: readonly string[];
  readonly fromDay: number;
  readonly untilDay: number;
  /** Distinct episodes in it where the candidate acts; in shadow, anywhere. */
  readonly episodes: number;
}
/** Of simulated rollouts: the share that got there within the deadline; median distinct episodes, days and answers until then, null where most never did. */
export interface Chance {
  readonly share: number;
  readonly episodes: number | null;
  readonly days: number | null;
  readonly answers: number | null;
}
export interface Forecast {
  readonly rates: FleetRates;
  readonly devices: number;
  readonly channels: number;
  /** Share of the disagreements that devices will draw. */
  readonly drawRate: number;
  readonly stages: readonly StageForecast[];
  /** Of candidates as good as production: leaving the shadow, and completing (with days). */
  readonly promotion: Chance;
  readonly completion: Chance;
  /** Of candidates that are worse: shown to be harmful. */
  readonly harm: readonly (Chance & { readonly difference: number })[];
  /** The narrowest margin with which most good candidates leave the shadow within the deadline; null where none of those tried does. */
  readonly decidable: { readonly margin: number; readonly days: number | null } | null;
  readonly warnings: readonly string[];
}

const RUNS = 60;
/** Looks a simulated rollout gets: two a day, so that days count as they do in the gate. */
const MOST_LOOKS = 28;
const HARMS = [0.02, 0.05, 0.1] as const;
const MARGINS = [0.02, 0.03, 0.05, 0.08] as const;
/** More devices a channel than this change an average no more. */
const DEVICES_OF_A_CHANNEL = 6;
/** Large fleets are forecast on so many channels: evidence is there before all have given theirs. */
const MOST_CHANNELS = 60;

interface Shape {
  readonly channels: number;
  readonly perChannel: number;
  readonly rate: number;
  /** Devices of the fleet for one that is simulated. */
  readonly standsFor: number;
}

/** Which devices move when, and how long each gate is expected to take: the gate's own evidence, on simulated fleets like this one. Pure; seeded. */
export function forecast(
  plan: Plan,
  members: readonly Member[],
  rates: FleetRates,
  rollout = 'forecast',
): Forecast {
  const devices = members.length;
  const channels = new Set(
    members.map(({ id, slice }) => (slice === null ? `device=${id}` : clusterOfSlice(slice))),
  ).size;
  const some = {
    channels: Math.min(MOST_CHANNELS, channels),
    perChannel: Math.max(1, Math.min(DEVICES_OF_A_CHANNEL, Math.round(devices / Math.max(1, channels)))),
    rate: drawRateOf(plan, rates),
  };
  const shape: Shape = { ...some, standsFor: devices / Math.max(1, some.channels * some.perChannel) };
  const chance = (difference: number, question: Question, rules = plan) =>
    simulate(rules, shape, rates, difference, question);
  const promotion = chance(0, 'leave');
  const decidable = decide(plan, promotion, (margin) =>
    chance(0, 'leave', { ...plan, margin, tolerance: margin / 2 }),
  );
  return {
    rates,
    devices,
    channels,
    drawRate: shape.rate,
    stages: stagesOf(plan, members, rates, channels, promotion, rollout),
    promotion,
    completion: chance(0, 'complete'),
    harm: HARMS.map((difference) => ({ difference: -difference, ...chance(-difference, 'harm') })),
    decidable,
    warnings: warningsOf(plan, { devices, channels, promotion, decidable, rates }),
  };
}

/** The rate at which devices will draw: as many a week as the plan asks people for. */
function drawRateOf({ labels }: Plan, { episodesPerDay, disagreement }: FleetRates): number {
  if (labels === 'all') return 1;
  const perWeek = 7 * episodesPerDay * disagreement;
  return (
    DRAW_RATES.find((rate) => rate * perWeek <= labels.perDeviceAndWeek) ?? (DRAW_RATES.at(-1) as number)
  );
}

function decide(plan: Plan, own: Chance, at: (margin: number) => Chance): Forecast['decidable'] {
  if (own.share >= 0.5) return { margin: plan.margin, days: own.days };
  for (const margin of MARGINS) {
    if (margin <= plan.margin) continue;
    const found = at(margin);
    if (found.share >= 0.5) return { margin, days: found.days };
  }
  return null;
}

type Question = 'leave' | 'complete' | 'harm';
function simulate(
  plan: Plan,
  { channels, perChannel, rate, standsFor }: Shape,
  rates: FleetRates,
  difference: number,
  question: Question,
): Chance {
  const never = { share: 0, episodes: null, days: null, answers: null };
  if (channels === 0) return never;
  // With so many draws unanswered the worst case alone is beyond the margin: no evidence can come of it.
  const worst = rates.answered * difference - (1 - rates.answered) * rates.disagreement;
  if (question !== 'harm' && worst <= -plan.margin) return never;
  const days = plan.deadlineHours / 24;
  const looks = Math.min(MOST_LOOKS, Math.max(LEAST_DAYS, Math.ceil(2 * days)));
  const perLook = Math.max(1, Math.round((rates.episodesPerDay * days) / looks));
  const perDay = Math.max(1, Math.round((looks * plan.dayHours) / plan.deadlineHours));
  const found: { episodes: number; look: number; answers: number }[] = [];
  const silent = 1 - rates.answered;
  for (let run = 0; run < RUNS; run++) {
    const rooms = {
      devices: channels * perChannel,
      channels,
      episodes: perLook,
      disagreement: Math.max(Math.abs(difference), rates.disagreement),
      difference,
      correlation: rates.correlation,
      people: { rate, missing: { wins: silent, losses: silent } },
    };
    // Every question is asked of the same fleets: what completes has left the shadow.
    const stream = new RoomStream(rooms, seeded(`forecast/${plan.name}/${difference}/${run}`));
    const evidence = new RoomEvidence();
    for (let at = 0; at < looks; at++) {
      evidence.add(stream.next(at), Math.floor(at / perDay));
      const weighed = weigh(evidence.counted(plan.wrong), plan);
      if (!answered(weighed, plan, question)) continue;
      found.push({ episodes: weighed.totals.episodes, look: at + 1, answers: evidence.answers });
      break;
    }
  }
  return {
    share: found.length / RUNS,
    episodes: medianOfRuns(found.map(({ episodes }) => episodes)),
    days: medianOfRuns(found.map(({ look }) => (look * days) / looks)),
    answers: medianOfRuns(found.map(({ answers }) => Math.round(answers * standsFor))),
  };
}

function answered(
  weighed: ReturnType<typeof weigh>,
  { alphaHarm, alphaPromote }: Plan,
  question: Question,
): boolean {
  if (question === 'harm') return leastOf({ ...weighed.harm, days: null }) >= -Math.log(alphaHarm);
  if (weighed.harm.pooled >= -Math.log(alphaHarm)) return false;
  if (question === 'leave') return promotionLog(weighed, false) >= -Math.log(alphaPromote);
  return weighed.promotion.days !== null && promotionLog(weighed, true) >= -Math.log(alphaPromote);
}

/** The median over all runs: those that never got there count as longer than all others. */
function medianOfRuns(values: readonly number[]): number | null {
  return [...values].sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? null;
}

function stagesOf(
  plan: Plan,
  members: readonly Member[],
  rates: FleetRates,
  channels: number,
  promoted: Chance,
  rollout: string,
): StageForecast[] {
  const deadlineDays = plan.deadlineHours / 24;
  let day = 0;
  let acting = new Set<string>();
  return plan.stages.map((stage, i): StageForecast => {
    const reached = members.filter((one) => reaches(stage.where, one));
    if (stage.percent > 0) acting = cohort(rollout, reached, stage.percent, acting);
    const there = members.filter(({ id }) => acting.has(id));
    const distinct =
      stage.percent === 0
        ? channels
        : new Set(there.map(({ id, slice }) => (slice === null ? id : clusterOfSlice(slice)))).size;
    const perDay = distinct * rates.episodesPerDay;
    const fromDay = day;
    const last = i === plan.stages.length - 1;
    const forEpisodes = perDay === 0 ? Number.POSITIVE_INFINITY : stage.minEpisodes / perDay;
    const forDays = last && plan.evidence === 'non-inferiority' ? (LEAST_DAYS * plan.dayHours) / 24 - day : 0;
    day += Math.max(
      stage.soakHours / 24,
      forEpisodes,
      forDays,
      i === 0 && plan.evidence === 'non-inferiority' ? (promoted.days ?? deadlineDays) : 0,
    );
    return {
      name: `${stage.name} ${stage.percent} %`,
      acting: [...acting].sort(),
      fromDay,
      untilDay: day,
      episodes: Math.round((day - fromDay) * perDay),
    };
  });
}

function warningsOf(
  plan: Plan,
  {
    devices,
    channels,
    promotion,
    decidable,
    rates,
  }: Pick<Forecast, 'devices' | 'channels' | 'promotion' | 'decidable' | 'rates'>,
): string[] {
  const warnings: string[] = [];
  if (devices < plan.minDevices)
    warnings.push(
      `the plan asks for evidence from ${plan.minDevices} devices, the fleet has ${devices}: it will wait for ever`,
    );
  if (devices > 0 && channels < SMALL_FLEET)
    warnings.push(
      `the fleet watches ${count(channels, 'channel')}: what it finds holds for ${channels === 1 ? 'that channel' : 'those channels'}, and devices on one channel count once`,
    );
  if (plan.evidence === 'no-harm' || devices === 0) return warnings;
  if (rates.answered < 0.9)
    warnings.push(
      `${percent(rates.answered)} of what is drawn gets an answer; a draw without one counts against the candidate, and more than a tenth can hardly pass`,
    );
  if (promotion.share >= 0.5) return warnings;
  const few = `only ${about(promotion.share)} of candidates as good as production get through in ${hours(plan.deadlineHours)} with a margin of ${points(plan.margin)}`;
  warnings.push(
    decidable === null
      ? `${few}; no margin up to ${points(MARGINS.at(-1) ?? 0)} would do: more channels, more answers (\`labels\`), more weeks (\`deadlineHours\`), or a person decides`
      : `${few}; a margin of ${points(decidable.margin)} can be decided here in ${decidable.days === null ? '?' : decidable.days.toFixed(0)} days, else more channels, more answers (\`labels\`), or a person`,
  );
  return warnings;
}

export function forecastText(plan: Plan, made: Forecast): string {
  const days = (value: number) => (Number.isFinite(value) ? value.toFixed(1) : 'never');
  // Where most good candidates do not leave the shadow in its time, what comes after is a person's to say.
  const undecided = plan.evidence === 'non-inferiority' && made.promotion.days === null;
  const row = ({ name, fromDay, untilDay, acting, episodes }: StageForecast, i: number) => {
    if (undecided)
      return `${name.padEnd(18)}${(i === 0 ? 'not decided: a person' : '–').padStart(26)}   ${actingText(acting)}`;
    const when = `${days(fromDay)} – ${days(untilDay)}`.padStart(14);
    const how = (Number.isFinite(episodes) ? episodes.toLocaleString('en-US') : '–').padStart(12);
    return `${name.padEnd(18)}${when}${how}   ${actingText(acting)}`;
  };
  return [
    `plan ${plan.name} on ${count(made.devices, 'device')} that watch ${count(made.channels, 'channel')}: margin ${points(plan.margin)}, deadline ${hours(plan.deadlineHours)} a stage, watched for ${hours(plan.watchHours)} afterwards`,
    ...made.rates.sources.map((line) => `  ${line}`),
    `  people are asked about ${made.drawRate === 1 ? 'every disagreement' : `one disagreement in ${Math.round(1 / made.drawRate)}`}${plan.labels === 'all' ? '' : `: ${plan.labels.perDeviceAndWeek} answers a device and week`}`,
    '',
    `${'stage'.padEnd(18)}${'days'.padStart(14)}${'episodes'.padStart(12)}   the candidate acts on`,
    ...made.stages.map(row),
    '',
    `of candidates as good as production leave the shadow: ${chanceText(made.promotion)}`,
    `of candidates as good as production can be completed: ${chanceText(made.completion)}`,
    ...made.harm.map(
      (one) => `of candidates ${points(-one.difference)} worse are shown to be: ${chanceText(one)}`,
    ),
    ...made.warnings.map((line) => `warning: ${line}`),
  ].join('\n');
}

function actingText(acting: readonly string[]): string {
  if (acting.length === 0) return 'none: shadow on all';
  return `${acting.length}: ${acting.slice(0, 8).join(', ')}${acting.length > 8 ? ', …' : ''}`;
}
/** A share of sixty runs is known to five points and no better. */
function about(share: number): string {
  return `about ${5 * Math.round(20 * share)} %`;
}
function chanceText({ share, episodes, days, answers }: Chance): string {
  if (episodes === null || days === null || answers === null) return about(share);
  return `${about(share)}, half of them within ${count(Math.round(episodes), 'distinct episode')}, ${count(answers, 'answer')}, ${days.toFixed(1)} days`;
}
