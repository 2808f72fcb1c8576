import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LabelSession, PieceMade } from '@adbreak/shared/contract/labelling.js';
import { explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { isLoopback } from './access.js';
import { Analyses } from './analyses.js';
import type { LabelBook } from './book.js';
import { Desk } from './desk.js';
import { DiskCache } from './disk-cache.js';
import { save } from './exports.js';
import { Feed } from './feed.js';
import { modelFor } from './judged.js';
import { Library } from './library.js';
import { Media } from './media.js';
import { openBook } from './open-book.js';
import { LabelServer } from './server.js';
import { Spots } from './spots.js';

export interface ServeOptions {
  readonly videoDir: string;
  readonly outputDir: string;
  readonly host: string;
  readonly port: number;
  /** A folder of a model; without it the one that is kept, if there is one. */
  readonly model?: string;
  /** Who is offered on the page beside those that have labelled already. */
  readonly labeller?: string;
  /** What `adbreak recurrence scan --format json` wrote; without it that command is run. */
  readonly spots?: string;
  readonly version: string;
  readonly say: (line: string) => void;
  /** Hears the address once the page is there. */
  readonly onUrl: (url: string) => void;
}

/** Pieces and pictures on the disk: three hours as pieces are about one GB. */
const CACHE_BYTES = 4 * 1024 ** 3;
const RESCAN_MS = 10_000;
/** Who asks for the list gets what was seen so lately, without another look. */
const FRESH_MS = 1000;
const RECURRENCE = fileURLToPath(new URL('../../../edge/dist/recurrence.js', import.meta.url));

/** Serves the labelling page until the signal comes. Throws as its parts do when they open. */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const { outputDir, say } = options;
  const library = new Library(options.videoDir, say);
  await library.rescan(signal);
  const feed = new Feed();
  await using opened = await openBook({
    outputDir,
    library,
    say,
    onChange: (changed) => feed.labels(changed),
  });
  const { book } = opened;
  const cacheFolder = join(outputDir, '.cache');
  const cache = await DiskCache.open(join(cacheFolder, 'media'), CACHE_BYTES, say);
  const model = await modelFor(options.model);
  await using spots = await Spots.open({
    ...{ file: options.spots, program: RECURRENCE, folder: cacheFolder, version: options.version, say },
    onChange: () => feed.tell('spots', {}),
  });
  const tellOf = (id: string) => {
    const recording = library.recordings.find((one) => one.id === id);
    if (recording !== undefined) feed.tell('recording', desk.recording(recording));
  };
  await using analyses = new Analyses({
    library,
    folder: join(cacheFolder, 'signals'),
    model,
    say,
    onChange: tellOf,
  });
  const onPiece = (recording: string, piece: number) =>
    feed.tell('piece', { recording, piece } satisfies PieceMade);
  await using media = new Media({ library, cache, say, onPiece });
  const desk = new Desk({ library, analyses, spots, book });
  const watched = new Watched(library, (ids, all) => {
    analyses.add(all);
    spots.scan(all);
    for (const id of ids) tellOf(id);
  });
  await using saving = new SerialRunner();
  const served = {
    ...{ desk, media, book, feed },
    session: () => sessionOf(options, book, model !== null, spots),
    rescan: () => watched.look(FRESH_MS),
    // One after the other: two would write the same files.
    save: () =>
      saving.run(() =>
        save({
          labels: book.labels,
          recordings: library.recordings,
          folder: outputDir,
          frames: (id) => media.frames(id),
        }),
      ),
  };
  const { host, port } = options;
  const token = isLoopback(host) ? null : randomBytes(24).toString('base64url');
  await using server = await LabelServer.start({ host, port, token, served, say });
  options.onUrl(server.url);
  analyses.add(library.recordings);
  spots.scan(library.recordings);
  const timer = setInterval(() => void watched.look(0).catch((error) => say(explain(error))), RESCAN_MS);
  // It may have come while the parts opened: an aborted signal says nothing any more.
  if (!signal.aborted)
    await new Promise<void>((ended) => signal.addEventListener('abort', () => ended(), { once: true }));
  clearInterval(timer);
  feed[Symbol.dispose]();
}

function sessionOf(options: ServeOptions, book: LabelBook, hasModel: boolean, spots: Spots): LabelSession {
  const { labeller, outputDir, videoDir, version } = options;
  const labellers = [...new Set([...(labeller === undefined ? [] : [labeller]), ...book.labels.labellers])];
  return { labellers, outputDir, videoDir, hasModel, recurrence: spots.state, version };
}

/** Looks for new recordings, one look at a time. */
class Watched {
  readonly #library: Library;
  readonly #onNew: (ids: readonly string[], all: Library['recordings']) => void;
  #last = performance.now();
  #looking: Promise<void> | null = null;

  constructor(library: Library, onNew: (ids: readonly string[], all: Library['recordings']) => void) {
    this.#library = library;
    this.#onNew = onNew;
  }

  async look(freshMs: number): Promise<void> {
    if (performance.now() - this.#last < freshMs) return;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
      this.#last = performance.now();
    });
    await this.#looking;
  }

  async #look(): Promise<void> {
    const changed = await this.#library.rescan();
    if (changed.length > 0)
      this.#onNew(
        changed.map(({ id }) => id),
        this.#library.recordings,
      );
  }
}
