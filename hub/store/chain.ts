import { sha256 } from '@adbreak/shared/storage/atomic.js';

/** What the first link of a chain follows. */
const GENESIS = '0'.repeat(64);

/** The newest link of a log that only grows: how many there are, and the hash over all of them. */
export interface Head {
  readonly number: number;
  readonly hash: string;
}
export const NO_LINKS: Head = { number: 0, hash: GENESIS };

/** One line of such a log, and what ties it to the one before. */
export interface Link extends Head {
  readonly body: string;
  readonly previous: string;
}

/** The next link: its hash is over the hash before it and its own body, so none can be changed, taken out or put in alone. */
export function link(head: Head, body: string): Link {
  return { number: head.number + 1, body, previous: head.hash, hash: sha256(head.hash + body) };
}

/** Why a line is not the one that was written after `head`, in a sentence without a subject; null where it is. */
export function brokenBy(head: Head, { number, body, previous, hash }: Link): string | null {
  if (number !== head.number + 1)
    return `stands where number ${head.number + 1} was written: one was deleted or inserted`;
  if (previous !== head.hash)
    return 'does not follow the one before it: one was changed, deleted or inserted';
  return sha256(previous + body) === hash ? null : 'was changed: its hash is not that of its words';
}
