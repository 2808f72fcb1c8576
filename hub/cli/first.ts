import { isIPv6 } from 'node:net';
import { join, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { RunningHub } from '../hub.js';

interface Greeting {
  /** How this machine reaches the hub. */
  readonly url: string;
  /** How others do, where somebody has said so. */
  readonly name: string | undefined;
  /** Of the hub's state. */
  readonly folder: string;
  /** Whether a person reads what is greeted, and nothing keeps it. */
  readonly atTerminal: boolean;
  readonly greet: (line: string) => void;
}

/**
 * How a hub's first start gives its administrator what opens it: on the terminal; to the parent that has
 * asked for it over its channel, which is not done here; else in a file of its owner's alone. A service's
 * output is a journal, which more people read, and which is kept.
 */
export async function greetFirst(
  { firstToken, invitation, httpPort }: Pick<RunningHub, 'firstToken' | 'invitation' | 'httpPort'>,
  { url, name, folder, atTerminal, greet }: Greeting,
): Promise<void> {
  if (firstToken === null || invitation === null) return;
  const authority = join(resolve(folder), 'identity/ca.pem');
  const exports = `  export ADBREAK_HUB=${url} ADBREAK_CA=${authority} ADBREAK_TOKEN=${firstToken}`;
  // Who makes the account has a browser, and a hub's machine often none.
  const page = name === undefined ? url : `https://${isIPv6(name) ? `[${name}]` : name}:${httpPort}`;
  const { firstLink, writeFirst } = await import('../accounts/first.js');
  if (atTerminal) {
    greet(`This administrator token is shown once:\n${exports}`);
    greet(
      `The first account is made, once and until ${invitation.ends}, on\n  ${firstLink(page, invitation.code)}`,
    );
  } else if (process.send === undefined) {
    const path = await writeFirst(folder, page, invitation, exports);
    greet(`how the first administrator gets in stands in ${path}, until ${invitation.ends}`);
  }
}

/** The address of a hub, without a path behind it. */
export function httpsUrl(text: string): string {
  if (!URL.canParse(text) || new URL(text).protocol !== 'https:')
    throw new InvalidArgumentError('It must be an address such as https://hub.example:8443.');
  return new URL(text).origin;
}
