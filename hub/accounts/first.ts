import { rm } from 'node:fs/promises';
import { join } from 'node:path';
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
const written = z.object({ code: z.string().regex(/^adbreak_first_[0-9a-f]{40}$/), ends: instantSchema() });

/** What makes the first administrator, and until when. */
export interface Invitation {
  readonly code: string;
  readonly ends: string;
}

/**
 * The one-time link: it makes the first administrator, once, within an hour. Where the hub has no terminal it
 * lies in a file of the state folder, by which a hub that is started again in that hour knows it; nothing
 * else is kept of it. It is used up by there being an account.
 */
export class First {
  readonly #path: string;
  readonly #now: () => Date;
  #open: { readonly hash: string; readonly ends: number } | null = null;

  private constructor(folder: string, now: () => Date) {
    this.#path = join(folder, FIRST_FILE);
    this.#now = now;
  }

  /** Finds what an earlier start has left; a file that says nothing is as good as none. */
  static async open(folder: string, state: Readonly<HubState>, now: () => Date): Promise<First> {
    const first = new First(folder, now);
    const bytes = await readLimited(first.#path, LIMIT);
    if (bytes === undefined) return first;
    const text = Buffer.from(bytes).toString('latin1');
    const [, code] = /[?&]code=(\w+)$/m.exec(text) ?? [];
    const [, ends] = /^until (\S+)$/m.exec(text) ?? [];
    const found = written.safeParse({ code, ends });
    if (found.success && Object.keys(state.accounts).length === 0) first.#accept(found.data);
    await first.tidy();
    return first;
  }

  invite(): Invitation {
    const { secret: code } = newSecret('first');
    const invitation = { code, ends: new Date(this.#now().getTime() + LIFE_MS).toISOString() };
    this.#accept(invitation);
    return invitation;
  }

  /** Throws `token_invalid` for another code, and for all of them once it was used or has ended. */
  check(code: string): void {
    if (this.#open === null || this.#ended(this.#open) || sha256(code) !== this.#open.hash)
      throw new AdbreakError(
        'token_invalid',
        'Cannot make the first administrator: the link was used, has ended, or is none of this hub’s',
        {
          remedy:
            'An administrator makes accounts with `adbreak users add`; where there is none, `adbreak hub token` makes a token with the hub stopped.',
        },
      );
  }

  /** In the transaction that makes the account. */
  refuseSecond({ accounts }: HubState): void {
    if (Object.keys(accounts).length > 0)
      throw new AdbreakError('token_invalid', 'Cannot make the first administrator: there is an account');
  }

  /** It was used. */
  async close(): Promise<void> {
    this.#open = null;
    await this.tidy();
  }

  /** Takes the file away once it opens nothing. */
  async tidy(): Promise<void> {
    if (this.#open !== null && !this.#ended(this.#open)) return;
    this.#open = null;
    await rm(this.#path, { force: true });
  }

  #accept({ code, ends }: Invitation): void {
    this.#open = { hash: sha256(code), ends: Date.parse(ends) };
  }
  #ended({ ends }: { readonly ends: number }): boolean {
    return this.#now().getTime() >= ends;
  }
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
  { code, ends }: Invitation,
  exports: string,
): Promise<string> {
  const path = join(folder, FIRST_FILE);
  const lines = [
    'The first administrator opens this link, once, and chooses a name and a password:',
    firstLink(url, code),
    'For the command line:',
    exports,
    'This file is gone when the link was used or has ended.',
    `until ${ends}`,
  ];
  await writeAtomic(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  return path;
}

export function firstLink(url: string, code: string): string {
  return `${url}/first?code=${code}`;
}
