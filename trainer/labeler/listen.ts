import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { startFailure } from '@adbreak/shared/video/frames.js';
import { parentBinding } from '@adbreak/shared/video/parent-binding.js';
import { LOOK, LOOK_BYTES, Look } from './look.js';
import { WAVE_RATE, WAVE_STEP, Wave } from './wave.js';

/** What the timeline shows of a recording beside its pictures; seconds from its start. */
export interface Heard {
  readonly waveStep: number;
  readonly wave: readonly number[];
  readonly cuts: readonly number[];
  readonly black: readonly (readonly [number, number])[];
  readonly silence: readonly (readonly [number, number])[];
}
interface Source {
  readonly path: string;
  readonly name: string;
  readonly facts: { readonly start: number; readonly duration: number; readonly hasSound: boolean };
}

/** Whoever watches comes first. */
const NICE = 10;
const TICKS = 1_000_000;
/** Lines of ffmpeg's that are kept to say why it ended. */
const WORDS = 3;

/**
 * Looks at all frames and listens to all sound of a recording, once, in one pass of ffmpeg; `onTime` hears how far it is.
 * Throws `ffmpeg_missing`, `video_unreadable` with its words where it gives no frame, and the signal's reason.
 */
export async function listen(
  { path, name, facts }: Source,
  onTime: (seconds: number) => void,
  signal: AbortSignal,
): Promise<Heard> {
  const [program = 'ffmpeg', ...rest] = [...(await parentBinding()), 'ffmpeg', ...argumentsFor(path, facts)];
  signal.throwIfAborted();
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    signal,
  });
  const ended = once(child, 'close').catch((cause: unknown) => {
    signal.throwIfAborted();
    throw startFailure(cause, 'ffmpeg');
  });
  if (child.pid !== undefined) setPriority(child.pid, NICE);
  const [look, wave] = [new Look(), new Wave()];
  const { stdout, stderr } = child;
  const sound = child.stdio[3];
  const frames = new Frames((time, pixels) => {
    look.add(time, pixels);
    onTime(time);
  }, facts.start);
  const [, , words] = await Promise.all([
    stdout === null ? null : each(stdout, (bytes) => frames.see(bytes)),
    sound !== null && sound !== undefined && 'read' in sound ? each(sound, (bytes) => wave.add(bytes)) : null,
    stderr === null ? [] : lines(stderr, (line) => frames.hear(line)),
    ended,
  ]);
  if (frames.count === 0)
    throw new AdbreakError(
      'video_unreadable',
      `Cannot look at ${name}: it has no frame; ${words.join('; ')}`,
    );
  look.end();
  wave.end();
  return {
    ...{ waveStep: WAVE_STEP, wave: wave.wave, silence: wave.silence },
    ...{ cuts: look.cuts, black: look.black },
  };
}

function argumentsFor(path: string, { start, hasSound }: Source['facts']): string[] {
  const { width, height } = LOOK;
  const picture = `scale=${width}:${height}:flags=area,format=gray,settb=1/${TICKS},showinfo=checksum=0`;
  const sound = `asetpts=PTS-(${start})/TB,aresample=${WAVE_RATE}:async=1:first_pts=0`;
  return [
    // showinfo speaks at level info.
    ...['-hide_banner', '-loglevel', 'repeat+level+info', '-nostats', '-nostdin'],
    ...['-copyts', '-i', `file:${path}`],
    ...['-map', '0:v:0', '-vf', picture, '-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1'],
    ...(hasSound ? ['-map', '0:a:0', '-af', sound, '-ac', '1', '-f', 's16le', 'pipe:3'] : []),
  ];
}

/** Pictures come through one pipe, their times through another, in the same order. */
class Frames {
  count = 0;
  readonly #times: number[] = [];
  readonly #pictures: Uint8Array[] = [];
  readonly #onFrame: (time: number, pixels: Uint8Array) => void;
  readonly #start: number;
  #picture = new Uint8Array(LOOK_BYTES);
  #filled = 0;

  constructor(onFrame: (time: number, pixels: Uint8Array) => void, start: number) {
    this.#onFrame = onFrame;
    this.#start = start;
  }

  see(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const take = Math.min(LOOK_BYTES - this.#filled, bytes.length - at);
      this.#picture.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled < LOOK_BYTES) continue;
      this.#pictures.push(this.#picture);
      this.#picture = new Uint8Array(LOOK_BYTES);
      this.#filled = 0;
    }
    this.#pair();
  }

  hear(line: string): void {
    const [, ticks] = /\bn:\s*\d+ pts:\s*(\S+)\s+pts_time:/.exec(line) ?? [];
    if (ticks === undefined) return;
    this.#times.push(Math.max(0, Number(ticks) / TICKS - this.#start));
    this.#pair();
  }

  #pair(): void {
    const ready = Math.min(this.#times.length, this.#pictures.length);
    const pictures = this.#pictures.splice(0, ready);
    for (const [i, time] of this.#times.splice(0, ready).entries()) {
      const pixels = pictures[i];
      this.count += 1;
      // One without a timestamp (NOPTS) is nowhere.
      if (pixels !== undefined && Number.isFinite(time)) this.#onFrame(time, pixels);
    }
  }
}

async function each(stream: Readable, take: (bytes: Uint8Array) => void): Promise<void> {
  for await (const chunk of stream) take(chunk);
}

/** The last lines that tell of a fault. */
async function lines(stream: Readable, hear: (line: string) => void): Promise<string[]> {
  const faults: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    hear(line);
    if (/\[(error|fatal)\]/.test(line)) faults.push(line.slice(0, 300));
    faults.splice(0, faults.length - WORDS);
  }
  return faults;
}
