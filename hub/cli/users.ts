import { ROLES, type Role } from '@adbreak/shared/contract/http/access.js';
import { accounts } from '@adbreak/shared/contract/http/accounts.js';
import { type Command, Option } from 'commander';
import { askPassword } from './ask-password.js';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

const GENERATE = ['--generate', 'the hub makes the password up, and it is shown once', false] as const;

/** `adbreak users …`: accounts of people, who sign in on the hub's pages. */
export function userCommands(program: Command, remote: typeof withHub): void {
  const own = program.command('users').description('accounts of people, who sign in on the hub’s pages');

  remote(own.command('add <name>'))
    .description('makes one; asks for the password')
    .addOption(new Option('--role <role>', 'what they may do').choices(ROLES).makeOptionMandatory())
    .option(...GENERATE)
    .action(async (name: string, flags: Remote & { role: Role; generate: boolean }) => {
      const password = flags.generate ? null : await askPassword(name);
      tell(await askHub(flags, accounts.add, { body: { name, role: flags.role, password } }));
    });
  remote(own.command('list'))
    .description('all of them: what they may do, and when they signed in last')
    .option('--json', 'as JSON', false)
    .action(async (flags: Remote & { json: boolean }) => {
      const answer = await askHub(flags, accounts.list, {});
      if (flags.json) return print(answer);
      for (const one of answer.users) say(accountLine(one));
    });
  remote(own.command('role'))
    .description('changes what one may do; the sessions of the account end')
    .argument('<name>')
    .addArgument(program.createArgument('<role>', 'what they may do').choices(ROLES))
    .action(async (name: string, role: Role, flags: Remote) =>
      say(accountLine(await askHub(flags, accounts.setRole, { params: { name }, body: { role } }))),
    );
  remote(own.command('reset <name>'))
    .description('another password; the sessions of the account end')
    .option(...GENERATE)
    .action(async (name: string, flags: Remote & { generate: boolean }) => {
      const password = flags.generate ? null : await askPassword(name);
      tell(await askHub(flags, accounts.reset, { params: { name }, body: { password } }));
    });
  remote(own.command('remove <name>'))
    .description('ends one, for good: the name stays taken')
    .action(async (name: string, flags: Remote) =>
      say(accountLine(await askHub(flags, accounts.remove, { params: { name } }))),
    );
}

interface Line {
  readonly name: string;
  readonly role: string;
  readonly changed: string;
  readonly lastSignIn: string | null;
  readonly sessions: number;
  readonly standing: 'active' | 'removed';
}
/** The password, where the hub has made it up, alone on standard output: for a pipe into a safe. */
function tell(account: Line & { readonly password: string | null }): void {
  console.error(accountLine(account));
  if (account.password !== null) say(account.password);
}
function accountLine({ name, role, changed, lastSignIn, sessions, standing }: Line): string {
  if (standing === 'removed') return `${name}  ${role}  removed`;
  const last = lastSignIn === null ? 'never signed in' : `signed in last ${lastSignIn}, ${sessions} open`;
  return `${name}  ${role}  password of ${changed}, ${last}`;
}
