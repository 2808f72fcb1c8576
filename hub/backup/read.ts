import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain, systemCode } from '@adbreak/shared/errors.js';
import { createTarDecoder, type ParsedTarEntry } from 'modern-tar';
import {
  type Entry,
  FORMAT,
  HEADER,
  type Header,
  headerSchema,
  limitOf,
  MANIFEST,
  MOST_ENTRIES,
  manifestSchema,
  pathOf,
  tableOf,
} from './format.js';

/** Rows of a fleet that says the same every hour come to a hundredth; gzip could come to a thousandth. */
const MOST_RATIO = 250;
const RATIO_FROM = 64 * 1024 * 1024;

export interface ReadEntry {
  readonly name: string;
  readonly bytes: number;
  /** To be read to its end before the next entry is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}
export interface OpenBackup {
  readonly header: Header;
  /** The entries after the header. It ends only where all of them are what the manifest says; else it throws. */
  readonly entries: AsyncGenerator<ReadEntry>;
}

/**
 * Opens a backup. Nothing of it can be trusted before its last entry was read: who unpacks does it in a place where
 * nobody looks. Throws `input_invalid` for what is none, `conflict` for a newer hub's, `state_corrupt` where it is
 * damaged or cut off, and `input_too_large` where it unpacks to more than any backup does.
 */
export async function openBackup(path: string, signal: AbortSignal): Promise<OpenBackup> {
  const all = readEntries(path, signal);
  try {
    return { header: await readHeader(path, all), entries: all };
  } catch (error) {
    await all.return(undefined);
    throw error;
  }
}

async function readHeader(path: string, entries: AsyncGenerator<ReadEntry>): Promise<Header> {
  const first = await entries.next();
  if (first.done || first.value.name !== HEADER) throw foreign(path, 'it does not begin as a backup does');
  const bytes = await collect(first.value.body);
  const { format } = parseJson(known, bytes, limitOf(HEADER), `${path}: ${HEADER}`);
  if (format > FORMAT)
    throw new AdbreakError('conflict', `Cannot restore ${path}: a newer hub wrote it (format ${format})`, {
      remedy: 'Restore it with the program that wrote it, or a newer one; nothing was changed.',
    });
  return parseJson(headerSchema, bytes, limitOf(HEADER), `${path}: ${HEADER}`);
}
const known = headerSchema.pick({ adbreak: true, format: true });

async function* readEntries(path: string, signal: AbortSignal): AsyncGenerator<ReadEntry> {
  const seen: Entry[] = [];
  const names = new Set<string>();
  const reader = Readable.toWeb(unzipped(path, signal))
    .pipeThrough(createTarDecoder({ strict: true }))
    .getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw damaged(path, 'it ends too early: its manifest is missing');
      const { name, size } = checkHeader(path, value, names);
      const hash = createHash('sha256');
      if (name === MANIFEST) {
        compare(path, await collect(value.body), seen);
        if (!(await reader.read()).done) throw damaged(path, 'there is something after its manifest');
        return;
      }
      yield { name, bytes: size, body: hashed(path, value, hash) };
      seen.push({ name, bytes: size, sha256: hash.digest('hex') });
    }
  } catch (error) {
    throw coded(path, error, names.size === 0);
  } finally {
    // Whatever ended it has been told.
    await reader.cancel().catch(() => undefined);
  }
}

function unzipped(path: string, signal: AbortSignal): Readable {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  let bytes = 0;
  const guard = new Transform({
    transform(chunk: Uint8Array, _, done) {
      bytes += chunk.length;
      if (bytes > RATIO_FROM && bytes > MOST_RATIO * Math.max(1, gunzip.bytesWritten))
        done(
          new AdbreakError(
            'input_too_large',
            `Cannot restore ${path}: it unpacks to more than ${MOST_RATIO} times its size, which no backup does`,
            { remedy: 'It was made to fill a disk: do not use it.' },
          ),
        );
      else done(null, chunk);
    },
  });
  // What goes wrong ends the last of them with its reason, and there it is heard.
  pipeline(source, gunzip, guard, { signal }).catch(() => undefined);
  return guard;
}

function checkHeader(
  path: string,
  { header }: ParsedTarEntry,
  names: Set<string>,
): { name: string; size: number } {
  const { name, size, type } = header;
  const isKnown = name === HEADER || name === MANIFEST || tableOf(name) !== null || pathOf(name) !== null;
  if (!isKnown || (type ?? 'file') !== 'file')
    throw foreign(path, `it holds ${JSON.stringify(name.slice(0, 200))}, which no backup does`);
  if (names.has(name)) throw foreign(path, `it holds ${name} twice`);
  names.add(name);
  if (names.size > MOST_ENTRIES) throw foreign(path, `it has more than ${MOST_ENTRIES} entries`);
  if (size > limitOf(name))
    throw new AdbreakError(
      'input_too_large',
      `Cannot restore ${path}: ${name} has ${size} bytes, at most ${limitOf(name)}`,
    );
  return { name, size };
}

async function* hashed(
  path: string,
  { body }: ParsedTarEntry,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    throw coded(path, error, false);
  }
}

function compare(path: string, manifest: Uint8Array, seen: readonly Entry[]): void {
  const { entries } = parseJson(
    manifestSchema,
    manifest,
    limitOf(MANIFEST),
    `${path}: ${MANIFEST}`,
    'state_corrupt',
  );
  for (const [i, { name, bytes, sha256 }] of entries.entries()) {
    const found = seen[i];
    if (found?.name !== name) throw damaged(path, `${name} is missing`);
    if (found.bytes !== bytes || found.sha256 !== sha256)
      throw damaged(path, `${name} is not what was written: its SHA-256 is another one`);
  }
  if (seen.length > entries.length) throw damaged(path, `its manifest does not name ${seen.at(-1)?.name}`);
}

/** The whole of an entry; its length was checked before. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function foreign(path: string, why: string, cause?: unknown): AdbreakError {
  return new AdbreakError('input_invalid', `Cannot restore ${path}: it is no backup of a hub: ${why}`, {
    cause,
    remedy: 'Give a file that `adbreak hub backup` wrote; nothing was changed.',
  });
}
function damaged(path: string, why: string, cause?: unknown): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot restore ${path}: it is damaged: ${why}`, {
    cause,
    remedy: 'Take another copy of it, or the backup before it; nothing was changed.',
  });
}

/** What zlib, tar and the disk say of a file, in the words of a restore. `nothing`: no entry of it could be read. */
function coded(path: string, error: unknown, nothing: boolean): unknown {
  if (error instanceof AdbreakError) return error;
  const code = systemCode(error);
  if (code === 'ENOENT')
    return new AdbreakError('not_found', `Cannot restore ${path}: there is no such file`, {
      cause: error,
      remedy: 'Name the file that `adbreak hub backup` wrote.',
    });
  if (error instanceof Error && error.name === 'AbortError') return error;
  if (code !== undefined && !code.startsWith('Z_')) return error;
  if (code === 'Z_BUF_ERROR') return damaged(path, 'its end is missing', error);
  // What begins as gzip does and then cannot be unpacked is damaged, wherever in it that shows.
  const unpacking = code?.startsWith('Z_') === true && !/incorrect header check/.test(explain(error));
  return nothing && !unpacking
    ? foreign(path, 'it is no gzipped tar', error)
    : damaged(path, 'it cannot be unpacked', error);
}
