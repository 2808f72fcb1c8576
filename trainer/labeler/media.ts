import type { Pieces } from '@adbreak/shared/contract/labelling.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { DiskCache } from './disk-cache.js';
import { type FrameTimes, frameTimes, packFrames, pieceStarts, unpackFrames } from './frame-times.js';
import { firstFrom } from './label-studio.js';
import type { Library } from './library.js';
import { pictureOf } from './picture.js';
import { codecsOf, makePiece, type Piece } from './piece.js';
import { Work } from './work.js';

/** Seconds of a piece: shorter ones are there sooner, and cost more in all. */
export const PIECE_SECONDS = 2;
/** At once; the one that works ahead never takes more than one. */
const SLOTS = 2;
/** Made ahead of what was asked for last, and one behind it. */
const AHEAD = 20;
const PRIORITY = { asked: 1, ahead: 0 } as const;
/** Lists of frames in memory: each has 16 bytes a frame. */
const LISTS = 20;
/** Half a millisecond, as in `frameAt`. */
const ROUNDING = 0.0005;

interface MediaOptions {
  readonly library: Library;
  readonly cache: DiskCache;
  readonly say: (line: string) => void;
  readonly onPiece: (recording: string, piece: number) => void;
}

/** What a player is given of the recordings: times of frames, pictures, pieces; made when they are asked for, and ahead of that. */
export class Media implements AsyncDisposable {
  readonly #options: MediaOptions;
  readonly #pieces = new Work<Piece>(SLOTS);
  readonly #pictures = new Work<Uint8Array>(SLOTS);
  readonly #lists = new Map<string, Promise<FrameTimes>>();
  readonly #end = new AbortController();
  #ahead = new AbortController();
  #working: Promise<void> = Promise.resolve();

  constructor(options: MediaOptions) {
    this.#options = options;
  }

  /** Of all frames. Throws `not_found` and `video_unreadable`. */
  frames(id: string): Promise<FrameTimes> {
    const known = this.#lists.get(id);
    if (known !== undefined) return known;
    const list = this.#framesOf(id);
    this.#lists.set(id, list);
    list.catch(() => this.#lists.delete(id));
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= LISTS) break;
      this.#lists.delete(oldest);
    }
    return list;
  }

  /** Reading all of a container takes seconds for each gigabyte: the list is kept. */
  async #framesOf(id: string): Promise<FrameTimes> {
    const recording = this.#options.library.readable(id);
    const name = `${id}/frames.bin`;
    const kept = unpackFrames(await this.#options.cache.get(name));
    if (kept !== null) return kept;
    const list = await frameTimes(recording, this.#end.signal);
    await this.#options.cache.put(name, packFrames(list));
    return list;
  }

  async pieces(id: string): Promise<Pieces> {
    const { facts, path } = this.#options.library.readable(id);
    const starts = await this.#starts(id);
    const ready = starts.flatMap((_, n) => (this.#options.cache.has(nameOf(id, n)) ? [n] : []));
    return { codecs: codecsOf({ path, ...facts }), starts, ready };
  }

  /** What comes before every piece: the same whichever piece it is taken from. */
  async init(id: string, signal: AbortSignal): Promise<Uint8Array> {
    const kept = await this.#options.cache.get(`${id}/init.mp4`);
    return kept ?? (await this.#make(id, 0, PRIORITY.asked, signal)).init;
  }

  /** Piece n; what comes behind it is made then, too. Throws `not_found` where there is none. */
  async piece(id: string, n: number, signal: AbortSignal): Promise<Uint8Array> {
    const kept = await this.#options.cache.get(nameOf(id, n));
    const media = kept ?? (await this.#makeNow(id, n, signal));
    this.#workAhead(id, n);
    return media;
  }

  /** What is made ahead gives way, unless it is this very piece. */
  async #makeNow(id: string, n: number, signal: AbortSignal): Promise<Uint8Array> {
    const made = this.#make(id, n, PRIORITY.asked, signal);
    this.#ahead.abort();
    return (await made).media;
  }

  async #starts(id: string): Promise<number[]> {
    return pieceStarts((await this.frames(id)).times, PIECE_SECONDS);
  }

  async #make(id: string, n: number, priority: number, signal: AbortSignal): Promise<Piece> {
    const { path, facts } = this.#options.library.readable(id);
    const frames = await this.frames(id);
    const starts = pieceStarts(frames.times, PIECE_SECONDS);
    const from = starts[n];
    if (from === undefined)
      throw new AdbreakError('not_found', `Cannot find piece ${n}: the recording has ${starts.length}`);
    const to = starts[n + 1] ?? Math.max(facts.duration, (frames.times.at(-1) ?? 0) + 0.04);
    const make = async (stop: AbortSignal) => {
      const { cache, onPiece } = this.#options;
      const piece = await makePiece({ path, ...facts }, frames, [from, to], cache.unfinished(), stop);
      if (!cache.has(`${id}/init.mp4`)) await cache.put(`${id}/init.mp4`, piece.init);
      await cache.put(nameOf(id, n), piece.media);
      onPiece(id, n);
      return piece;
    };
    return this.#pieces.want({ key: nameOf(id, n), priority, make }, signal);
  }

  /** From the place that is watched; where somebody goes elsewhere, from there. */
  #workAhead(id: string, n: number): void {
    this.#ahead.abort();
    this.#ahead = new AbortController();
    const { signal } = this.#ahead;
    this.#working = this.#working
      .then(() => this.#makeAhead(id, n, AbortSignal.any([signal, this.#end.signal])))
      .catch((error: unknown) => {
        if (!signal.aborted && !this.#end.signal.aborted) this.#options.say(explain(error));
      });
  }

  async #makeAhead(id: string, n: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { length } = await this.#starts(id);
    const wanted = [...Array.from({ length: AHEAD }, (_, i) => n + 1 + i), n - 1];
    for (const piece of wanted)
      if (piece >= 0 && piece < length && !this.#options.cache.has(nameOf(id, piece)))
        await this.#make(id, piece, PRIORITY.ahead, signal);
  }

  /** The frame that is on at a time, as a JPEG of a width in pixels, at most its own. */
  async picture(id: string, time: number, width: number, signal: AbortSignal): Promise<Uint8Array> {
    const { path, facts } = this.#options.library.readable(id);
    const list = await this.frames(id);
    const frame = Math.max(0, firstFrom(list.times, time + ROUNDING) - 1);
    const size = { width: Math.min(width, facts.width), height: 0 };
    size.height = Math.max(1, Math.round((size.width * facts.height) / facts.width));
    const name = `${id}/p${size.width}-${frame}.jpg`;
    const kept = await this.#options.cache.get(name);
    if (kept !== undefined) return kept;
    const make = async (stop: AbortSignal) => {
      const { cache } = this.#options;
      const shown = { path, start: facts.start, ...size };
      const picture = await pictureOf(shown, list, list.times[frame] ?? time, cache.unfinished(), stop);
      await this.#options.cache.put(name, picture);
      return picture;
    };
    return this.#pictures.want({ key: name, priority: PRIORITY.asked, make }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#working;
  }
}

function nameOf(id: string, piece: number): string {
  return `${id}/${PIECE_SECONDS}s-${piece}.mp4`;
}
