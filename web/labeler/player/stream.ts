import type { Pieces } from '@adbreak/shared/contract/labelling.js';
import { forgettable, isLoaded, pieceEnd, wantedPieces } from './pieces.js';

export interface StreamPorts {
  fetchPiece(piece: number | 'init', signal: AbortSignal): Promise<ArrayBuffer>;
  /** Stretches that can be played at once, whenever they change. */
  onLoaded(loaded: [number, number][]): void;
  /** A piece did not come; asked for again a little later. */
  onTrouble(error: unknown): void;
}

/** A piece that did not come is not asked for again before, milliseconds. */
const AGAIN_MS = 2000;
const TRIES = 3;

/** Pieces of one recording through Media Source Extensions: loads what is wanted around the playhead, forgets the rest. */
export class PieceStream {
  readonly #video: HTMLVideoElement;
  readonly #pieces: Pieces;
  readonly #duration: number;
  readonly #ports: StreamPorts;
  readonly #source = new MediaSource();
  readonly #url = URL.createObjectURL(this.#source);
  readonly #over = new AbortController();
  readonly #tries = new Map<number, { count: number; after: number }>();
  #buffer: SourceBuffer | null = null;
  #loading: { piece: number; abort: AbortController } | null = null;
  #at = 0;
  #speed = 0;

  constructor(video: HTMLVideoElement, pieces: Pieces, duration: number, ports: StreamPorts) {
    this.#video = video;
    this.#pieces = pieces;
    this.#duration = duration;
    this.#ports = ports;
    this.#source.addEventListener('sourceopen', () => void this.#open(), { once: true });
    video.src = this.#url;
  }

  get loaded(): [number, number][] {
    const ranges = this.#buffer?.buffered;
    return Array.from({ length: ranges?.length ?? 0 }, (_, i) => [
      ranges?.start(i) ?? 0,
      ranges?.end(i) ?? 0,
    ]);
  }

  /** Where the playhead is now, seconds, and how fast it goes; 0 stands. */
  update(at: number, speed: number): void {
    this.#at = at;
    this.#speed = speed;
    const wanted = this.#wanted();
    const isStale = this.#loading !== null && !wanted.includes(this.#loading.piece);
    const isUrgent = this.#loading !== null && wanted[0] !== undefined && wanted[0] !== this.#loading.piece;
    const waitsForHead = wanted[0] !== undefined && !this.#has(wanted[0]);
    if (isStale || (isUrgent && waitsForHead)) this.#loading?.abort.abort();
    void this.#pump();
  }

  close(): void {
    this.#over.abort();
    this.#loading?.abort.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
    URL.revokeObjectURL(this.#url);
  }

  async #open(): Promise<void> {
    this.#source.duration = this.#duration;
    const bytes = await this.#fetchInit();
    if (bytes === null || this.#over.signal.aborted) return;
    try {
      const buffer = this.#source.addSourceBuffer(this.#pieces.codecs);
      await this.#append(bytes, buffer);
      // Not before: a piece that is appended ahead of it cannot be decoded.
      this.#buffer = buffer;
    } catch (error) {
      this.#ports.onTrouble(error);
    }
    void this.#pump();
  }

  /** As with pieces: however long a server is gone. Null once the stream is closed. */
  async #fetchInit(): Promise<ArrayBuffer | null> {
    while (!this.#over.signal.aborted) {
      try {
        return await this.#ports.fetchPiece('init', this.#over.signal);
      } catch (error) {
        if (this.#over.signal.aborted) return null;
        this.#ports.onTrouble(error);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    return null;
  }

  #wanted(): number[] {
    const plan = { starts: this.#pieces.starts, duration: this.#duration, at: this.#at, speed: this.#speed };
    const now = performance.now();
    return wantedPieces(plan).filter((piece) => {
      const tried = this.#tries.get(piece);
      return tried === undefined || (tried.count < TRIES && now >= tried.after);
    });
  }

  /** By its middle: the first and last frame of a piece need not touch its borders. */
  #has(piece: number): boolean {
    const start = this.#pieces.starts[piece] ?? 0;
    return isLoaded(this.loaded, (start + pieceEnd(this.#pieces.starts, piece, this.#duration)) / 2);
  }

  async #pump(): Promise<void> {
    if (this.#loading !== null || this.#buffer === null || this.#over.signal.aborted) return;
    const piece = this.#wanted().find((each) => !this.#has(each));
    if (piece === undefined) return;
    const abort = new AbortController();
    this.#loading = { piece, abort };
    try {
      const bytes = await this.#ports.fetchPiece(piece, abort.signal);
      if (!abort.signal.aborted && !this.#over.signal.aborted) await this.#append(bytes, this.#buffer);
      this.#finish(piece);
      this.#ports.onLoaded(this.loaded);
      // After it: what is far away costs room, not time.
      await this.#forget();
    } catch (error) {
      if (!abort.signal.aborted && !this.#over.signal.aborted) this.#failed(piece, error);
    }
    this.#loading = null;
    void this.#pump();
  }

  /** After the last piece there is no more: then the recording ends, where it would else wait for more. */
  #finish(piece: number): void {
    if (!this.#has(piece)) this.#note(piece, 1);
    else this.#tries.delete(piece);
    const isLast = piece === this.#pieces.starts.length - 1;
    if (isLast && this.#source.readyState === 'open' && this.#buffer?.updating === false)
      this.#source.endOfStream();
  }

  #failed(piece: number, error: unknown): void {
    // However long a server is gone, what it did not send is asked for again.
    this.#note(piece, 0);
    this.#ports.onTrouble(error);
    setTimeout(() => void this.#pump(), AGAIN_MS + 50);
  }

  #note(piece: number, tries: 0 | 1): void {
    const count = (this.#tries.get(piece)?.count ?? 0) + tries;
    this.#tries.set(piece, { count, after: performance.now() + AGAIN_MS });
  }

  async #forget(): Promise<void> {
    for (const [start, end] of forgettable(this.loaded, this.#at, this.#speed)) {
      if (this.#buffer === null) return;
      this.#buffer.remove(start, end);
      await updated(this.#buffer);
    }
  }

  async #append(bytes: ArrayBuffer, buffer: SourceBuffer): Promise<void> {
    if (this.#source.readyState === 'closed') return;
    buffer.appendBuffer(bytes);
    await updated(buffer);
  }
}

async function updated(buffer: SourceBuffer): Promise<void> {
  if (!buffer.updating) return;
  await new Promise<void>((resolve, reject) => {
    const over = new AbortController();
    const options = { signal: over.signal };
    const fail = () => [over.abort(), reject(new Error('A piece cannot be played.'))];
    buffer.addEventListener('updateend', () => [over.abort(), resolve()], options);
    buffer.addEventListener('error', fail, options);
  });
}
