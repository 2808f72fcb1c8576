import { confidenceBasedAccuracy, expectedCalibrationError } from '@adbreak/shared/evidence/calibration.js';
import { logHarmPooled } from '@adbreak/shared/evidence/harm.js';
import { logNonInferiority } from '@adbreak/shared/evidence/non-inferiority.js';
import { causeOfLoss } from './cause.js';
import { calibrationOf } from './drift.js';
import { type ArmLabels, decided } from './evidence.js';
import { type GateInput, promotionEvidence, SMALL_FLEET } from './gate.js';
import { isActive, percentOf, type Rollout } from './rollout.js';
import { type Standing, standingOf } from './standing.js';
import { hoursSince, inputOf } from './step.js';
import { count, evalue, hours, percent, points } from './words.js';

export interface Explanation {
  readonly headline: string;
  /** Sections with their sentences, in the order in which people want to know. */
  readonly sections: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

/** Why a rollout is where it is, and what would change the verdict; pure. */
export function explainRollout(rollout: Rollout, now: Date): Explanation {
  const { plan, status } = rollout;
  const stage = plan.stages[rollout.stage];
  const where =
    status === 'running' || status === 'paused'
      ? `${status} in stage ${stage?.name}, acting on ${percentOf(rollout) === 0 ? 0 : rollout.acting.length} of ${count(rollout.members.length, 'device')} (${percentOf(rollout)} %)`
      : status.replace('-', ' ');
  const standing = standingOf(rollout);
  const input = inputOf(rollout, now);
  const sections = [
    { title: 'Why', lines: why(rollout) },
    { title: 'Evidence', lines: evidenceLines(rollout, standing) },
    { title: 'What would change it', lines: isActive(rollout) ? whatIf(rollout, standing, input, now) : [] },
    { title: 'Slices', lines: sliceLines(rollout) },
    { title: 'The world', lines: worldLines(rollout, input.drift) },
    { title: 'Health', lines: healthLines(rollout, input) },
    { title: 'So far', lines: rollout.history.map((one) => `${one.at}  ${one.stage}: ${one.verdict} → ${one.action}: ${one.reason}`) },
  ];
  return { headline: `${rollout.model} ${rollout.from.version} → ${rollout.to.version}: ${where}`, sections: sections.filter(({ lines }) => lines.length > 0) };
}

export function explanationText({ headline, sections }: Explanation): string {
  return [headline, ...sections.flatMap(({ title, lines }) => ['', `${title}`, ...lines.map((line) => `  ${line}`)])].join('\n');
}

function why({ last }: Rollout): string[] {
  return last === null ? ['The gate has not looked yet.'] : [`${last.verdict} → ${last.action} (${last.at})`, last.reason];
}

function evidenceLines(rollout: Rollout, { kept, leftOut, sums, fleet, difference }: Standing): string[] {
  const { plan } = rollout;
  const n = decided(sums);
  if (n + sums.undecided === 0)
    return [
      isActive(rollout) || rollout.last?.episodes === 0 ? 'no episode has been reported yet' : `in its event log: \`adbreak rollouts events ${rollout.id}\``,
    ];
  const promotion = promotionEvidence(sums, fleet, plan);
  const { production, candidate } = rollout.evidence.labels;
  return [
    `${count(n, 'episode')} decided on ${count(kept.length, 'device')}: ${sums.wins} won, ${sums.losses} lost, ${sums.agreed} alike; ${sums.undecided} disagreements without a label`,
    `difference to production: ${difference === null ? 'unknown' : `${signed(difference.value)}; at every look so far, with confidence ${percent(1 - plan.alphaHarm)}, between ${signed(difference.low)} and ${signed(difference.high)} of episodes`}`,
    `harm: E_pooled = ${evalue(logHarmPooled(sums.losses, sums.wins))}${fleet.devices < SMALL_FLEET ? '' : `, E_fleet = ${evalue(fleet.logHarm())}`}; at ${(1 / plan.alphaHarm).toFixed(0)} it is harmful`,
    `no worse by ${points(plan.margin)}: M = ${evalue(promotion.m)}${promotion.fleet === null ? '' : `, E_fleet = ${evalue(promotion.fleet)}`}; at ${(1 / plan.alphaPromote).toFixed(0)} it passes`,
    ...[labelLine('production', production), labelLine('candidate', candidate)].filter((line) => line !== null),
    ...leftOut.map(({ why: reason }) => `left out: ${reason}`),
  ];
}

function labelLine(arm: string, labels: ArmLabels): string | null {
  if (labels.histogram.every((n) => n === 0)) return null;
  const estimate = `${arm}: accuracy estimated from its confidences ${percent(confidenceBasedAccuracy(labels.histogram))}`;
  const bins = labels.tenths.map(([episodes, right], i) => ({ episodes, right, confidence: episodes * Math.max((i + 0.5) / 10, 1 - (i + 0.5) / 10) }));
  const [[a, b], [c, d]] = labels.confusion;
  const n = a + b + c + d;
  return n === 0 ? estimate : `${estimate}, by ${count(n, 'label')} ${percent((a + d) / n)} (calibration error ${percent(expectedCalibrationError(bins))})`;
}

/** Search for the least factor by which evidence must grow; the far end is as good as never. */
function least(reached: (n: number) => boolean, most: number): number | null {
  if (!reached(most)) return null;
  let [low, high] = [0, most];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (reached(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function whatIf(rollout: Rollout, standing: Standing, input: GateInput, now: Date): string[] {
  const { plan } = rollout;
  const stage = plan.stages[rollout.stage];
  const { sums } = standing;
  const n = decided(sums);
  const lines: string[] = [];
  const harmThreshold = -Math.log(plan.alphaHarm);
  const losses = least((k) => logHarmPooled(sums.losses + k, sums.wins) >= harmThreshold, 10_000);
  if (losses !== null && rollout.status !== 'suspended')
    lines.push(`${count(losses, 'further episode')} in a row where only the candidate is wrong would suspend it`);
  if (rollout.status === 'watching') return [...lines, `${hours(Math.max(0, plan.watchHours - input.hoursInStage))} until the watch ends`];
  if (rollout.status === 'paused') return [...lines, `a person must resume it: \`adbreak rollouts resume ${rollout.id}\``];
  const left = Math.max(0, (stage?.soakHours ?? 0) - input.hoursInStage);
  if (left > 0) lines.push(`${hours(left)} more in stage ${stage?.name}`);
  const missing = Math.max(0, (stage?.minEpisodes ?? 0) - input.decidedInStage);
  if (missing > 0) lines.push(`${count(missing, 'more episode')} in this stage`);
  const unlabelled = Math.ceil(sums.undecided - plan.maxUnlabelled * (sums.wins + sums.losses + sums.undecided));
  if (unlabelled > 0) lines.push(`labels on ${unlabelled} of ${sums.undecided} disagreements, from the status pages of the devices`);
  if (plan.evidence === 'non-inferiority' && n > 0) lines.push(promotionForecast(rollout, standing, now));
  const until = plan.deadlineHours - input.hoursInStage;
  lines.push(
    until > 0
      ? `in ${hours(until)} the stage's time is over; then a person decides`
      : `the stage's time is over: \`adbreak rollouts force ${rollout.id}\` or \`abort\``,
  );
  return lines;
}

/** How many episodes at the rates so far until M passes, and how many days those take. */
function promotionForecast(rollout: Rollout, { sums, fleet: likelihood }: Standing, now: Date): string {
  const { plan } = rollout;
  const n = decided(sums);
  const threshold = -Math.log(plan.alphaPromote);
  const at = (factor: number) => logNonInferiority({ wins: sums.wins * factor, losses: sums.losses * factor, agreed: sums.agreed * factor }, plan.margin);
  if (at(1) >= threshold) {
    const { fleet } = promotionEvidence(sums, likelihood, plan);
    return fleet === null || fleet >= threshold
      ? 'the evidence for promotion is there'
      : `M passes; E_fleet = ${evalue(fleet)} needs ${(1 / plan.alphaPromote).toFixed(0)}: more episodes on every device, or more devices`;
  }
  const factor = least((k) => at(1 + k / 100) >= threshold, 100_000);
  if (factor === null)
    return `at the rates so far M never reaches ${(1 / plan.alphaPromote).toFixed(0)}: the candidate would have to do better, or the margin be wider`;
  const more = Math.ceil((n * factor) / 100);
  const perHour = n / Math.max(1 / 60, hoursSince(rollout.startedAt, now));
  return `at the rates so far about ${count(more, 'more episode')} (${hours(more / perHour)}) until M reaches ${(1 / plan.alphaPromote).toFixed(0)}`;
}

function sliceLines({ evidence, plan }: Rollout): string[] {
  const entries = Object.entries(evidence.slices).sort(([a], [b]) => (a < b ? -1 : 1));
  const threshold = Math.log(Math.max(1, entries.length) / plan.alphaSlices);
  return entries.slice(0, 30).map(([name, devices]) => {
    const all = Object.values(devices);
    const sums = all.reduce((sum, one) => ({ agreed: sum.agreed + one.agreed, wins: sum.wins + one.wins, losses: sum.losses + one.losses }), {
      agreed: 0,
      wins: 0,
      losses: 0,
    });
    return `${name}: ${count(all.length, 'device')}, ${count(decided(sums), 'episode')}, ${sums.wins} won, ${sums.losses} lost; harm E = ${evalue(logHarmPooled(sums.losses, sums.wins))} against ${evalue(threshold)}`;
  });
}

function worldLines(rollout: Rollout, seen: GateInput['drift']): string[] {
  const { drift, plan, baseline, evidence } = rollout;
  const calibration = calibrationOf(drift.reference);
  const cause = baseline === null ? null : causeOfLoss(baseline, evidence.labels.production);
  return [
    drift.reference === null && !isActive(rollout)
      ? ''
      : calibration === null
        ? `no WORLD verdict: production has fewer than two reference weeks (${drift.reference?.length ?? 0})`
        : `against ${calibration.weeks} reference weeks, ${drift.world?.windows ?? 0} hours seen: R = ${evalue(Math.log(Math.max(1e-300, seen.world ?? 0)))}, ${seen.worldAlarm ? 'an alarm stands' : `alarm at ${plan.world.falseAlarmHours}`}; ${calibration.lag === 1 ? 'hours count as unrelated' : `effects last ${calibration.lag} hours, so ${calibration.lag} detectors take turns`}`,
    seen.disagreement === null || drift.disagreement === null
      ? ''
      : `disagreements: up to ${percent(drift.disagreement.baseline)} are usual here; evidence of a rise R = ${evalue(Math.log(Math.max(1e-300, seen.disagreement)))}${seen.disagreementAlarm ? ', an alarm' : ''}`,
    cause === null ? '' : cause.reason,
    drift.late > 0 ? `${count(drift.late, 'report')} came too late for the hour's drift; they count as evidence` : '',
    drift.misdated > 0 ? `${count(drift.misdated, 'report')} bear a date that cannot be: those devices' clocks are wrong` : '',
  ].filter((line) => line !== '');
}

function healthLines(rollout: Rollout, { health }: GateInput): string[] {
  if (health === null || health.reporting === 0) return [];
  const perDay = ({ hours: h, restarts }: { hours: number; restarts: number }) => (h === 0 ? 0 : (24 * restarts) / h).toFixed(2);
  const ms = (value: number | null) => (value === null ? '–' : `${value.toFixed(0)} ms`);
  return [
    `restarts per device and day: ${perDay(health.acting)} where the candidate acts, ${perDay(health.control)} on the others`,
    ...(rollout.evidence.downloadFailures === 0 ? [] : [`${count(rollout.evidence.downloadFailures, 'failed download')} so far`]),
    `latency, 95 of 100: production ${ms(health.latency.production)}, candidate ${ms(health.latency.candidate)}`,
    ...(health.failing.length === 0
      ? []
      : [
          `${health.failing.length} of ${health.wanted} devices cannot run the candidate: ${health.failing
            .slice(0, 5)
            .map(({ device, code }) => `${device} (${code})`)
            .join(', ')}`,
        ]),
  ];
}

function signed(share: number): string {
  return `${share >= 0 ? '+' : '−'}${percent(Math.abs(share))}`;
}
