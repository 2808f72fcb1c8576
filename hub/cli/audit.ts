import { AUDIT_PAGE, type AuditLine, audit } from '@adbreak/shared/contract/http/audit.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Command, InvalidArgumentError } from 'commander';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

interface ListFlags extends Remote {
  since?: string;
  who?: string;
  what?: string;
  subject?: string;
  most: number;
  json: boolean;
}

/** `adbreak audit …`: who has changed what, who was refused, and whether the log is as it was written. */
export function auditCommands(program: Command, remote: typeof withHub): void {
  const own = program.command('audit').description('who has changed what, and who was refused');

  remote(own.command('list'))
    .description('the newest first; needs the role admin')
    .option('--since <when>', 'an instant such as 2026-01-31T12:00:00Z, or so long ago: 90m, 24h, 7d', since)
    .option('--who <name>', 'token:first, or the end of it: first')
    .option('--what <kind>', 'device.set, its begin (device) or its end (refused)')
    .option('--subject <text>', 'a part of what it was done to')
    .option('--most <n>', 'so many at most', most, 100)
    .option('--json', 'a line of JSON each', false)
    .action(list);
  own
    .command('verify')
    .description(
      'beside a hub, running or not: whether every entry is as it was written, and none is missing',
    )
    .option('--state <dir>', 'folder of its state', '.work/hub')
    .option('--holds <number:hash>', 'an entry that was noted down before must still be there')
    .option('--json', 'as JSON', false)
    .action(verify);
}

async function list(flags: ListFlags): Promise<void> {
  const { since, who, what, subject } = flags;
  const asked = {
    ...(since !== undefined && { since }),
    ...(who !== undefined && { who }),
    ...(what !== undefined && { what }),
    ...(subject !== undefined && { subject }),
  };
  let left = flags.most;
  for (let before: number | undefined; left > 0; ) {
    const query = { ...asked, limit: Math.min(left, AUDIT_PAGE), ...(before !== undefined && { before }) };
    const { entries, next } = await askHub(flags, audit.list, { query });
    for (const entry of entries) {
      if (flags.json) console.log(JSON.stringify(entry));
      else say(lineOf(entry));
    }
    left -= entries.length;
    if (next === null) return;
    before = next;
  }
}

function lineOf({ number, at, who, from, what, subject, before, after }: AuditLine): string {
  const where = from === null ? '' : ` at ${from}`;
  const change = [before, after].filter((one) => one !== undefined).map((one) => JSON.stringify(one));
  return [`${number}  ${at}  ${who}${where}: ${what} ${subject}`, change.join(' → ')]
    .filter(Boolean)
    .join('  ');
}

interface VerifyFlags {
  state: string;
  holds?: string;
  json: boolean;
}
async function verify({ state, holds, json }: VerifyFlags): Promise<void> {
  const { auditLinks } = await import('../store/audit.js');
  const noted = holds === undefined ? null : notedOf(holds);
  let newest = { entries: 0, hash: '' };
  let isThere = noted === null;
  for await (const { number, hash } of auditLinks(state)) {
    newest = { entries: number, hash };
    if (number === noted?.number) isThere = hash === noted.hash;
  }
  if (!isThere)
    throw new AdbreakError(
      'state_corrupt',
      `Cannot trust the audit log in ${state}: its entry ${noted?.number} is not the one that was noted down`,
      { remedy: 'Somebody has written all of it anew: compare it with a backup.' },
    );
  if (json) return print(newest);
  say(`${newest.entries} entries, each as it was written`);
  if (newest.entries > 0)
    say(`note this down elsewhere, for --holds the next time: ${newest.entries}:${newest.hash}`);
}

function notedOf(text: string): { readonly number: number; readonly hash: string } {
  const [, number, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number === undefined || hash === undefined)
    throw new AdbreakError(
      'input_invalid',
      `Cannot look for ${JSON.stringify(text)}: it is not NUMBER:HASH`,
      {
        remedy: 'Give what `adbreak audit verify` has said before.',
      },
    );
  return { number: Number(number), hash };
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
/** An instant, or how long ago. */
function since(text: string): string {
  const [, n, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const length = UNITS[unit];
  const at = length === undefined ? Date.parse(text) : Date.now() - Number(n) * length;
  if (Number.isNaN(at)) throw new InvalidArgumentError('It must be an instant, or 90m, 24h, 7d.');
  return new Date(at).toISOString();
}

function most(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}
