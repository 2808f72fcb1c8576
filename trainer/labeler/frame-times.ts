import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { frameAt } from '@adbreak/shared/video/exact.js';
import { startFailure } from '@adbreak/shared/video/frames.js';
import type { Recording } from './library.js';

/** The timestamps of a recording's frames. */
export interface FrameTimes {
  /** Seconds from the file's start, in order, each once. */
  readonly times: Float64Array;
  /** Times of those that can be decoded by themselves. */
  readonly keys: Float64Array;
}

/** Frames of a day at 60 a second: a list of more is somebody's joke. */
const MOST_FRAMES = 6_000_000;
/** Half a millisecond: a container's timestamps are rounded. */
const ROUNDING = 0.0005;
/** In pixels: any size, nobody looks at it. */
const TINY = { width: 16, height: 16, scaler: 'area' } as const;

/**
 * From the container's packets, which is quick: no picture is decoded but the first, as a stream that was entered in the
 * middle begins with packets that give none. Right for variable rates and B-frames. Throws `video_unreadable`.
 */
export async function frameTimes(
  { path, name, facts }: Pick<Recording, 'path' | 'name'> & { readonly facts: { readonly start: number } },
  signal?: AbortSignal,
): Promise<FrameTimes> {
  const { start } = facts;
  const first = (await frameAt({ source: path, preprocess: TINY, start }, 0, signal)).time;
  const packets = await packetsOf(path, name, signal);
  const shown = packets
    .map(({ time, isKey }) => ({ time: Math.max(0, time - start), isKey }))
    .filter(({ time }) => time >= first - ROUNDING)
    .sort((a, b) => a.time - b.time)
    .filter(({ time }, i, all) => time !== all[i - 1]?.time);
  if (shown.length === 0) throw new AdbreakError('video_unreadable', `Cannot read ${name}: it has no frame`);
  const times = (frames: typeof shown) => Float64Array.from(frames, ({ time }) => time);
  return { times: times(shown), keys: times(shown.filter(({ isKey }) => isKey)) };
}

interface Packet {
  /** Seconds, as the container says. */
  readonly time: number;
  readonly isKey: boolean;
}

async function packetsOf(path: string, name: string, signal?: AbortSignal): Promise<Packet[]> {
  const args = [
    ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags'],
    ...['-of', 'csv=p=0', '-i', `file:${path}`],
  ];
  const child = spawn('ffprobe', args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  });
  const closed = once(child, 'close').catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw startFailure(cause, 'ffprobe');
  });
  // Waited for below; while lines are read nobody listens, and a process ends of that.
  closed.catch(() => undefined);
  const packets: Packet[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const packet = parsePacket(line);
    if (packet !== null) packets.push(packet);
    if (packets.length > MOST_FRAMES) {
      child.kill('SIGKILL');
      throw new AdbreakError(
        'input_too_large',
        `Cannot read ${name}: it has more than ${MOST_FRAMES} frames`,
      );
    }
  }
  // A damaged tail still gave packets; where it gave none, the caller says so.
  const [, killed] = await closed;
  if (typeof killed !== 'string') return packets;
  throw new AdbreakError('video_unreadable', `Cannot read ${name}: ffprobe was ended by ${killed}`, {
    remedy: 'Look whether the machine is short of memory, and try again.',
  });
}

/** `12.345000,K__`; null for what is not shown: a packet without a time, or one that an edit list takes away. */
export function parsePacket(line: string): Packet | null {
  const [, time, flags = ''] = /^(-?\d+\.\d+),([A-Z_]+)/.exec(line) ?? [];
  return time === undefined || flags.includes('D')
    ? null
    : { time: Number(time), isKey: flags.startsWith('K') };
}

/** Where pieces of about `length` seconds begin: at frames, the first at the first frame. */
export function pieceStarts(times: Float64Array, length: number): number[] {
  const starts: number[] = [];
  let next = times[0] ?? 0;
  for (const time of times) {
    if (time < next - ROUNDING) continue;
    starts.push(time);
    // On a grid, so that pieces do not drift; behind a gap of the recording it begins anew.
    next = time < next + length ? next + length : time + length;
  }
  return starts;
}

/** The number of frames, their times and those of the keys, as little-endian Float64. */
export function packFrames({ times, keys }: FrameTimes): Uint8Array {
  const all = new Float64Array(1 + times.length + keys.length);
  all[0] = times.length;
  all.set(times, 1);
  all.set(keys, 1 + times.length);
  return new Uint8Array(all.buffer);
}

/** Null of what `packFrames` did not write: the list is then made again. */
export function unpackFrames(bytes: Uint8Array | undefined): FrameTimes | null {
  if (bytes === undefined || bytes.length % 8 !== 0 || bytes.length < 16) return null;
  const all = new Float64Array(bytes.slice().buffer);
  const count = all[0] ?? 0;
  const [times, keys] = [all.slice(1, 1 + count), all.slice(1 + count)];
  const isRight =
    Number.isInteger(count) && count > 0 && times.length === count && isRising(times) && isRising(keys);
  return isRight ? { times, keys } : null;
}

function isRising(times: Float64Array): boolean {
  return times.every(
    (time, i) => Number.isFinite(time) && time >= 0 && (i === 0 || time > (times[i - 1] ?? 0)),
  );
}
