import { type DeciderSettings, decide, INITIAL_DECIDER } from '@adbreak/shared/decide/decider.js';
import type { Label, Span } from '@adbreak/shared/video/labels.js';
import type { ScoredSample } from '../ports.js';
import { quantile } from './bootstrap.js';
import { groupBy } from './grouping.js';

interface TimedFrame {
  /** Seconds of media time. */
  readonly time: number;
  readonly probability: number;
}
/** A recording as it was scored: its labelled frames in order, and what is true of them. */
export interface Timeline {
  readonly path: string;
  readonly group: string;
  readonly source: string;
  readonly frames: readonly TimedFrame[];
  /** Seconds between two frames. */
  readonly period: number;
  /** What is true, without gaps where the labels have none; neighbours of one label are one span. */
  readonly truth: readonly Span[];
}
/** A half-open stretch of media time, seconds. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/**
 * The agent looks at a picture every half a second; frames further apart than this say nothing about how it
 * would decide.
 */
export const SPARSE_SECONDS = 2;
/** A hole of more than so many periods between two frames has no label. */
const GAP_PERIODS = 1.5;

/**
 * The recordings among scored samples, each as one timeline. Single pictures and recordings sampled more
 * sparsely than `SPARSE_SECONDS` have none: there the agent's decision cannot be played.
 */
export function timelinesOf(scored: readonly ScoredSample[]): Timeline[] {
  const ofRecordings = scored.filter(({ picture }) => picture.at !== null);
  return [...groupBy(ofRecordings, ({ picture }) => picture.path)].flatMap(([path, samples]) => {
    const sorted = samples.toSorted((a, b) => timeOf(a) - timeOf(b));
    const period = quantile(
      sorted.slice(1).map((sample, i) => timeOf(sample) - timeOf(sorted[i])),
      0.5,
    );
    const [first] = sorted;
    if (first === undefined || !(period > 0 && period <= SPARSE_SECONDS)) return [];
    return [
      {
        path,
        group: first.group,
        source: first.source,
        frames: sorted.map((sample) => ({ time: timeOf(sample), probability: sample.probability })),
        period,
        truth: truthOf(sorted, period),
      },
    ];
  });
}

function timeOf(sample: ScoredSample | undefined): number {
  return sample?.picture.at ?? 0;
}

/**
 * A border lies midway between the frames on its two sides: nearer is not known, and the mean error is none.
 */
function truthOf(sorted: readonly ScoredSample[], period: number): Span[] {
  const spans: { start: number; end: number; label: Label }[] = [];
  for (const sample of sorted) {
    const [time, label] = [timeOf(sample), sample.isAd ? ('ad' as const) : ('content' as const)];
    const last = spans.at(-1);
    if (last === undefined || time - last.end > (GAP_PERIODS - 0.5) * period)
      spans.push({ start: time - period / 2, end: time + period / 2, label });
    else if (last.label === label) last.end = time + period / 2;
    else {
      last.end = time - period / 2;
      spans.push({ start: last.end, end: time + period / 2, label });
    }
  }
  return spans.map((span) => ({ ...span, start: Math.max(0, span.start) }));
}

/** A stretch in which the agent says AD, from the moment it says so until it takes it back. */
export interface Muted extends Stretch {
  /** The same as the agent dates it: to when the doubt began, before hysteresis was sure. */
  readonly dated: Stretch;
}

/** What a viewer gets: the agent's decision frame by frame, hysteresis and all. */
export function mutedOf({ frames, period }: Timeline, settings: DeciderSettings): Muted[] {
  const [first, last] = [frames[0]?.time ?? 0, (frames.at(-1)?.time ?? 0) + period];
  let state = INITIAL_DECIDER;
  let open: { readonly said: number; readonly since: number } | null = null;
  const muted: Muted[] = [];
  const close = (said: number, since: number) => {
    if (open !== null) muted.push({ start: open.said, end: said, dated: { start: open.since, end: since } });
    open = null;
  };
  for (const { time, probability } of frames) {
    const step = decide(settings, state, time, probability);
    state = step.state;
    if (step.change?.label === 'ad') open = { said: time, since: Math.max(first, step.change.since) };
    else if (step.change !== null) close(time, step.change.since);
  }
  close(last, last);
  return muted;
}

/** The true advertisement breaks: neighbouring advertisements are one. */
export function breaksOf({ truth }: Timeline): Stretch[] {
  return truth.filter(({ label }) => label === 'ad').map(({ start, end }) => ({ start, end }));
}

/** Labelled seconds, of one label or of both. */
export function secondsOf({ truth }: Timeline, label?: Label): number {
  return truth
    .filter((span) => label === undefined || span.label === label)
    .reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Seconds that two stretches have in common. */
export function overlap(a: Stretch, b: Stretch): number {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}
