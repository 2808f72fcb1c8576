import {
  type Change,
  type DeciderSettings,
  decide,
  INITIAL_DECIDER,
} from '@adbreak/shared/decide/decider.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { changesInHindsight, posteriors } from './hindsight.js';
import type { Scored } from './scored.js';

/**
 * hindsight: each frame in the light of all others; live: as a device decides it, which has not seen what
 * comes.
 */
export const DECISION_MODES = ['hindsight', 'live'] as const;
export type DecisionMode = (typeof DECISION_MODES)[number];

/**
 * What detect says of a stretch of a recording; unsure is what is like nothing that the model was trained on.
 */
export type Verdict = Label | 'unsure';

export interface Segment {
  /** Seconds. */
  readonly start: number;
  readonly end: number;
  readonly label: Verdict;
  /**
   * Mean p of the segment's label over its frames; of an unsure one the share of its frames that are unlike
   * training.
   */
  readonly confidence: number;
}

/** Stretches unlike training that are shorter than this, seconds, are left to the frames around them. */
const SHORTEST_UNSURE = 5;
/** So long a gap between two frames unlike training does not end a stretch of them. */
const UNSURE_GAP = 1;

/**
 * The timeline of a whole recording, from its first frame to a period after its last, without gap. Frames
 * unlike training say nothing about AD or CONTENT, and where they last they are a segment of their own.
 */
export function segmentsOf(
  frames: readonly Scored[],
  settings: DeciderSettings,
  framePeriod: number,
  decision: DecisionMode,
): Segment[] {
  if (frames.length === 0) return [];
  const heard = heardOf(frames);
  const changes = decision === 'live' ? changesLive(settings, heard) : changesInHindsight(settings, heard);
  const first = frames[0]?.time ?? 0;
  const begun = changes[0] !== undefined && changes[0].since <= first;
  const known = begun ? changes : [{ label: INITIAL_DECIDER.label, since: first }, ...changes];
  const end = (frames.at(-1)?.time ?? 0) + framePeriod;
  const spans = known.map(({ label, since }, i) => ({
    label,
    start: Math.max(first, since),
    end: known[i + 1]?.since ?? end,
  }));
  return overlaid(spans, unsureSpans(frames, framePeriod))
    .filter((span) => span.end > span.start)
    .map((span) => ({ ...span, confidence: confidenceOf(span, frames) }));
}

/** The posterior of AD at each frame, by the same decision. */
export function posteriorsOf(
  frames: readonly Scored[],
  settings: DeciderSettings,
  decision: DecisionMode,
): Float64Array {
  const heard = heardOf(frames);
  if (decision === 'hindsight') return posteriors(settings, heard);
  let state = INITIAL_DECIDER;
  return Float64Array.from(heard, ({ time, probability }) => {
    state = decide(settings, state, time, probability).state;
    return state.posterior;
  });
}

/** A frame unlike training is no evidence for either. */
function heardOf(frames: readonly Scored[]): Scored[] {
  return frames.map((frame) => (frame.unlike ? { ...frame, probability: 0.5 } : frame));
}

function changesLive(settings: DeciderSettings, frames: readonly Scored[]): Change[] {
  let state = INITIAL_DECIDER;
  const changes: Change[] = [];
  for (const { time, probability } of frames) {
    const step = decide(settings, state, time, probability);
    state = step.state;
    if (step.change !== null) changes.push(step.change);
  }
  return changes;
}

type Stretch = Omit<Segment, 'confidence'>;

function unsureSpans(frames: readonly Scored[], framePeriod: number): Stretch[] {
  const spans: { start: number; end: number; label: 'unsure' }[] = [];
  for (const { time, unlike } of frames) {
    if (!unlike) continue;
    const open = spans.at(-1);
    if (open !== undefined && time - open.end <= UNSURE_GAP) open.end = time + framePeriod;
    else spans.push({ start: time, end: time + framePeriod, label: 'unsure' });
  }
  return spans.filter(({ start, end }) => end - start >= SHORTEST_UNSURE);
}

/** The spans below with those above laid over them; both are in order and without overlap. */
function overlaid(below: readonly Stretch[], above: readonly Stretch[]): Stretch[] {
  const rest = below.flatMap((span) => {
    const pieces: Stretch[] = [];
    let start = span.start;
    for (const cover of above.filter((one) => one.end > span.start && one.start < span.end)) {
      pieces.push({ ...span, start, end: cover.start });
      start = cover.end;
    }
    return [...pieces, { ...span, start }];
  });
  return [...rest, ...above].sort((a, b) => a.start - b.start || a.end - b.end);
}

function confidenceOf({ start, end, label }: Stretch, frames: readonly Scored[]): number {
  const own = frames.filter(({ time }) => time >= start && time < end);
  const worth = own.map(({ probability, unlike }) => {
    if (label === 'unsure') return unlike ? 1 : 0;
    return label === 'ad' ? probability : 1 - probability;
  });
  return worth.reduce((sum, value) => sum + value, 0) / Math.max(1, own.length);
}
