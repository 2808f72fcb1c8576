import type { Assessment } from '../assessment.js';
import { type Interval, LEVEL } from '../bootstrap.js';
import type { Delay, Viewing } from '../viewing.js';
import { type Markup, markup } from './markup.js';
import { factTable } from './table.js';

type Fact = readonly [name: string, value: string];

/** What a viewer feels; where there are no recordings, why it is not known. */
export function viewingSection({ viewing, choice }: Assessment): Markup {
  const { threshold, meanSeconds, clamp, enter, leave } = choice.decision;
  const body =
    viewing === null
      ? markup`<p>Not known: the test split has single pictures, and the agent decides over time.
<code>adbreak evaluate MODEL --data FOLDER</code> measures it on recordings with labels, in val/ and test/.</p>`
      : factTable(viewingFacts(viewing), captionOf(viewing));
  return markup`<section><h2>What a viewer feels</h2>${body}
<p class="note">Decision: threshold ${threshold}, mean length ${meanSeconds} s,
no picture believed beyond ${clamp},
AD from ${enter} on and down to ${leave}; ${choice.reason}.</p></section>`;
}

function captionOf({ recordings, hours }: Viewing): string {
  const many = recordings === 1 ? '1 recording' : `${recordings} recordings`;
  return `${many}, ${hours.toFixed(2)} labelled hours, through the agent's own decision`;
}

function viewingFacts(viewing: Viewing): Fact[] {
  return [
    ['False mutes an hour', viewing.falseMutesPerHour.toFixed(2)],
    [`its ${100 * LEVEL} % interval`, formatRates(viewing.falseMutesInterval)],
    ['Programme muted, seconds an hour', viewing.programmeMutedPerHour.toFixed(0)],
    ['Advertisement heard, seconds an hour', viewing.adsHeardPerHour.toFixed(0)],
    ['Delay at the beginning of a break', formatDelay(viewing.onset)],
    ['Delay at its end', formatDelay(viewing.offset)],
    ['Breaks never noticed', `${viewing.missed} of ${viewing.breaks}`],
    ...viewing.eventF1.map(
      ({ collar, f1 }): Fact => [`F1 of breaks, edges within ${collar} s`, formatShare(f1)],
    ),
    ['F1 of seconds', formatShare(viewing.segmentF1)],
  ];
}

/** Median and ninth decile; a break that is never noticed has no end to its delay. */
function formatDelay({ median, p90 }: Delay): string {
  const seconds = (value: number | null) => (value === null ? 'never' : `${value.toFixed(1)} s`);
  return `${seconds(median)} (median), ${seconds(p90)} (P90)`;
}
function formatRates({ low, high }: Interval): string {
  return `${low.toFixed(2)} – ${high.toFixed(2)}`;
}
function formatShare(value: number | null): string {
  return value === null ? 'no break' : value.toFixed(3);
}

export function speedSection({ benchmark, estimates, subject }: Assessment): Markup {
  const bytes = subject.members.reduce((sum, member) => sum + member.bytes, 0);
  const multiplyAdds = subject.members.reduce((sum, member) => sum + member.multiplyAdds, 0);
  const facts: Fact[] = [
    ['Size', `${(bytes / 1024 / 1024).toFixed(2)} MiB`],
    ['Multiply-adds', `${(multiplyAdds / 1e6).toFixed(1)} million`],
    ...(benchmark === null ? [] : benchmarkFacts(benchmark)),
    ...estimates.map(
      ({ device, threads, low, high }): Fact => [
        `${device}, an estimate`,
        `${low.toFixed(0)} to ${high.toFixed(0)} ms on ${plural(threads, 'core')}`,
      ],
    ),
  ];
  return markup`<section><h2>Speed</h2>${factTable(facts)}<p class="note">${measuredWith(benchmark)}
The lines for a Raspberry Pi are estimates from the multiply-adds, not measurements.</p></section>`;
}

function benchmarkFacts(benchmark: NonNullable<Assessment['benchmark']>): Fact[] {
  const { p50Ms, p95Ms, p99Ms } = benchmark;
  return [
    ['Mean', `${benchmark.meanMs.toFixed(2)} ms`],
    ['P50, P95, P99', `${[p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(2)).join(', ')} ms`],
    ['Cold start', `${benchmark.coldStartMs.toFixed(0)} ms`],
    [
      'Memory',
      `${benchmark.memoryMb.toFixed(0)} MiB, the model's part ${benchmark.modelMemoryMb.toFixed(0)}`,
    ],
  ];
}

function measuredWith(benchmark: Assessment['benchmark']): string {
  if (benchmark === null) return 'Not measured here.';
  const { inferences, runtime, threads } = benchmark;
  const how = `${inferences} inferences through ${runtime}, ${plural(threads, 'thread')}`;
  return `Measured on this machine: ${how}.`;
}
function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** The configuration, folded: it is long. */
export function configurationSection({ parameters, baselines, subject, fingerprint }: Assessment): Markup {
  const facts: Fact[] = [
    ['SHA-256 of the data set', fingerprint],
    ...subject.members.map(({ digest }): Fact => ['SHA-256 of the model', digest]),
    ...Object.entries(baselines).map(
      ([name, { accuracy, f1, rocAuc }]): Fact => [
        `Baseline: ${name}`,
        `accuracy ${accuracy.toFixed(3)}, F1 ${f1.toFixed(3)}, ROC AUC ${rocAuc.toFixed(3)}`,
      ],
    ),
    ...Object.entries(parameters),
  ];
  return markup`<section class="wide"><h2>How it was made</h2>
<details><summary>Configuration, baselines and digests</summary>${factTable(facts)}</details></section>`;
}
