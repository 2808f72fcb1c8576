import type { AnswerOf, AskedBy, JsonContract } from '@adbreak/shared/contract/http/contract.js';
import { printable } from '@adbreak/shared/errors.js';
import type { Command } from 'commander';
import { callBy, callHub, type HubRequest, hubAddress } from './client.js';

/** Flags of every command that talks to a hub. */
export interface Remote {
  hub?: string;
  token?: string;
  ca?: string;
}
export function remote(command: Command): Command {
  return command
    .option('--hub <url>', 'address of the hub (ADBREAK_HUB)')
    .option('--token <token>', 'bearer token (ADBREAK_TOKEN)')
    .option('--ca <file>', "the fleet authority's certificate (ADBREAK_CA)");
}

export async function call(flags: Remote, path: string, request?: HubRequest): Promise<unknown> {
  return callHub(await hubAddress(flags), path, request);
}
/** The same by a contract, whose schemas say what is asked and answered. */
export async function askHub<const C extends JsonContract>(
  flags: Remote,
  contract: C,
  asked: AskedBy<C>,
): Promise<AnswerOf<C>> {
  return callBy(await hubAddress(flags), contract, asked);
}
export function print(value: unknown): void {
  say(JSON.stringify(value, null, 2));
}
/** What comes from a hub, on a terminal: its lines stay, its control characters do not act. */
export function say(text: string): void {
  console.log(printable(text, { lines: true }));
}
