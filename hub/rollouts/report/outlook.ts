import { tooManyApart } from '../apart.js';
import { type GateInput, LEAST_DAYS, type Weighed, weigh } from '../gate.js';
import { hoursSince } from '../moves.js';
import type { Rollout } from '../rollout.js';
import { troubledBySilence } from '../silence.js';
import { count, evalue, hours, percent } from '../words.js';

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

export function whatIf(rollout: Rollout, weighed: Weighed, input: GateInput, now: Date): string[] {
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
