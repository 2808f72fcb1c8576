import { logHarmFleet, logNonInferiorityFleet } from '@adbreak/shared/evidence/fleet.js';
import { logHarmPooled } from '@adbreak/shared/evidence/harm.js';
import { logNonInferiority } from '@adbreak/shared/evidence/non-inferiority.js';
import { type DeviceEvidence, decided, total } from './evidence.js';
import type { Plan } from './plan.js';

/** Below this many devices the fleet is those devices, and the pooled evidence answers for it (GATES.md section 3). */
const SMALL_FLEET = 5;

type VerdictName = 'PASS' | 'HOLD' | 'SUSPEND' | 'FAIL' | 'INCONCLUSIVE';
export interface Verdict {
  readonly verdict: VerdictName;
  /** One sentence with its numbers, for people. */
  readonly reason: string;
  readonly episodes: number;
}
export interface GateInput {
  readonly plan: Plan;
  readonly stage: number;
  /** Episodes decided when the stage began. */
  readonly episodesBefore: number;
  readonly minutesInStage: number;
  readonly evidence: Readonly<Record<string, DeviceEvidence>>;
}

/** The verdict on a rollout's evidence; pure, and valid at every look. Harm is asked first. */
export function judge(input: GateInput): Verdict {
  const sums = total(input.evidence);
  const episodes = decided(sums);
  const say = (verdict: VerdictName, reason: string): Verdict => ({ verdict, reason, episodes });
  return harm(input, sums, say) ?? waits(input, sums, episodes, say) ?? promotion(input, sums, episodes, say);
}

type Say = (verdict: VerdictName, reason: string) => Verdict;

function devicesOf({ evidence }: GateInput) {
  return Object.values(evidence)
    .filter(({ windows }) => windows > 0)
    .map((one) => ({ wins: one.wins, losses: one.losses, episodes: decided(one) }));
}

function harm(input: GateInput, { wins, losses }: DeviceEvidence, say: Say): Verdict | null {
  const { plan } = input;
  const pooled = logHarmPooled(losses, wins);
  const threshold = -Math.log(plan.alphaHarm);
  if (pooled < threshold) return null;
  const devices = devicesOf(input);
  const facts = `only the candidate was wrong in ${losses} episodes, only production in ${wins}: E_pooled = ${number(pooled)} ≥ ${number(threshold)}`;
  if (devices.length < SMALL_FLEET) return say('FAIL', `worse: ${facts}; with ${devices.length} devices the fleet is those devices`);
  const fleet = logHarmFleet(devices);
  if (fleet >= threshold) return say('FAIL', `worse for the fleet: ${facts}; E_fleet = ${number(fleet)}`);
  return say('SUSPEND', `worse on the devices that ran it: ${facts}; not yet shown for the fleet (E_fleet = ${number(fleet)})`);
}

/** What must be there before anything may pass. Missing evidence waits, and never passes. */
function waits({ plan, stage, evidence, episodesBefore, minutesInStage }: GateInput, sums: DeviceEvidence, episodes: number, say: Say): Verdict | null {
  const current = plan.stages[stage];
  const hours = minutesInStage / 60;
  const late = hours >= plan.deadlineHours;
  const wait = (why: string) =>
    late ? say('INCONCLUSIVE', `${why}, and the deadline of ${plan.deadlineHours} h has passed: a person decides`) : say('HOLD', why);
  const devices = Object.values(evidence).filter((one) => decided(one) > 0).length;
  const disagreements = sums.wins + sums.losses + sums.undecided;
  if (devices < plan.minDevices) return wait(`evidence from ${devices} of ${plan.minDevices} devices`);
  if (episodes - episodesBefore < (current?.minEpisodes ?? 0)) return wait(`${episodes - episodesBefore} of ${current?.minEpisodes} episodes in this stage`);
  if (minutesInStage < (current?.minMinutes ?? 0)) return wait(`${minutesInStage.toFixed(1)} of ${current?.minMinutes} minutes in this stage`);
  if (disagreements > 0 && sums.undecided / disagreements > plan.maxUnlabelled)
    return wait(`${sums.undecided} of ${disagreements} disagreements have no label; at most ${Math.round(100 * plan.maxUnlabelled)} % may lack one`);
  return null;
}

function promotion(input: GateInput, { wins, losses, agreed }: DeviceEvidence, episodes: number, say: Say): Verdict {
  const { plan } = input;
  const threshold = -Math.log(plan.alphaPromote);
  const devices = devicesOf(input);
  const m = logNonInferiority({ wins, losses, agreed }, plan.margin);
  const fleet = devices.length < SMALL_FLEET ? null : logNonInferiorityFleet(devices, plan.margin);
  const evidence = Math.min(m, fleet ?? m);
  const facts = `${episodes} episodes: ${wins} won, ${losses} lost, ${agreed} alike; M = ${number(m)}${fleet === null ? '' : `, E_fleet = ${number(fleet)}`} against ${number(threshold)} for a margin of ${(100 * plan.margin).toFixed(1)} points`;
  if (evidence >= threshold) return say('PASS', `no worse than production: ${facts}`);
  if (input.minutesInStage / 60 >= plan.deadlineHours)
    return say('INCONCLUSIVE', `not decided by the deadline of ${plan.deadlineHours} h: ${facts}; a person decides`);
  return say('HOLD', `not enough evidence yet: ${facts}`);
}

/** E-values span orders of magnitude: shown as numbers where people can read them, else as powers. */
function number(log: number): string {
  const value = Math.exp(log);
  return value >= 1e5 || value < 0.01 ? value.toExponential(1) : value.toPrecision(3);
}
