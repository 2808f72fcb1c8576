import { ROLES, type Role } from '@adbreak/shared/contract/http/access.js';
import { MOST_TOKEN_DAYS, TOKEN_DAYS, tokens } from '@adbreak/shared/contract/http/tokens.js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

/** `adbreak tokens …`: bearer tokens of people and scripts. */
export function tokenCommands(program: Command, remote: typeof withHub): void {
  const own = program.command('tokens').description('tokens of people and scripts');

  remote(own.command('create <id>'))
    .description('makes one; it is shown once')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--days <n>', 'how long it opens anything', days, TOKEN_DAYS)
    .action(async (id: string, flags: Remote & { role: Role; days: number }) =>
      print(await askHub(flags, tokens.create, { body: { id, role: flags.role, days: flags.days } })),
    );
  remote(own.command('list'))
    .description('all of them, without their secrets: whose, since when, until when')
    .option('--json', 'as JSON', false)
    .action(async (flags: Remote & { json: boolean }) => {
      const answer = await askHub(flags, tokens.list, {});
      if (flags.json) return print(answer);
      for (const one of answer.tokens) say(tokenLine(one));
    });
  remote(own.command('revoke <id>'))
    .description('ends one at once; the last one of an administrator stays')
    .action(async (id: string, flags: Remote) =>
      say(tokenLine(await askHub(flags, tokens.revoke, { params: { id } }))),
    );
}

interface Line {
  readonly id: string;
  readonly role: string;
  readonly created: string;
  readonly expires: string | null;
  readonly revoked: string | null;
  readonly standing: 'valid' | 'endless' | 'expired' | 'revoked';
}
function tokenLine(token: Line): string {
  return `${token.id}  ${token.role}  made ${token.created}, ${endOf(token)}`;
}
function endOf({ standing, expires, revoked }: Line): string {
  switch (standing) {
    case 'valid':
      return `until ${expires}`;
    case 'endless':
      return 'without an end: it is of before tokens ended; revoke it when its holder has another';
    case 'expired':
      return `expired ${expires}`;
    case 'revoked':
      return `revoked ${revoked}`;
  }
}

function days(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= MOST_TOKEN_DAYS))
    throw new InvalidArgumentError(`It must be a number of days up to ${MOST_TOKEN_DAYS}.`);
  return value;
}
