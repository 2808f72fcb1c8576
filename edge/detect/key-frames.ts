import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { inputArguments, startFailure } from '@adbreak/shared/video/frames.js';
import type { VideoFacts } from '@adbreak/shared/video/probe.js';

/** The times of a file's key frames, seconds after its beginning, in order; found without decoding. */
export async function keyframesOf(
  path: string,
  { start }: VideoFacts,
  signal: AbortSignal,
): Promise<number[]> {
  const child = spawn(
    'ffprobe',
    [
      ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags'],
      ...['-of', 'csv=p=0', ...inputArguments(path)],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' },
  );
  const closed = once(child, 'close').catch((cause: unknown) => {
    signal.throwIfAborted();
    throw startFailure(cause, 'ffprobe');
  });
  // It may fail while its lines are still read.
  closed.catch(() => undefined);
  const times: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [time, flags] = line.split(',');
    if (flags?.includes('K') && Number.isFinite(Number(time))) times.push(Number(time) - start);
  }
  await closed;
  return times.sort((a, b) => a - b);
}
