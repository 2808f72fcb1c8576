import { readFile, rename } from 'node:fs/promises';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { loopVideo } from '@adbreak/shared/testing/temporary.js';
import { formatLabels, parseLabels, type Span } from '@adbreak/shared/video/labels.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';

export interface Looped {
  /** Seconds of the recording itself. */
  readonly seconds: number;
  readonly times: number;
  /** Scenes and advertisements of the recording itself. */
  readonly spans: number;
}

/**
 * Plays `stem`.mkv again and again into the same file until it lasts `wanted` seconds, its labels with it:
 * agents look many times as fast as a person, and a gate needs more than an evening's few breaks. What is
 * seen a second time is no new evidence of a model's worth; the demo shows how a rollout moves.
 */
export async function loop(stem: string, wanted: number, signal: AbortSignal): Promise<Looped> {
  const spans = parseLabels(await readFile(`${stem}.csv`, 'utf8'));
  const { duration } = await probeVideo(`${stem}.mkv`, signal);
  if (duration === null)
    throw new AdbreakError(
      'video_unreadable',
      `Cannot play ${stem}.mkv again: it does not say how long it is`,
    );
  const times = Math.max(1, Math.ceil(wanted / duration));
  if (times > 1) {
    const once = `${stem}.once.mkv`;
    await rename(`${stem}.mkv`, once);
    await loopVideo(once, `${stem}.mkv`, times, signal);
    await writeAtomic(`${stem}.csv`, formatLabels(repeated(spans, duration, times)));
  }
  return { seconds: duration, times, spans: spans.length };
}

function repeated(spans: readonly Span[], duration: number, times: number): Span[] {
  return Array.from({ length: times }, (_, i) =>
    spans.map(({ start, end, label }) => ({
      ...{ start: start + i * duration, label },
      // The next time begins where the container ends, whatever the last label says.
      end: Math.min(end, duration) + i * duration,
    })),
  ).flat();
}
