import { join, resolve } from 'node:path';
import type { RunningHub } from '../hub.js';

interface Greeting {
  readonly url: string;
  /** Of the hub's state. */
  readonly folder: string;
  /** Whether a person reads what is greeted, and nothing keeps it. */
  readonly atTerminal: boolean;
  readonly greet: (line: string) => void;
}

/**
 * How a hub's first start gives its administrator what opens it: on the terminal; to the parent that has asked
 * for it over its channel, which is not done here; else in a file of its owner's alone. A service's output is
 * a journal, which more people read, and which is kept.
 */
export async function greetFirst(
  { firstToken, invitation }: Pick<RunningHub, 'firstToken' | 'invitation'>,
  { url, folder, atTerminal, greet }: Greeting,
): Promise<void> {
  if (firstToken === null || invitation === null) return;
  const authority = join(resolve(folder), 'identity/ca.pem');
  const exports = `  export ADBREAK_HUB=${url} ADBREAK_CA=${authority} ADBREAK_TOKEN=${firstToken}`;
  const { firstLink, writeFirst } = await import('../accounts/first.js');
  if (atTerminal) {
    greet(`This administrator token is shown once:\n${exports}`);
    greet(`The first account is made, once and until ${invitation.ends}, on\n  ${firstLink(url, invitation.code)}`);
  } else if (process.send === undefined) {
    const path = await writeFirst(folder, url, invitation, exports);
    greet(`how the first administrator gets in stands in ${path}, until ${invitation.ends}`);
  }
}
