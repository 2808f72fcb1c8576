import { explainForPeople, hasCode } from '@adbreak/shared/errors.js';
import { type Found, Scan } from '@adbreak/shared/recurrence/scan.js';
import { momentsOf } from '@adbreak/shared/video/moments.js';
import { probeVideo, type VideoFacts } from '@adbreak/shared/video/probe.js';
import { ProgressLine } from '../detect/progress.js';

export interface Scanned extends Found {
  /** Those that could be read, as far as they could. */
  readonly recordings: readonly { readonly name: string; readonly duration: number }[];
  /** Recordings that could not be read, in words. */
  readonly problems: readonly string[];
  /** Seconds of media time that were looked at, and of work: in all, and without waiting for ffmpeg. */
  readonly seconds: number;
  readonly elapsed: number;
  readonly own: number;
}

/** Seconds that a container without a duration is given. */
const UNKNOWN = 24 * 3600;
/** What came longer ago than this, seconds, is not looked for: 35 days, 64 MB. */
const LONGEST_MEMORY = 35 * 24 * 3600;

/**
 * Looks for what recurs in recordings, one after the other. One that cannot be read does not cost the others; where it is
 * the only one its error is thrown. Throws the signal's reason.
 */
export async function scanRecordings(sources: readonly string[], signal: AbortSignal): Promise<Scanned> {
  const problems: string[] = [];
  const readable: { name: string; facts: VideoFacts }[] = [];
  const recordings: { name: string; duration: number }[] = [];
  const forgive = (error: unknown) => {
    signal.throwIfAborted();
    if (sources.length === 1 || !hasCode(error, 'video_unreadable')) throw error;
    problems.push(explainForPeople(error));
  };
  for (const name of sources)
    await probeVideo(name, signal).then((facts) => readable.push({ name, facts }), forgive);
  const capacity = readable.reduce((sum, { facts }) => sum + (facts.duration ?? UNKNOWN) + 600, 0);
  const scan = new Scan(Math.min(capacity, LONGEST_MEMORY));
  if (capacity > LONGEST_MEMORY)
    problems.push('These are more than 35 days: what airs again after a longer time is not found.');
  const started = performance.now();
  let [seconds, own] = [0, 0];
  for (const { name, facts } of readable) {
    const progress = new ProgressLine(name, facts.duration);
    scan.begin(name);
    let [until, leftOut] = [0, 0];
    try {
      for await (const moments of momentsOf(name, facts, signal)) {
        const begun = performance.now();
        scan.push(moments);
        own += performance.now() - begun;
        until = moments.until;
        leftOut = moments.leftOut;
        progress.at(until);
      }
    } catch (error) {
      forgive(error);
    } finally {
      progress.end();
    }
    signal.throwIfAborted();
    seconds += until;
    recordings.push({ name, duration: until });
    if (leftOut > 0)
      problems.push(
        `${name}: its clock goes back: ${leftOut} pictures that come after others with later times were left out`,
      );
  }
  const begun = performance.now();
  const found = scan.end();
  own += performance.now() - begun;
  return {
    ...found,
    recordings,
    problems,
    seconds,
    elapsed: (performance.now() - started) / 1000,
    own: own / 1000,
  };
}
