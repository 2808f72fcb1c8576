import type { LabelRecording, Pieces } from '@adbreak/shared/contract/labelling.js';
import { signal } from '@preact/signals';
import { type FrameTimes, frameAt, middleOf, timeOf } from './frames.js';
import { isLoaded } from './pieces.js';
import { PieceStream } from './stream.js';

export const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4, 8] as const;
/** From the key to the frame on the screen; tests and people read them with `performance.getEntriesByName`. */
export const SEEK_MEASURE = 'adbreak-seek';
export const PICTURE_MEASURE = 'adbreak-seek-picture';

/** The picture of the frame is asked for when the frame itself is not there after, milliseconds. */
const PICTURE_AFTER_MS = 60;
/** A browser that shows the frame it showed already does not say so. */
const SHOWN_AFTER_MS = 120;
/** A player's own clock may be off by its time base. */
const CLOCK = 0.002;

export interface PlayerPorts {
  pieces(id: string): Promise<Pieces>;
  frames(id: string): Promise<FrameTimes>;
  fetchPiece(id: string, piece: number | 'init', signal: AbortSignal): Promise<ArrayBuffer>;
  pictureAddress(id: string, time: number): string;
  onTrouble(error: unknown): void;
  /** It stopped where nobody asked: at the end. */
  onEnd(): void;
}

/** Plays a recording, and stands on exact frames of it. What it shows is in its signals. */
export class Player {
  readonly frame = signal(0);
  readonly isPlaying = signal(false);
  readonly speed = signal<number>(1);
  readonly loaded = signal<[number, number][]>([]);
  readonly times = signal<FrameTimes>(new Float64Array());
  /** Address of a picture to show instead of the video, which is not there yet. */
  readonly picture = signal<string | null>(null);
  readonly isWaiting = signal(false);
  duration = 0;
  readonly #video: HTMLVideoElement;
  readonly #ports: PlayerPorts;
  #id = '';
  /** Where somebody went before it could be shown, seconds. */
  #startAt = 0;
  #stream: PieceStream | null = null;
  /** The frame to be shown: `wanted` while its seek is on its way; `next` came meanwhile. */
  #wanted: { frame: number; since: number } | null = null;
  #next: { frame: number; since: number } | null = null;
  #pictureTimer = 0;
  #shownTimer = 0;

  constructor(video: HTMLVideoElement, ports: PlayerPorts) {
    this.#video = video;
    this.#ports = ports;
    video.preservesPitch = true;
    video.addEventListener('play', () => this.#onPlay());
    video.addEventListener('pause', () => this.#onPause());
    video.addEventListener('ended', () => ports.onEnd());
    video.addEventListener('seeked', () => this.#onSeeked());
    video.addEventListener('waiting', () => {
      this.isWaiting.value = true;
    });
    video.addEventListener('playing', () => {
      this.isWaiting.value = false;
    });
    this.#watch();
  }

  async open({ id, duration }: LabelRecording): Promise<void> {
    const at = this.#id === id ? this.#startAt : 0;
    this.close();
    this.#id = id;
    this.#startAt = at;
    this.duration = duration;
    const [pieces, times] = await Promise.all([this.#ports.pieces(id), this.#ports.frames(id)]);
    if (this.#id !== id) return;
    this.times.value = times;
    this.#stream = new PieceStream(this.#video, pieces, duration, {
      fetchPiece: (piece, abort) => this.#ports.fetchPiece(id, piece, abort),
      onLoaded: (loaded) => {
        this.loaded.value = loaded;
      },
      onTrouble: (error) => this.#ports.onTrouble(error),
    });
    this.#video.playbackRate = this.speed.value;
    this.seek(this.#startAt);
  }

  close(): void {
    this.pause();
    this.#stream?.close();
    this.#stream = null;
    this.#id = '';
    this.#startAt = 0;
    this.#wanted = null;
    this.#next = null;
    this.picture.value = null;
    this.loaded.value = [];
    this.times.value = new Float64Array();
    this.frame.value = 0;
  }

  /** Where the shown frame begins and ends, seconds. */
  get time(): number {
    return timeOf(this.times.value, this.frame.value, this.duration);
  }
  get frameEnd(): number {
    return timeOf(this.times.value, this.frame.value + 1, this.duration);
  }

  toggle(): void {
    if (this.isPlaying.value) this.pause();
    else this.play();
  }
  play(): void {
    if (this.#stream === null) return;
    // At once, where the event comes later: a key right after this one means what plays.
    this.isPlaying.value = true;
    this.#video.play().catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === 'AbortError')) this.#ports.onTrouble(error);
    });
  }
  pause(): void {
    this.#video.pause();
    this.isPlaying.value = false;
  }

  changeSpeed(by: -1 | 1): void {
    const now = SPEEDS.findIndex((speed) => speed >= this.speed.value);
    const speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, now + by))] ?? 1;
    this.speed.value = speed;
    this.#video.playbackRate = speed;
    this.#load();
  }

  /** To the frame that is on at a moment, seconds. */
  seek(time: number): void {
    if (this.#stream === null) this.#startAt = time;
    this.seekFrame(frameAt(this.times.value, time));
  }

  /** Keys that come faster than frames meet in the last of them. */
  seekFrame(frame: number): void {
    if (this.#stream === null) return;
    const target = Math.min(Math.max(0, frame), Math.max(0, this.times.value.length - 1));
    const seek = { frame: target, since: performance.now() };
    this.frame.value = target;
    this.#load();
    const isBusy = this.#wanted !== null && this.#isHere(this.#wanted.frame);
    if (isBusy) this.#next = seek;
    else this.#go(seek);
  }

  #go(seek: { frame: number; since: number }): void {
    this.#wanted = seek;
    this.#next = null;
    clearTimeout(this.#shownTimer);
    this.#video.currentTime = middleOf(this.times.value, seek.frame, this.duration);
    clearTimeout(this.#pictureTimer);
    const wait = this.#isHere(seek.frame) ? PICTURE_AFTER_MS : 0;
    this.#pictureTimer = window.setTimeout(() => this.#askPicture(seek), wait);
  }

  #isHere(frame: number): boolean {
    return isLoaded(this.#stream?.loaded ?? [], middleOf(this.times.value, frame, this.duration));
  }

  #askPicture(seek: { frame: number; since: number }): void {
    if (this.#wanted !== seek || this.isPlaying.value || this.#isHere(seek.frame)) return;
    const time = timeOf(this.times.value, seek.frame, this.duration);
    this.picture.value = this.#ports.pictureAddress(this.#id, time);
  }

  /** The page says when the picture is on the screen. */
  pictureShown(): void {
    if (this.#wanted !== null) performance.measure(PICTURE_MEASURE, { start: this.#wanted.since });
  }

  /** Without it there is nothing to show until the frame itself is there. */
  pictureFailed(): void {
    this.picture.value = null;
  }

  #watch(): void {
    this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.#onFrame(frameAt(this.times.value, mediaTime + CLOCK));
      this.#watch();
    });
  }

  #onFrame(shown: number): void {
    if (this.#wanted !== null && shown === this.#wanted.frame) this.#arrived();
    if (this.#wanted !== null || shown < 0) return;
    if (!this.isPlaying.value) return;
    this.frame.value = shown;
    this.#load();
  }

  #onSeeked(): void {
    clearTimeout(this.#shownTimer);
    this.#shownTimer = window.setTimeout(() => this.#arrived(), SHOWN_AFTER_MS);
  }

  #arrived(): void {
    const seek = this.#wanted;
    if (seek === null) return;
    clearTimeout(this.#shownTimer);
    clearTimeout(this.#pictureTimer);
    performance.measure(SEEK_MEASURE, { start: seek.since, detail: { frame: seek.frame } });
    this.#wanted = null;
    this.picture.value = null;
    if (this.#next !== null) this.#go(this.#next);
  }

  #onPlay(): void {
    this.isPlaying.value = true;
    this.picture.value = null;
    this.#load();
  }
  #onPause(): void {
    this.isPlaying.value = false;
    this.isWaiting.value = false;
    this.#load();
  }

  #load(): void {
    const at = this.isPlaying.value && this.#wanted === null ? this.#video.currentTime : this.time;
    this.#stream?.update(at, this.isPlaying.value ? this.speed.value : 0);
  }
}
