import { confidenceBasedAccuracy, expectedCalibrationError } from '@adbreak/shared/evidence/calibration.js';
import type { ArmLabels } from '../evidence.js';
import { differenceOf, LEAST_DAYS, SMALL_FLEET, type Weighed } from '../gate.js';
import { toleranceOf } from '../plan.js';
import { isActive, type Rollout, type Summary } from '../rollout.js';
import { standingOf } from '../standing.js';
import { startOf, windowOf } from '../windows.js';
import { count, evalue, hours, percent, points } from '../words.js';
import { amount, outcomes, signed, some } from './words.js';

export function evidenceLines(rollout: Rollout, weighed: Weighed, now: Date): string[] {
  const { plan, evidence, summary } = rollout;
  if (!isActive(rollout)) return summary === null ? [] : summaryLines(summary, plan);
  const waiting = Object.values(evidence.open).reduce(
    (sum, window) => sum + Object.values(window).reduce((all, { episodes }) => all + episodes, 0),
    0,
  );
  const open =
    waiting === 0
      ? []
      : [
          `${count(waiting, 'episode')} in ${count(Object.keys(evidence.open).length, 'window')} that are not closed yet: each waits ${hours(plan.lagHours)} for late reports`,
        ];
  if (weighed.totals.episodes === 0)
    return [
      ...refusedLines(rollout),
      'no window with episodes is closed yet',
      ...open,
      ...aheadLines(rollout, now),
      ...unaskedLines(rollout),
    ];
  const { production, candidate } = evidence.labels;
  return [
    `${amount(weighed.totals.episodes)} distinct episodes on ${count(weighed.channels, 'channel')} and ${count(standingOf(rollout).devices.length, 'device')}: ${outcomes(weighed.totals)}`,
    differenceLine(differenceOf(standingOf(rollout), plan), plan.alphaHarm),
    ...decisionLines(plan, weighed),
    ...fewLines(weighed),
    ...open,
    ...unaskedLines(rollout),
    ...[labelLine('production', production), labelLine('candidate', candidate)].filter(
      (line) => line !== null,
    ),
    ...lostLines(rollout),
    ...refusedLines(rollout),
    ...aheadLines(rollout, now),
  ];
}

/** Gaps in devices' numbers: they may hold what nobody has seen. */
function lostLines({ evidence }: Rollout): string[] {
  const gaps = Object.entries(evidence.devices)
    .filter(([, { lost }]) => lost.windows > 0)
    .sort(([, a], [, b]) => b.lost.windows - a.lost.windows);
  if (gaps.length === 0) return [];
  const episodes = gaps.reduce((sum, [, { lost }]) => sum + lost.episodes, 0);
  const who = some(gaps.map(([id, { lost }]) => `${count(lost.windows, 'window')} of ${id}`));
  return [
    `made, and never came: ${who}; they may have held anything, so ${count(episodes, 'episode')} count as draws without an answer`,
  ];
}

/** Windows that are closed before they have begun: whatever comes of them is late. */
function aheadLines({ evidence, plan }: Rollout, now: Date): string[] {
  if (evidence.closed <= windowOf(now.getTime(), plan)) return [];
  const until = new Date(startOf(evidence.closed + 1, plan)).toISOString();
  return [
    `windows until ${until} are closed already: a clock was ahead, the hub's or all devices'; what is reported before then comes late and counts for nothing`,
  ];
}

function differenceLine(difference: Summary['difference'], alpha: number): string {
  if (difference === null) return 'difference to production: unknown';
  return `difference to production: ${signed(difference.value)}; at every look so far, with confidence ${percent(1 - alpha)}, between ${signed(difference.low)} and ${signed(difference.high)} of episodes`;
}
/** Each decision asks its own questions, and all of its own: a line for each. */
function decisionLines(
  { alphaHarm, alphaPromote, margin, evidence, ...plan }: Rollout['plan'],
  { harm, promotion, days }: Weighed,
): string[] {
  const needs = (alpha: number) => evalue(-Math.log(alpha));
  const text = (name: string, log: number | null, alpha: number, missing = '') =>
    log === null
      ? missing
      : `${name} = ${evalue(log)} of ${needs(alpha)}${log >= -Math.log(alpha) ? ', enough' : ''}`;
  const list = (...parts: readonly string[]) => parts.filter((one) => one !== '').join('; ');
  const few = `E_days waits: ${days} of ${LEAST_DAYS} days`;
  const worse = `worse by more than ${points(toleranceOf({ margin, ...plan }))}`;
  return [
    `back to the shadow (${worse}): ${text('H', harm.pooled, alphaHarm)}`,
    `rollback: ${list(text('H', harm.pooled, alphaHarm), text('E_fleet', harm.channels, alphaHarm), text('E_days', harm.days, alphaHarm, few))}`,
    ...(evidence === 'no-harm'
      ? []
      : [
          `next stage (no worse by ${points(margin)}): ${list(text('M', promotion.pooled, alphaPromote), text('E_fleet', promotion.channels, alphaPromote))}`,
          `completion: besides, ${text('E_days', promotion.days, alphaPromote, few)}`,
        ]),
  ];
}
function fewLines({ channels, days }: Weighed): string[] {
  return [
    ...(channels < SMALL_FLEET
      ? [
          `all of this holds for the ${count(channels, 'channel')} that are watched; from ${SMALL_FLEET} channels on it says something about others`,
        ]
      : []),
    ...(days < LEAST_DAYS
      ? [
          `${days} of ${LEAST_DAYS} days: a rollback and the last stage need them, since a day's programme is common to all`,
        ]
      : []),
  ];
}

function summaryLines(summary: Summary, plan: Rollout['plan']): string[] {
  return [
    `${amount(summary.episodes)} distinct episodes on ${count(summary.channels, 'channel')} and ${count(summary.devices, 'device')} in ${count(summary.days, 'day')}: ${outcomes(summary)}`,
    differenceLine(summary.difference, plan.alphaHarm),
    `worse: E = ${evalue(summary.harm)}; no worse: E = ${evalue(summary.promotion)}`,
  ];
}

function unaskedLines({ evidence }: Rollout): string[] {
  const unasked = Object.entries(evidence.devices).filter(
    ([, device]) => device.unasked > 0 && device.own.length === 0,
  );
  return unasked.length === 0
    ? []
    : [
        `${count(unasked.length, 'device')} give no evidence, since nobody can be asked there or the agent is too old to draw: ${some(unasked.map(([id]) => id))}`,
      ];
}

const REFUSED: Readonly<Record<keyof Rollout['evidence']['refused'], string>> = {
  late: 'came after their window was closed; they count for monitoring',
  unaligned: 'span a border between windows, which no sum holds; they count for monitoring',
  misdated: "lie in the future: those devices' clocks are wrong",
  foreign: 'are of devices, models or arms that this rollout did not put there',
  wandering: 'are of devices that named too many channels',
  loud: 'claim many times the episodes of the others',
  answers: '',
};
function refusedLines({ evidence: { refused, devices }, plan }: Rollout): string[] {
  const reports = Object.entries(refused).flatMap(([reason, n]) =>
    n === 0 || reason === 'answers'
      ? []
      : [
          `${count(n, 'report')} ${REFUSED[reason as keyof typeof REFUSED]}${reason === 'unaligned' ? lengths(devices, plan) : ''}`,
        ],
  );
  return refused.answers === 0
    ? reports
    : [...reports, `${count(refused.answers, 'answer')} to draws that were not drawn, or are over`];
}

/** What unaligned devices send, beside what the plan asks for. */
function lengths(devices: Rollout['evidence']['devices'], { windowSeconds }: Rollout['plan']): string {
  const longest = Object.values(devices).reduce(
    (most, { reportSeconds }) => Math.max(most, reportSeconds),
    0,
  );
  return longest === 0
    ? ''
    : `: devices' windows last up to ${longest} s, the plan's \`windowSeconds\` is ${windowSeconds}`;
}

function labelLine(arm: string, labels: ArmLabels): string | null {
  if (labels.histogram.every((n) => n === 0)) return null;
  const estimate = `${arm}: accuracy estimated from its confidences ${percent(confidenceBasedAccuracy(labels.histogram))}`;
  const bins = labels.tenths.map(([episodes, right], i) => ({
    episodes,
    right,
    confidence: episodes * Math.max((i + 0.5) / 10, 1 - (i + 0.5) / 10),
  }));
  const [[a, b], [c, d]] = labels.confusion;
  const n = a + b + c + d;
  return n === 0
    ? estimate
    : `${estimate}, by ${count(n, 'label')} ${percent((a + d) / n)} (calibration error ${percent(expectedCalibrationError(bins))})`;
}
