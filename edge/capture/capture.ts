import { type AnySignal, anySignal } from '@adbreak/shared/any-signal.js';
import { type Backoff, pauseAfter } from '@adbreak/shared/backoff.js';
import { explain } from '@adbreak/shared/errors.js';
import { pause } from '@adbreak/shared/retry.js';
import {
  type DeviceMode,
  type Frame,
  type FrameRequest,
  frames,
  type Preprocess,
} from '@adbreak/shared/video/frames.js';

export interface Source {
  readonly input: string;
  /** A file is read as fast as it is inferred; of a live source the latest frame wins and the others are counted. */
  readonly kind: 'file' | 'live';
  readonly fps: number;
  /** For a V4L2 device. */
  readonly v4l2?: DeviceMode | undefined;
}
export type CaptureEvent =
  | { readonly kind: 'frame'; readonly frame: Frame; readonly dropped: number }
  | { readonly kind: 'lost'; readonly reason: string; readonly retryInMs: number }
  | { readonly kind: 'ended' };

/** The source is this device's own: nobody else comes to it in step. */
const REOPENING: Backoff = { firstMs: 1000, longestMs: 60_000, jitter: 0 };
/** A live source that gives no frame for so long hangs, whatever ffmpeg thinks of it. */
const STALL_MS = 20_000;

export function requestOf({ input, fps, v4l2 }: Source, preprocess: Preprocess): FrameRequest {
  return { source: input, preprocess, fps, ...(v4l2 !== undefined && { mode: v4l2 }) };
}

/**
 * Frames of a source with its troubles as events, never as exceptions. A live source that ends or fails is opened
 * again, with a pause that doubles; frame times go on growing across openings.
 */
export async function* capture(
  source: Source,
  preprocess: Preprocess,
  signal: AbortSignal,
  stallMs = STALL_MS,
): AsyncGenerator<CaptureEvent> {
  let failures = 0;
  let offset = 0;
  while (!signal.aborted) {
    let reason = 'the source ended';
    let last = offset;
    const request = requestOf(source, preprocess);
    const watchdog = new Watchdog(stallMs, signal);
    try {
      const opened =
        source.kind === 'live'
          ? latest(watchdog.guard(frames(request, watchdog.signal)))
          : each(frames(request, signal));
      for await (const { frame, dropped } of opened) {
        last = offset + frame.time;
        failures = 0;
        yield { kind: 'frame', frame: { ...frame, time: last }, dropped };
      }
      // Who is told to stop has not come to the end.
      if (signal.aborted) return;
      if (source.kind === 'file') return yield { kind: 'ended' };
    } catch (error) {
      reason = explain(error);
    } finally {
      watchdog.stop();
    }
    if (signal.aborted) return;
    if (source.kind === 'live' && watchdog.stalled) reason = `no frame for ${stallMs / 1000} s`;
    offset = last + 1 / source.fps;
    failures += 1;
    const retryInMs = pauseAfter(REOPENING, failures, 0);
    yield { kind: 'lost', reason, retryInMs };
    await pause(retryInMs, signal);
  }
}

/** Ends an opening of the source when frames stop coming. */
class Watchdog {
  readonly #stall = new AbortController();
  readonly #either: AnySignal;
  #timer: NodeJS.Timeout;

  constructor(stallMs: number, outer: AbortSignal) {
    this.#either = anySignal([outer, this.#stall.signal]);
    this.#timer = setTimeout(() => this.#stall.abort(), stallMs);
  }
  get signal(): AbortSignal {
    return this.#either.signal;
  }
  get stalled(): boolean {
    return this.#stall.signal.aborted;
  }
  async *guard(opened: AsyncGenerator<Frame>): AsyncGenerator<Frame> {
    for await (const frame of opened) {
      this.#timer.refresh();
      yield frame;
    }
  }
  stop(): void {
    clearTimeout(this.#timer);
    this.#either[Symbol.dispose]();
  }
}

interface Taken {
  readonly frame: Frame;
  /** Frames thrown away since the last one. */
  readonly dropped: number;
}

async function* each(opened: AsyncGenerator<Frame>): AsyncGenerator<Taken> {
  for await (const frame of opened) yield { frame, dropped: 0 };
}

/** Reads on while the consumer is busy and hands over the newest frame only: a slow model lags by one frame at most. */
export async function* latest(opened: AsyncGenerator<Frame>): AsyncGenerator<Taken> {
  let newest: Frame | null = null;
  let dropped = 0;
  let finished = false;
  let failure: unknown = null;
  let wake = () => undefined as void;
  const reading = (async () => {
    try {
      for await (const frame of opened) {
        if (newest !== null) dropped += 1;
        newest = frame;
        wake();
      }
    } catch (error) {
      failure = error;
    } finally {
      finished = true;
      wake();
    }
  })();
  const take = (): Taken | null => {
    if (newest === null) return null;
    const taken = { frame: newest, dropped };
    newest = null;
    dropped = 0;
    return taken;
  };
  try {
    for (;;) {
      const taken = take();
      if (taken !== null) yield taken;
      else if (finished) break;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    if (failure !== null) throw failure;
  } finally {
    await opened.return(undefined);
    await reading;
  }
}
