import { DEFAULT_DECIDER } from '@adbreak/shared/decide/decider.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { probeVideo, type VideoFacts } from '@adbreak/shared/video/probe.js';
import { snapped, withHints } from '../decide/combined.js';
import { type Format, formatFrames, formatTimeline, type Timeline } from '../decide/formats.js';
import { adSecondsKept, keptSpans } from '../decide/kept-spans.js';
import { type DecisionMode, posteriorsOf, segmentsOf } from '../decide/segments.js';
import type { InferenceChild } from '../inference/child.js';
import type { Hints } from '../recurrence/hints.js';
import { copyParts, copyWithChapters } from './copy.js';
import { keyframesOf } from './key-frames.js';
import type { Outputs } from './outputs.js';
import { ProgressLine } from './progress.js';
import { scoreRecording } from './score.js';

/** So many seconds of an advertisement at each cut are what broadcasts cost, and worth no word. */
const LEFT_SECONDS = 3;

interface DetectRequest {
  readonly outputs: Outputs;
  readonly child: InferenceChild;
  readonly format: Format;
  readonly decision: DecisionMode;
  readonly fps: number;
  /** What recurs in it, where that was asked for: then the decision is of both. */
  readonly hints?: Hints;
}

interface Detected {
  readonly timeline: Timeline;
  /** The files that were written, small ones first. */
  readonly written: readonly string[];
}

/**
 * Looks at one recording and writes what was asked for. Each file appears under its name only when it is
 * whole; small ones come first. Throws what reading, inference and writing throw, and the signal's reason.
 */
export async function detectIn(request: DetectRequest, signal: AbortSignal): Promise<Detected> {
  const { outputs, child, decision, fps, hints } = request;
  const { source } = outputs;
  const facts = await probeVideo(source, signal);
  const progress = new ProgressLine(source, facts.duration);
  const { frames: scored, warnings } = await scoreRecording(
    { source, facts, child, fps, onFrame: (time) => progress.at(time) },
    signal,
  ).finally(() => progress.end());
  const { name, version, decision: chosen } = child.model.manifest;
  const settings = chosen ?? DEFAULT_DECIDER;
  const frames = hints === undefined ? scored : withHints(scored, hints.hints);
  const segments = segmentsOf(frames, settings, 1 / fps, decision);
  const timeline: Timeline = {
    source,
    model: `${name} ${version}`,
    decision: hints === undefined ? decision : 'combined',
    segments: hints === undefined ? segments : snapped(segments, hints.gaps, hints.hints),
    warnings,
  };
  const texts = [
    [outputs.timeline, () => formatTimeline(timeline, request.format)],
    [outputs.edl, () => formatTimeline(timeline, 'edl')],
    [outputs.chapters, () => formatTimeline(timeline, 'chapters')],
    [outputs.frames, () => formatFrames(frames, posteriorsOf(frames, settings, decision))],
  ] as const;
  const written: string[] = [];
  for (const [path, format] of texts)
    if (path !== undefined) {
      await writeAtomic(path, lines(format()));
      written.push(path);
    }
  const copies = await writeCopies(timeline, facts, outputs, signal);
  warnings.push(...copies.warnings);
  return { timeline, written: [...written, ...copies.written] };
}

/** Gives the copies that were written, and what a person should know of them. */
async function writeCopies(
  timeline: Timeline,
  facts: VideoFacts,
  { source, mark, cut }: Outputs,
  signal: AbortSignal,
): Promise<{ readonly written: readonly string[]; readonly warnings: readonly string[] }> {
  const written: string[] = [];
  if (mark !== undefined) {
    await copyWithChapters(source, lines(formatTimeline(timeline, 'chapters')), mark, signal);
    written.push(mark);
  }
  if (cut === undefined) return { written, warnings: [] };
  const parts = keptSpans(timeline.segments, await keyframesOf(source, facts, signal));
  if (parts.length === 0)
    return {
      written,
      warnings: [`it is all advertisement: ${cut} was not written, as nothing would be in it`],
    };
  await copyParts(source, facts, parts, cut, signal);
  written.push(cut);
  const left = adSecondsKept(timeline.segments, parts);
  if (left <= LEFT_SECONDS * parts.length) return { written, warnings: [] };
  const far = `${left.toFixed(0)} s of advertisement are left in ${cut}: its key frames lie far apart`;
  return { written, warnings: [far] };
}

function lines(text: string): string {
  return text === '' ? '' : `${text}\n`;
}
