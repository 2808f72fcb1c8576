import { rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { instantSchema } from '@adbreak/shared/contract/instant.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { newSecret, newToken } from '../identity/secrets.js';
import type { HubState } from '../store/state.js';
import { FIRST_FILE } from '../store/state-folder.js';
import type { Store } from '../store/store.js';

const LIFE_MS = 3_600_000;
const LIMIT = 4096;
const written = z.object({
  /** SHA-256 of the code. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  ends: instantSchema(),
});
type Open = z.infer<typeof written>;

/** What makes the first administrator, and until when. */
export interface Invitation {
  readonly code: string;
  readonly ends: string;
}

/**
 * The one-time link: it makes the first administrator, once, within an hour. It opens what its file in the
 * state folder says, and nothing is kept of it in memory: so it lives through a restart, and one that was made
 * from beside the hub (`adbreak hub first-link`) is known without one. The file has the hash of the code; the
 * link itself only where nobody sat at a terminal. It is used up by there being an account.
 */
export class First {
  readonly #path: string;
  readonly #now: () => Date;

  private constructor(folder: string, now: () => Date) {
    this.#path = join(resolve(folder), FIRST_FILE);
    this.#now = now;
  }

  /** Of a hub that somebody else runs, or nobody. */
  static at(folder: string, now: () => Date): First {
    return new First(folder, now);
  }

  /** The hub's own; takes away what opens nothing any more. */
  static async open(folder: string, { accounts }: Readonly<HubState>, now: () => Date): Promise<First> {
    const first = new First(folder, now);
    if (Object.keys(accounts).length > 0) await first.close();
    else await first.tidy();
    return first;
  }

  /** Makes the link; what there was of one before opens nothing from now on. */
  async invite(): Promise<Invitation> {
    const { secret: code } = newSecret('first');
    const invitation = { code, ends: new Date(this.#now().getTime() + LIFE_MS).toISOString() };
    await writeAtomic(this.#path, textOf(invitation, SHOWN), { mode: 0o600 });
    return invitation;
  }

  /** Throws `token_invalid` for another code, and for all of them once it was used or has ended. */
  async check(code: string): Promise<void> {
    const open = await this.#read();
    if (open === null || this.#ended(open) || sha256(code) !== open.hash)
      throw new AdbreakError(
        'token_invalid',
        'Cannot make the first administrator: the link was used, has ended, or is none of this hub’s',
        {
          remedy:
            'On the hub’s machine `adbreak hub first-link --state DIR` makes another one while there is no account; where there is one, an administrator makes more with `adbreak users add`.',
        },
      );
  }

  /** In the transaction that makes the account. */
  refuseSecond({ accounts }: HubState): void {
    if (Object.keys(accounts).length > 0)
      throw new AdbreakError('token_invalid', 'Cannot make the first administrator: there is an account');
  }

  /** It was used. */
  close(): Promise<void> {
    return rm(this.#path, { force: true });
  }

  /** Takes the file away once it opens nothing. */
  async tidy(): Promise<void> {
    const before = await modified(this.#path);
    const open = await this.#read();
    if (open !== null && !this.#ended(open)) return;
    // One that was written meanwhile from beside is another one.
    if ((await modified(this.#path)) === before) await this.close();
  }

  /** A file that says nothing is as good as none. */
  async #read(): Promise<Open | null> {
    const bytes = await readLimited(this.#path, LIMIT);
    if (bytes === undefined) return null;
    const text = Buffer.from(bytes).toString('latin1');
    const [, hash] = /^hash ([0-9a-f]+)$/m.exec(text) ?? [];
    const [, ends] = /^until (\S+)$/m.exec(text) ?? [];
    return written.safeParse({ hash, ends }).data ?? null;
  }
  #ended({ ends }: Open): boolean {
    return this.#now().getTime() >= Date.parse(ends);
  }
}

async function modified(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.mtimeMs ?? null;
}

/** Where the link stands on a screen, its file has what proves it and nothing that opens anything. */
const SHOWN = ['A link that makes the first administrator was shown to whoever made it; here is its hash.'];

function textOf({ code, ends }: Invitation, words: readonly string[]): string {
  const last = [
    'This file is gone when the link was used or has ended.',
    `hash ${sha256(code)}`,
    `until ${ends}`,
  ];
  return [...words, ...last].map((line) => `${line}\n`).join('');
}

/** The administrator's token of a hub that has none yet; null where it has one. */
export async function makeFirstToken(store: Store, now: Date): Promise<string | null> {
  if (store.state.tokens.length > 0) return null;
  const { secret, row } = newToken('first', 'admin', now);
  await store.change((state) => void state.tokens.push(row), {
    who: 'hub',
    what: 'token.create',
    subject: 'first',
  });
  return secret;
}

/** What a person reads who has no terminal of the hub, for its owner alone. The path of the file. */
export async function writeFirst(
  folder: string,
  url: string,
  invitation: Invitation,
  exports: string,
): Promise<string> {
  const path = join(resolve(folder), FIRST_FILE);
  const words = [
    'The first administrator opens this link, once, and chooses a name and a password:',
    firstLink(url, invitation.code),
    'For the command line:',
    exports,
  ];
  await writeAtomic(path, textOf(invitation, words), { mode: 0o600 });
  return path;
}

export function firstLink(url: string, code: string): string {
  return `${url}/first?code=${code}`;
}
