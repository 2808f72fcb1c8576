import { AdbreakError } from '@adbreak/shared/errors.js';
import { frameAt } from '@adbreak/shared/video/exact.js';
import { frames } from '@adbreak/shared/video/frames.js';
import type { VideoFacts } from '@adbreak/shared/video/probe.js';
import { formatClock } from '../decide/formats.js';
import type { Scored } from '../decide/scored.js';
import type { InferenceChild } from '../inference/child.js';

export interface ScoreRequest {
  readonly source: string;
  readonly facts: VideoFacts;
  readonly child: InferenceChild;
  /** Frames a second of media time. */
  readonly fps: number;
  readonly onFrame: (time: number) => void;
}

/**
 * A container may be so much longer than its picture, seconds, before that is worth a word: sound ends a
 * little later.
 */
const TAIL_SECONDS = 2;
const TAIL_SHARE = 0.005;

/**
 * What the model says of each frame, at the times that players show. A recording with a damaged or missing
 * tail has its frames up to there, and a warning. Throws what frames and inference throw, and the signal's
 * reason.
 */
export async function scoreRecording(
  { source, facts, child, fps, onFrame }: ScoreRequest,
  signal: AbortSignal,
): Promise<{ frames: Scored[]; warnings: string[] }> {
  const { manifest } = child.model;
  const { preprocess } = manifest;
  // Not what its stream's first packet says: a recording that begins within a group of pictures shows none until the next.
  const { time: begin } = await frameAt({ source, preprocess, start: facts.start }, 0, signal);
  const threshold = manifest.unsure?.threshold ?? Number.POSITIVE_INFINITY;
  const scored: Scored[] = [];
  const warnings: string[] = [];
  try {
    for await (const frame of frames({ source, preprocess, fps }, signal)) {
      const { probability, distance = 0 } = await child.infer(frame.pixels);
      const time = begin + frame.time;
      scored.push({ time, probability, ...(distance > threshold && { unlike: true }) });
      onFrame(time);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (scored.length === 0 || !(error instanceof AdbreakError) || error.code !== 'video_unreadable')
      throw error;
    warnings.push(`its picture is damaged from ${formatClock(endOf(scored, fps))} on: ${error.message}`);
  }
  signal.throwIfAborted();
  if (warnings.length === 0) warnings.push(...missingTail(facts, endOf(scored, fps)));
  return { frames: scored, warnings };
}

function missingTail({ duration }: VideoFacts, end: number): string[] {
  if (duration === null || duration - end <= Math.max(TAIL_SECONDS, TAIL_SHARE * duration)) return [];
  return [
    `its container says ${formatClock(duration)}, its picture ends at ${formatClock(end)}: nothing is known of the rest`,
  ];
}

function endOf(scored: readonly Scored[], fps: number): number {
  return (scored.at(-1)?.time ?? 0) + 1 / fps;
}
