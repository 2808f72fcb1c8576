import { type DeciderSettings, decide, INITIAL_DECIDER } from '@adbreak/shared/decide/decider.js';
import type { Label, Span } from '@adbreak/shared/video/labels.js';

export interface Segment extends Span {
  /** Mean p of the segment's label over its frames. */
  readonly confidence: number;
}
export interface Scored {
  readonly time: number;
  readonly probability: number;
}

/** The timeline of a whole recording: what the agent would have said, each change dated to when it began. */
export function segmentsOf(
  frames: readonly Scored[],
  settings: DeciderSettings,
  framePeriod: number,
): Segment[] {
  let state = INITIAL_DECIDER;
  const boundaries: { label: Label; since: number }[] = [];
  for (const { time, probability } of frames) {
    const step = decide(settings, state, time, probability);
    state = step.state;
    if (step.change !== null) boundaries.push(step.change);
  }
  const end = (frames.at(-1)?.time ?? 0) + framePeriod;
  const starts =
    boundaries[0]?.since === 0 ? boundaries : [{ label: INITIAL_DECIDER.label, since: 0 }, ...boundaries];
  return starts
    .map(({ label, since }, i) => {
      const until = starts[i + 1]?.since ?? end;
      const own = frames
        .filter(({ time }) => time >= since && time < until)
        .map(({ probability }) => (label === 'ad' ? probability : 1 - probability));
      return {
        start: since,
        end: until,
        label,
        confidence: own.reduce((sum, p) => sum + p, 0) / Math.max(1, own.length),
      };
    })
    .filter(({ start, end: until }) => until > start);
}
