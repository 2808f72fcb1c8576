import { seeded } from '@adbreak/shared/random.js';
import { PairedStream } from '../simulate/paired.js';
import { cohort, type Member, reaches } from './cohort.js';
import { type GateInput, judge } from './gate.js';
import type { Plan } from './plan.js';
import { count, hours, percent, points } from './words.js';

/** What a fleet has shown of itself; assumptions where it has shown nothing yet. */
export interface FleetRates {
  /** Episodes a device ends in a day. */
  readonly episodesPerDay: number;
  /** Share of episodes on which two versions differ. */
  readonly disagreement: number;
  /** Share of disagreements that people label. */
  readonly labelled: number;
  /** Of win or loss among one device's disagreements. */
  readonly correlation: number;
  /** Where each of these comes from, in words. */
  readonly sources: readonly string[];
}

export interface StageForecast {
  readonly name: string;
  readonly acting: readonly string[];
  readonly fromDay: number;
  readonly untilDay: number;
  /** Decided in it where the candidate acts; in shadow, everywhere. */
  readonly episodes: number;
}
export interface Forecast {
  readonly rates: FleetRates;
  readonly devices: number;
  readonly stages: readonly StageForecast[];
  /** Of simulated candidates as good as production: share promoted within the deadline, median episodes and days until the evidence is there. */
  readonly promotion: { readonly share: number; readonly episodes: number | null; readonly days: number | null };
  /** Of candidates that are worse: share rolled back within the deadline, median episodes and days. */
  readonly harm: readonly { readonly difference: number; readonly share: number; readonly episodes: number | null; readonly days: number | null }[];
  readonly warnings: readonly string[];
}

const RUNS = 120;
const LOOKS = 120;
const HARMS = [0.02, 0.05, 0.1] as const;

/** Which devices move when, and how long each gate is expected to take: the gate itself, run on simulated fleets like this one. Pure; seeded. */
export function forecast(plan: Plan, members: readonly Member[], rates: FleetRates, rollout = 'forecast'): Forecast {
  const devices = members.length;
  const perDay = rates.episodesPerDay * (1 - rates.disagreement + rates.disagreement * rates.labelled);
  const deadlineDays = plan.deadlineHours / 24;
  const promoted = simulate(plan, devices, perDay, rates, 0, 'PASS', deadlineDays);
  const warnings: string[] = [];
  if (devices < plan.minDevices) warnings.push(`the plan asks for evidence from ${plan.minDevices} devices, the fleet has ${devices}: it will wait for ever`);
  if (rates.labelled < 1 - plan.maxUnlabelled && plan.labelRate === 1)
    warnings.push(
      `${percent(rates.labelled)} of the disagreements get a label, the plan asks for ${percent(1 - plan.maxUnlabelled)}: it will wait for labels, or give it a labelRate`,
    );
  if (promoted.share < 0.5 && devices > 0)
    warnings.push(
      `only ${percent(promoted.share)} of candidates as good as production get through in ${hours(plan.deadlineHours)}: widen the margin of ${points(plan.margin)}, add devices, or let a person decide`,
    );
  let day = 0;
  let acting = new Set<string>();
  const stages = plan.stages.map((stage, i): StageForecast => {
    acting =
      stage.percent === 0
        ? acting
        : cohort(
            rollout,
            members.filter((one) => reaches(stage.where, one)),
            stage.percent,
            acting,
          );
    const reporting = stage.percent === 0 ? devices : acting.size;
    const fromDay = day;
    const forEpisodes = reporting === 0 || perDay === 0 ? Number.POSITIVE_INFINITY : stage.minEpisodes / (reporting * perDay);
    day = Math.max(day + stage.soakHours / 24, day + forEpisodes, i === 0 ? (promoted.days ?? deadlineDays) : 0);
    return {
      name: `${stage.name} ${stage.percent} %`,
      acting: [...acting].sort(),
      fromDay,
      untilDay: day,
      episodes: Math.round((day - fromDay) * reporting * perDay),
    };
  });
  return {
    rates,
    devices,
    stages,
    promotion: promoted,
    harm: HARMS.map((difference) => ({ difference: -difference, ...simulate(plan, devices, perDay, rates, -difference, 'FAIL', deadlineDays) })),
    warnings,
  };
}

function simulate(plan: Plan, devices: number, perDay: number, rates: FleetRates, difference: number, wanted: 'PASS' | 'FAIL', deadlineDays: number) {
  const found: number[] = [];
  const perLook = Math.max(1, Math.round((perDay * deadlineDays) / LOOKS));
  if (devices === 0) return { share: 0, episodes: null, days: null };
  const random = seeded(`forecast/${plan.name}/${difference}`);
  for (let run = 0; run < RUNS; run++) {
    const stream = new PairedStream(
      { devices, episodes: perLook, disagreement: Math.max(Math.abs(difference), rates.disagreement), difference, correlation: rates.correlation },
      random,
    );
    for (let look = 0; look < LOOKS; look++) {
      stream.next();
      const { verdict } = judge(bare(plan, stream));
      if (verdict === wanted) found.push(stream.decided);
      if (verdict === 'PASS' || verdict === 'FAIL') break;
    }
  }
  found.sort((a, b) => a - b);
  // The median over all runs: those that never got there count as longer than all others.
  const median = found[Math.floor(RUNS / 2)] ?? null;
  return { share: found.length / RUNS, episodes: median, days: median === null || perDay === 0 ? null : median / (devices * perDay) };
}

/** The gate with evidence alone to decide on: no soak, no quota, no drift. */
export function bare(plan: Plan, { devices, decided }: { readonly devices: GateInput['devices']; readonly decided: number }): GateInput {
  return {
    plan: {
      ...plan,
      minDevices: Math.min(plan.minDevices, devices.length),
      stages: plan.stages.map((stage) => ({ ...stage, soakHours: 0, minEpisodes: 0, approve: null, round: null })),
    },
    id: 'forecast',
    stage: 0,
    hoursInStage: 0,
    devices,
    slices: {},
    decidedInStage: decided,
    acting: { devices: 0, silent: 0 },
    health: null,
    drift: { world: null, worldDoubt: false, worldAlarm: false, disagreement: null, disagreementAlarm: false },
    round: null,
    approved: true,
    mayAdvance: true,
    siblings: [],
    watching: false,
  };
}

export function forecastText(plan: Plan, made: Forecast): string {
  const days = (value: number) => (Number.isFinite(value) ? value.toFixed(1) : 'never');
  const chance = ({ share, episodes, days: d }: { share: number; episodes: number | null; days: number | null }) =>
    `${percent(share)}${episodes === null ? '' : `, half of them within ${count(episodes, 'episode')} (${d === null ? '?' : d.toFixed(1)} days)`}`;
  return [
    `plan ${plan.name} on ${count(made.devices, 'device')}: margin ${points(plan.margin)}, deadline ${hours(plan.deadlineHours)} a stage, watched for ${hours(plan.watchHours)} afterwards`,
    ...made.rates.sources.map((line) => `  ${line}`),
    '',
    `${'stage'.padEnd(18)}${'days'.padStart(14)}${'episodes'.padStart(12)}   the candidate acts on`,
    ...made.stages.map(
      ({ name, fromDay, untilDay, acting, episodes }) =>
        `${name.padEnd(18)}${`${days(fromDay)} – ${days(untilDay)}`.padStart(14)}${(Number.isFinite(episodes) ? episodes.toLocaleString('en-US') : '–').padStart(12)}   ${acting.length === 0 ? 'none: shadow on all' : `${acting.length}: ${acting.slice(0, 8).join(', ')}${acting.length > 8 ? ', …' : ''}`}`,
    ),
    '',
    `of candidates as good as production pass the gate: ${chance(made.promotion)}`,
    ...made.harm.map((one) => `of candidates ${points(-one.difference)} worse are rolled back: ${chance(one)}`),
    ...made.warnings.map((line) => `warning: ${line}`),
  ].join('\n');
}
