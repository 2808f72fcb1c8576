import { confidenceBasedAccuracy, expectedCalibrationError } from '@adbreak/shared/evidence/calibration.js';
import { apartBy, harmInSlice, sliceEvidence, tooManyApart } from '../apart.js';
import { calibrationOf } from '../drift.js';
import { type ArmLabels, type DeviceEvidence, totalOf } from '../evidence.js';
import { differenceOf, type GateInput, LEAST_DAYS, SMALL_FLEET, type Weighed, weigh } from '../gate.js';
import { perDay } from '../health.js';
import { toleranceOf } from '../plan.js';
import { isActive, percentOf, type Rollout, type Summary } from '../rollout.js';
import { troubledBySilence } from '../silence.js';
import { controlsOf, standingOf, wholeDays } from '../standing.js';
import { hoursSince, inputOf } from '../step.js';
import { startOf, windowOf } from '../windows.js';
import { count, evalue, hours, percent, points } from '../words.js';
import { causeOfLoss } from './cause.js';

export interface Explanation {
  readonly headline: string;
  /** Sections with their sentences, in the order in which people want to know. */
  readonly sections: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

/** Why a rollout is where it is, and what would change the verdict; pure. */
export function explainRollout(rollout: Rollout, now: Date): Explanation {
  const input = inputOf(rollout, now);
  const weighed = weigh(input, rollout.plan);
  const sections = [
    { title: 'Why', lines: why(rollout) },
    { title: 'Evidence', lines: evidenceLines(rollout, weighed, now) },
    { title: 'Answers', lines: answerLines(rollout) },
    { title: 'What each window added, newest last', lines: windowLines(rollout) },
    { title: 'What each day added', lines: dayLines(rollout) },
    { title: 'What would change it', lines: isActive(rollout) ? whatIf(rollout, weighed, input, now) : [] },
    { title: 'Stays on production', lines: apartLines(rollout) },
    { title: 'Slices', lines: sliceLines(rollout, input.wrong) },
    { title: 'Who is missing', lines: missingLines(rollout, input) },
    { title: 'The world', lines: worldLines(rollout, input.drift) },
    { title: 'Health', lines: healthLines(rollout, input) },
    {
      title: 'So far',
      lines: rollout.history.map(
        (one) => `${one.at}  ${one.stage}: ${one.verdict} → ${one.action}: ${one.reason}`,
      ),
    },
  ];
  return {
    headline: `${rollout.model} ${rollout.from.version} → ${rollout.to.version}: ${whereItIs(rollout)}`,
    sections: sections.filter(({ lines }) => lines.length > 0),
  };
}

export function explanationText({ headline, sections }: Explanation): string {
  return [
    headline,
    ...sections.flatMap(({ title, lines }) => ['', `${title}`, ...lines.map((line) => `  ${line}`)]),
  ].join('\n');
}

function whereItIs(rollout: Rollout): string {
  const { status, plan } = rollout;
  if (status !== 'running' && status !== 'paused') return status.replace('-', ' ');
  const acting = percentOf(rollout) === 0 ? 0 : rollout.acting.length;
  return `${status} in stage ${plan.stages[rollout.stage]?.name}, acting on ${acting} of ${count(rollout.members.length, 'device')} (${percentOf(rollout)} %)`;
}

function why({ last }: Rollout): string[] {
  return last === null
    ? ['The gate has not looked yet.']
    : [`${last.verdict} → ${last.action} (${last.at})`, last.reason];
}

// — evidence —

function evidenceLines(rollout: Rollout, weighed: Weighed, now: Date): string[] {
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

/** Averages are fractions; people read whole numbers where they are. */
function amount(n: number): string {
  return Number.isInteger(n) || n >= 100 ? Math.round(n).toLocaleString('en-US') : n.toFixed(1);
}
function outcomes({
  wins,
  losses,
  open,
}: {
  readonly wins: number;
  readonly losses: number;
  readonly open: number;
}): string {
  return `${amount(wins)} won, ${amount(losses)} lost, ${amount(open)} drawn without an answer`;
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

// — who was asked —

function answerLines(rollout: Rollout): string[] {
  const { plan, evidence } = rollout;
  const devices = Object.entries(evidence.devices).filter(([, { own }]) => own.length > 0);
  if (devices.length === 0 || !isActive(rollout)) return [];
  const asked = devices.map(([id, device]) => ({ id, device, ...askedOf(device) }));
  const sum = (of: (one: (typeof asked)[number]) => number) => asked.reduce((all, one) => all + of(one), 0);
  const [answered, open, waiting] = [
    sum(({ wins, losses }) => wins + losses),
    sum((one) => one.open),
    sum(({ device }) => device.waiting),
  ];
  const silent = asked
    .filter((one) => one.open > 0 && one.wins + one.losses === 0)
    .sort((a, b) => b.open - a.open);
  const controls = controlsOf(rollout);
  const items = sum(({ device }) => device.control.answered);
  return [
    `${plan.labels === 'all' ? 'every disagreement is asked about' : `about ${plan.labels.perDeviceAndWeek} answers a device and week are asked for`}; ${count(answered, 'answer')} so far, ${count(open, 'draw')} without one, of which ${waiting} still wait on the devices (${hours(plan.answerHours)} at most)`,
    ...(silent.length === 0
      ? []
      : [`asked and never answered: ${some(silent.map((one) => `${one.id} (${one.open})`))}`]),
    `wrong answers: ${items === 0 ? 'no control item was answered yet' : `${percent(controls.share)} of ${count(items, 'control item')} (${percent(controls.low)} to ${percent(controls.high)})`}; the gate allows for ${percent(controls.used)}`,
  ];
}

/** Draws that people were asked about: nobody was asked of windows that never came. */
function askedOf({ own, lost }: DeviceEvidence) {
  const { wins, losses, open } = totalOf(own);
  return { wins, losses, open: Math.max(0, open - lost.episodes) };
}

/** As it was when the window was closed; answers that came later stand in the sums alone. */
function windowLines(rollout: Rollout): string[] {
  if (!isActive(rollout)) return [];
  return rollout.evidence.recent.slice(-WINDOWS_SHOWN).map(({ window, devices, ...totals }) => {
    const at = new Date(startOf(window, rollout.plan)).toISOString();
    return `${at.slice(0, 19)}: ${amount(totals.episodes)} distinct episodes of ${count(devices, 'device')}, ${outcomes(totals)}`;
  });
}
const WINDOWS_SHOWN = 8;

function dayLines({ evidence, plan }: Rollout): string[] {
  const whole = wholeDays(evidence);
  const days = Object.entries(evidence.days).slice(-10);
  return days.map(([day, tallies]) => {
    const totals = totalOf(tallies);
    const at = new Date(Number(day) * plan.dayHours * 3_600_000).toISOString();
    return `${plan.dayHours === 24 ? at.slice(0, 10) : at.slice(0, 19)}: ${amount(totals.episodes)} distinct episodes, ${outcomes(totals)}${Object.hasOwn(whole, day) ? '' : '; less than half a day, and counts for none'}`;
  });
}

// — what would change it —

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

/** The same evidence, so many times as much. */
function grown(
  { clusters, days, wrong }: GateInput,
  factor: number,
): Pick<GateInput, 'clusters' | 'days' | 'wrong'> {
  return {
    wrong,
    days,
    clusters: clusters.map((one) => ({
      ...one,
      tallies: one.tallies.map(({ rate, zeros, wins, losses, open }) => ({
        rate,
        zeros: factor * zeros,
        wins: factor * wins,
        losses: factor * losses,
        open: factor * open,
      })),
    })),
  };
}

function whatIf(rollout: Rollout, weighed: Weighed, input: GateInput, now: Date): string[] {
  const { plan } = rollout;
  const stage = plan.stages[rollout.stage];
  if (rollout.status === 'watching')
    return [`${hours(Math.max(0, plan.watchHours - input.hoursInStage))} until the watch ends`];
  if (rollout.status === 'paused')
    return [`a person must resume it: \`adbreak rollouts resume ${rollout.id}\``];
  const many = tooManyApart(rollout);
  if (many !== null)
    return [
      `${many}: nothing else changes it, and a resume is refused; \`adbreak rollouts abort ${rollout.id}\` ends it`,
    ];
  const lines = [...stoppedLines(rollout, input), ...daysLeft(rollout, weighed)];
  const left = Math.max(0, (stage?.soakHours ?? 0) - input.hoursInStage);
  if (left > 0) lines.push(`${hours(left)} more in stage ${stage?.name}`);
  const missing = Math.max(0, (stage?.minEpisodes ?? 0) - input.episodesInStage);
  if (missing > 0) lines.push(`${count(Math.ceil(missing), 'more distinct episode')} in this stage`);
  const share =
    weighed.totals.open / Math.max(1, weighed.totals.wins + weighed.totals.losses + weighed.totals.open);
  if (share > 0.1)
    lines.push(
      `answers on the status pages: ${percent(share)} of the draws have none, and more than a tenth can hardly pass`,
    );
  if (plan.evidence === 'non-inferiority' && weighed.totals.episodes > 0)
    lines.push(promotionForecast(rollout, weighed, input, now));
  const until = plan.deadlineHours - input.hoursInStage;
  lines.push(
    until > 0
      ? `in ${hours(until)} the stage's time is over; then a person decides`
      : `the stage's time is over: \`adbreak rollouts force ${rollout.id}\` or \`abort\``,
  );
  return lines;
}

/** What stands in the way, before numbers that would suffice without it. */
function stoppedLines({ id, status, last }: Rollout, { silence, plan }: GateInput): string[] {
  const abort = `\`adbreak rollouts abort ${id}\``;
  if (last?.cause === 'silent' || (silence !== null && troubledBySilence(silence, plan) !== null))
    return ['the devices named under "Who is missing" must report again; silence is never success'];
  if (status === 'suspended')
    return [
      `it runs in the shadow, where nobody sees it: a person resumes it when what stopped it is over (\`adbreak rollouts resume ${id}\`), or ends it (${abort})`,
    ];
  return last?.verdict === 'SUSPEND'
    ? [`while this stands nothing advances, whatever else the numbers say; ${abort} ends it`]
    : [];
}
function daysLeft({ plan, stage, status }: Rollout, { days }: Weighed): string[] {
  const left = LEAST_DAYS - days;
  return status === 'running' && stage === plan.stages.length - 1 && left > 0
    ? [`evidence of ${count(left, 'more day')}`]
    : [];
}

/** How many distinct episodes at the rates so far until M passes, and how long those take. */
function promotionForecast(
  { plan, startedAt }: Rollout,
  { promotion, totals }: Weighed,
  input: GateInput,
  now: Date,
): string {
  const threshold = -Math.log(plan.alphaPromote);
  const needed = (1 / plan.alphaPromote).toFixed(0);
  if (promotion.pooled >= threshold)
    return promotion.channels === null || promotion.channels >= threshold
      ? 'the evidence for promotion is there'
      : `M passes; E_fleet = ${evalue(promotion.channels)} needs ${needed}: more distinct episodes on every channel, or more channels`;
  const factor = least((k) => weigh(grown(input, 1 + k / 100), plan).promotion.pooled >= threshold, 100_000);
  if (factor === null)
    return `at the rates so far M never reaches ${needed}: the candidate would have to do better, more draws be answered, or the margin be wider`;
  const more = Math.ceil((totals.episodes * factor) / 100);
  const perHour = totals.episodes / Math.max(1 / 60, hoursSince(startedAt, now));
  return `at the rates so far about ${count(more, 'more distinct episode')} (${hours(more / perHour)}) until M reaches ${needed}`;
}

// — who is judged apart, and who is missing —

function apartLines({ excluded, setAside, members, evidence }: Rollout): string[] {
  const held = (name: string) =>
    members.filter(
      (id) =>
        apartBy(
          id,
          evidence.devices[id]?.slice ?? null,
          { excluded, setAside },
          evidence.devices[id]?.named,
        ) === name,
    ).length;
  return [
    ...Object.entries(excluded).map(
      ([name, { at, reason }]) => `${name}, ${count(held(name), 'device')}, since ${at}: ${reason}`,
    ),
    ...Object.entries(setAside).map(([, { at, reason }]) => `since ${at}: ${reason}`),
  ];
}

function sliceLines(rollout: Rollout, wrong: number): string[] {
  const slices = sliceEvidence(rollout);
  const threshold = Math.log(Math.max(1, slices.length) / rollout.plan.alphaSlices);
  return slices.slice(0, 30).map((slice) => {
    const totals = totalOf(slice.clusters.flat());
    return `${slice.name}: ${count(slice.devices.length, 'device')}, ${amount(totals.episodes)} distinct episodes, ${amount(totals.wins)} won, ${amount(totals.losses)} lost; harm H = ${evalue(harmInSlice(slice, rollout.plan, wrong))} against ${evalue(threshold)}`;
  });
}

function missingLines(rollout: Rollout, { silence }: GateInput): string[] {
  if (silence === null || !isActive(rollout)) return [];
  const never = rollout.members.filter((id) => !Object.hasOwn(rollout.evidence.devices, id));
  const last = (id: string) => {
    const device: DeviceEvidence | undefined = rollout.evidence.devices[id];
    if (device === undefined) return id;
    if (device.lastWindow < 0) return `${id} (heard, but no window of it counts: see "Evidence")`;
    return `${id} (since ${new Date(startOf(device.lastWindow + 1, rollout.plan)).toISOString().slice(0, 16)})`;
  };
  const trouble = troubledBySilence(silence, rollout.plan);
  const silent = [...silence.acting.silent, ...silence.control.silent].filter((id) => !never.includes(id));
  return [
    ...(trouble === null ? [] : [trouble]),
    ...(never.length === 0
      ? []
      : [`${count(never.length, 'device')} have sent nothing for this rollout yet: ${some(never)}`]),
    ...(silent.length === 0 ? [] : [`silent: ${some(silent.map(last))}`]),
  ];
}

function some(names: readonly string[]): string {
  return names.length > 8
    ? `${names.slice(0, 8).join(', ')}, and ${names.length - 8} more`
    : names.join(', ');
}

// — the world, health —

function worldLines(rollout: Rollout, seen: GateInput['drift']): string[] {
  const { drift, plan, baseline, evidence } = rollout;
  const cause = baseline === null ? null : causeOfLoss(baseline, evidence.labels.production);
  return [
    worldLine(rollout, seen),
    seen.disagreement === null || drift.disagreement === null
      ? 'disagreements: what is usual is learned from a whole day first'
      : `disagreements: up to ${percent(Math.max(drift.disagreement.baseline, ...(drift.baselines ?? [])))} are usual here, by the hour; evidence of a rise R = ${evalue(Math.log(Math.max(1e-300, seen.disagreement)))}${seen.disagreementAlarm ? ', an alarm' : ''}`,
    cause === null ? '' : cause.reason,
    drift.late > 0 ? `${count(drift.late, 'report')} came too late for the hour's drift` : '',
    drift.misdated > 0
      ? `${count(drift.misdated, 'report')} bear a date that cannot be: those devices' clocks are wrong`
      : '',
  ].filter((line) => line !== '' && (isActive(rollout) || drift.hours > 0) && plan.name !== '');
}

function worldLine(rollout: Rollout, seen: GateInput['drift']): string {
  const { drift, plan } = rollout;
  if (drift.reference === null && !isActive(rollout)) return '';
  const calibration = calibrationOf(drift.reference);
  if (calibration === null)
    return `no WORLD verdict: production has fewer than two reference weeks (${drift.reference?.length ?? 0})`;
  const alarm = seen.worldAlarm ? 'an alarm stands' : `alarm at ${plan.world.falseAlarmHours}`;
  const lag =
    calibration.lag === 1
      ? 'hours count as unrelated'
      : `effects last ${calibration.lag} hours, so ${calibration.lag} detectors take turns`;
  return `against ${calibration.weeks} reference weeks, ${drift.world?.windows ?? 0} hours seen: R = ${evalue(Math.log(Math.max(1e-300, seen.world ?? 0)))}, ${alarm}; ${lag}`;
}

function healthLines({ evidence, plan, status, limitStops }: Rollout, { health }: GateInput): string[] {
  if (health === null || health.acting.length + health.control.length === 0) return [];
  if (!isActive({ status })) return [];
  const restless = health.acting.filter(
    ({ acting }) => perDay(acting) > plan.abort.crashesPerDay && acting.restarts > 0,
  );
  return [
    health.acting.length === 0
      ? 'the candidate acts on no device that has reported'
      : `restarts above ${plan.abort.crashesPerDay} a day: ${restless.length} of ${health.acting.length} devices where the candidate acts${restless.length === 0 ? '' : ` (${some(restless.map(({ id }) => id))})`}`,
    ...(evidence.downloadFailures === 0
      ? []
      : [`${count(evidence.downloadFailures, 'failed download')} so far`]),
    ...(health.failing.length === 0
      ? []
      : [
          `${health.failing.length} of ${health.wanted} devices cannot run the candidate: ${some(health.failing.map(({ device, code }) => `${device} (${code})`))}`,
        ]),
    ...(limitStops === 0
      ? []
      : [
          `a limit has stopped this rollout ${limitStops === 1 ? 'once' : `${limitStops} times`}; if one stops it again after it has gone on, it is rolled back`,
        ]),
  ];
}

function signed(share: number): string {
  return `${share >= 0 ? '+' : '−'}${percent(Math.abs(share))}`;
}
