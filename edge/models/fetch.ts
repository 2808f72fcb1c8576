import { mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { instantSchema } from '@adbreak/shared/contract/instant.js';
import { MANIFEST_LIMIT, MODEL_LIMIT, manifest } from '@adbreak/shared/contract/manifest.js';
import type { ModelRef } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain, systemCode } from '@adbreak/shared/errors.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import {
  exists,
  readLimited,
  sha256,
  storageError,
  syncFile,
  syncFolder,
  writeAtomic,
} from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { type TargetFile, Updater } from 'tuf-js';
import { z } from 'zod';
import type { Identity } from '../identity/identity.js';
import type { ModelFile } from '../inference/child.js';
import { HubFetcher } from './hub-fetcher.js';
import { metadataFault } from './metadata-fault.js';
import { openModelFile } from './model-file.js';
import { ROOT_LIMIT } from './root-keys.js';

/** Kept free for everything else on the card. */
const RESERVE_BYTES = 8 * 1024 * 1024;
/** What tuf-js takes at most of the largest of its files. */
const METADATA_LIMIT = 5_000_000;
const endingSchema = z.object({ signed: z.object({ expires: instantSchema() }) });
/** What a failing card or a broken file system answers to a read. */
const UNREADABLE = ['EIO', 'EBADMSG', 'EUCLEAN', 'EISDIR', 'ENOTDIR'];

/** Models on this device: fetched as TUF targets, verified, staged under their digest, or not there at all. */
export class ModelStore {
  readonly #folder: string;
  readonly #identity: Identity;
  readonly #hub: string;
  readonly #now: () => number;
  readonly #downloading = new Set<string>();
  /** tuf-js writes what it takes into one folder, and reads it again: two at once would read each other's halves. */
  readonly #metadata = new SerialRunner();

  /** `now` says by which time signed metadata has ended, milliseconds: at least the hub's own, where that is known. */
  constructor(folder: string, identity: Identity, hub: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#identity = identity;
    this.#hub = hub;
    this.#now = now;
  }

  /** The model, from disk when it is whole there, else from the hub. An agent that stops waits for no hub. */
  async obtain(name: string, model: ModelRef, signal?: AbortSignal): Promise<ModelFile> {
    return (await this.#onDisk(model)) ?? (await this.#download(name, model, signal));
  }

  /** Deletes every other model, and what a power cut left of a download or a deletion. What cannot be deleted is told to the log. */
  async deleteAllBut(kept: ReadonlySet<string>, log: (line: string) => void): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const [, mark, digest] = /^(\.staging-|\.deleted-)?([0-9a-f]{64})$/.exec(name) ?? [];
      if (
        digest === undefined ||
        (mark === undefined && kept.has(digest)) ||
        (mark === '.staging-' && this.#downloading.has(digest))
      )
        continue;
      try {
        await this.#delete(name, digest);
        if (mark === undefined) log(`models: ${digest.slice(0, 12)} is needed no more and was deleted`);
      } catch (error) {
        log(`models: cannot delete ${join(this.#folder, name)}: ${explain(error)}`);
      }
    }
  }

  /** The root metadata that this device trusts: the newest that was fetched, else the one of its enrolment. */
  async trustedRoot(): Promise<Uint8Array | string> {
    return (await readLimited(join(this.#metadataFolder, 'root.json'), ROOT_LIMIT)) ?? this.#identity.root;
  }

  /**
   * Fetches the roots that follow the trusted one. What is wrong with the other metadata does not matter here: a root is
   * kept as soon as it is taken.
   */
  async followRoot(signal?: AbortSignal): Promise<void> {
    await using hub = new HubClient(this.#hub, this.#identity);
    const fetcher = new HubFetcher(hub, 'look for newer root metadata', signal);
    try {
      await this.#metadata.run(() => this.#opened(fetcher).then((updater) => updater.refresh()));
    } catch (error) {
      if (fetcher.failure !== null) throw fetcher.failure;
      if (error instanceof AdbreakError) throw error;
    }
  }

  /** After an enrolment elsewhere, or anew: what was trusted of the hub before counts no more. */
  async forgetMetadata(): Promise<void> {
    await rm(this.#metadataFolder, { recursive: true, force: true });
  }

  /** Under another name first: a power cut must not leave half a model under its digest. */
  async #delete(name: string, digest: string): Promise<void> {
    const doomed = join(this.#folder, `.deleted-${digest}`);
    if (name === digest) {
      await rm(doomed, { recursive: true, force: true });
      await rename(join(this.#folder, name), doomed);
      await syncFolder(this.#folder);
    }
    await rm(name === digest ? doomed : join(this.#folder, name), { recursive: true, force: true });
  }

  async #onDisk({ digest }: ModelRef): Promise<ModelFile | null> {
    const folder = join(this.#folder, digest);
    if (!(await exists(folder))) return null;
    try {
      const bytes = await readLimited(join(folder, 'model.tflite'), MODEL_LIMIT);
      const file = await openModelFile(folder);
      if (bytes !== undefined && sha256(bytes) === digest && file.manifest.digest === digest) return file;
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    // The card has damaged the model or its manifest, or lost one of them: fetch both again rather than run it or stay dark.
    await this.#delete(digest, digest);
    return null;
  }

  async #download(name: string, model: ModelRef, signal: AbortSignal | undefined): Promise<ModelFile> {
    await using hub = new HubClient(this.#hub, this.#identity);
    const staging = join(this.#folder, `.staging-${model.digest}`);
    this.#downloading.add(model.digest);
    try {
      await mkdir(staging, { recursive: true });
      const fetcher = new HubFetcher(hub, `take ${name} ${model.version}`, signal);
      const { updater, manifestTarget, modelTarget } = await this.#signed(fetcher, name, model);
      await this.#requireSpace(modelTarget.length);
      await updater.downloadTarget(manifestTarget, join(staging, 'manifest.json'));
      await updater.downloadTarget(modelTarget, join(staging, 'model.tflite'));
      const bytes = (await readLimited(join(staging, 'manifest.json'), MANIFEST_LIMIT)) ?? '';
      const facts = parseJson(
        manifest,
        bytes,
        MANIFEST_LIMIT,
        `the manifest of ${name} ${model.version}`,
        'manifest_forged',
      );
      if (
        facts.digest !== model.digest ||
        facts.digest !== modelTarget.hashes['sha256'] ||
        facts.version !== model.version
      ) {
        throw new AdbreakError(
          'manifest_forged',
          `Cannot take ${name} ${model.version}: the manifest names ${facts.version} ${facts.digest.slice(0, 12)}, the signed metadata ${modelTarget.hashes['sha256']?.slice(0, 12)}, the assignment ${model.digest.slice(0, 12)}`,
        );
      }
      // tuf-js does not: after a power cut the name would be there, and nothing in it.
      for (const file of ['manifest.json', 'model.tflite']) await syncFile(join(staging, file));
      await syncFolder(staging);
      const folder = join(this.#folder, model.digest);
      await rename(staging, folder);
      await syncFolder(this.#folder);
      return openModelFile(folder);
    } catch (cause) {
      throw refusal(storageError(cause, staging), name, model);
    } finally {
      this.#downloading.delete(model.digest);
      await rm(staging, { recursive: true, force: true });
    }
  }

  /** What the signed metadata says of the model. */
  async #signed(fetcher: HubFetcher, name: string, model: ModelRef) {
    try {
      const updater = await this.#updater(fetcher);
      const manifestTarget = await target(updater, `${name}/${model.version}/manifest.json`);
      const modelTarget = await target(updater, `${name}/${model.version}/model.tflite`);
      return { updater, manifestTarget, modelTarget };
    } catch (error) {
      throw metadataFault(storageError(error, this.#folder), fetcher.failure, name, model);
    }
  }

  get #metadataFolder(): string {
    return join(this.#folder, 'tuf');
  }

  #updater(fetcher: HubFetcher): Promise<Updater> {
    return this.#metadata.run(async () => {
      const updater = await this.#opened(fetcher);
      await updater.refresh();
      await this.#requireInTime();
      return updater;
    });
  }

  /** tuf-js asks the system's clock, which may be behind. What it has kept by now is verified. */
  async #requireInTime(): Promise<void> {
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
      const path = join(this.#metadataFolder, `${role}.json`);
      const { signed } = (await readJson(endingSchema, path, METADATA_LIMIT)) ?? {};
      if (signed === undefined || Date.parse(signed.expires) <= this.#now())
        throw new AdbreakError(
          'metadata_invalid',
          `Cannot use the signed metadata: that of ${role} ended at ${signed?.expires}, and the hub has signed later times since`,
        );
    }
  }

  async #opened(fetcher: HubFetcher): Promise<Updater> {
    const metadataDir = this.#metadataFolder;
    const fromTheDisk = () =>
      new Updater({
        metadataDir,
        metadataBaseUrl: new URL('/tuf/metadata', this.#hub).href,
        targetDir: this.#folder,
        targetBaseUrl: new URL('/tuf/targets', this.#hub).href,
        fetcher,
      });
    try {
      return fromTheDisk();
    } catch {
      // Not there yet, or damaged: the one of the enrolment is trusted as well, and from it on every newer one is fetched.
      await writeAtomic(join(metadataDir, 'root.json'), this.#identity.root);
      return fromTheDisk();
    }
  }

  async #requireSpace(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    const need = 2 * bytes + RESERVE_BYTES;
    if (bavail * bsize < need)
      throw new AdbreakError(
        'disk_full',
        `Cannot download into ${this.#folder}: ${Math.floor((bavail * bsize) / 1024)} KiB are free, ${Math.ceil(need / 1024)} KiB are needed`,
      );
  }
}

/** A file that is not what was written; not a process without a file handle or memory to read it. */
function isDamage(error: unknown): boolean {
  return error instanceof AdbreakError || UNREADABLE.includes(systemCode(error) ?? '');
}

async function target(updater: Updater, path: string): Promise<TargetFile> {
  const info = await updater.getTargetInfo(path);
  if (info === undefined)
    throw new AdbreakError('not_found', `Cannot take ${path}: the signed metadata does not list it`);
  return info;
}

/** tuf-js throws errors of its own kinds; here they get our codes and the model's name. */
function refusal(error: unknown, name: string, { version }: ModelRef): unknown {
  if (error instanceof AdbreakError) return error;
  const kind = error instanceof Error ? error.constructor.name : '';
  if (/^(DownloadLengthMismatchError|LengthOrHashMismatchError)$/.test(kind))
    return new AdbreakError(
      'manifest_forged',
      `Cannot take ${name} ${version}: what was downloaded is not what was signed`,
      {
        cause: error,
      },
    );
  return new AdbreakError('hub_unreachable', `Cannot take ${name} ${version}`, { cause: error });
}
