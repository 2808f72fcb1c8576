import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { httpsUrl } from './first.js';

const STATE = ['--state <dir>', 'folder of its state', '.work/hub'] as const;
const now = () => new Date();

/** `adbreak hub token`, `hub first-link`: how an administrator gets in who has lost what the first start gave. */
export function wayInCommands(hub: Command): void {
  hub
    .command('token')
    .description('a new administrator token for a hub that is stopped: the one of its first start was lost')
    .option(...STATE)
    .action(token);
  hub
    .command('first-link')
    .description(
      'another one-time link for the first account, for an hour; the hub may run meanwhile, and has no account yet',
    )
    .option(...STATE)
    .option('--url <url>', 'how a browser reaches the hub', httpsUrl, 'https://localhost:8443')
    .action(firstLinkFor);
}

async function token({ state }: { state: string }): Promise<void> {
  const { makeAdminToken } = await import('../token.js');
  const made = await makeAdminToken(state, now, (line) => console.error(line));
  const authority = join(resolve(state), 'identity/ca.pem');
  console.log(
    `The administrator token ${made.id} is shown once:\n  export ADBREAK_CA=${authority} ADBREAK_TOKEN=${made.token}`,
  );
}

async function firstLinkFor({ state, url }: { state: string; url: string }): Promise<void> {
  const { makeFirstLink } = await import('../first-link.js');
  const { firstLink } = await import('../accounts/first.js');
  const { code, ends } = await makeFirstLink(state, now);
  console.log(`The first account is made, once and until ${ends}, on\n  ${firstLink(url, code)}`);
}
