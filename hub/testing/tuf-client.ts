import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { BaseFetcher, Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';

const LIMIT = 10_000_000;

/** Metadata straight from the registry's folder, as the hub would hand it out. */
class FromFolder extends BaseFetcher {
  readonly #metadata: string;
  constructor(registry: string) {
    super();
    this.#metadata = join(registry, 'metadata');
  }
  override async fetch(url: string) {
    const name = new URL(url).pathname.slice(1);
    const bytes = await readLimited(join(this.#metadata, name), LIMIT);
    if (bytes === undefined) throw new DownloadHTTPError(`There is no ${name}`, 404);
    return ReadableStream.from([Uint8Array.from(bytes)]);
  }
}

/** A device's own TUF client: it remembers what it has seen, and refuses what it must. */
export interface TufClient {
  /** Looks for what is new. Rejects where the client does not take it. */
  refresh(): Promise<void>;
  /** Whether the list names a target, after a look. */
  lists(path: string): Promise<boolean>;
}

/** A client that trusts the root metadata given, and has seen nothing yet. */
export async function tufClient(registry: string, root: string): Promise<TufClient> {
  const metadataDir = await temporaryFolder();
  await writeFile(join(metadataDir, 'root.json'), root);
  const updater = () =>
    new Updater({
      metadataDir,
      metadataBaseUrl: 'http://registry',
      targetDir: metadataDir,
      fetcher: new FromFolder(registry),
    });
  return {
    refresh: () => updater().refresh(),
    lists: async (path) => (await updater().getTargetInfo(path)) !== undefined,
  };
}
