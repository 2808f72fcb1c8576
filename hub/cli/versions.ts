import { models as contracts, type VersionLine } from '@adbreak/shared/contract/http/models.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Command } from 'commander';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

/** `adbreak models show | alias | archive | delete | note`: what a model's versions are called, and what people should know of them. */
export function versionCommands(models: Command, remote: typeof withHub): void {
  remote(models.command('show <model>'))
    .description('its versions, the newest first: where each is, and what it is called')
    .option('--all', 'those in the archive too', false)
    .option('--json', 'the whole answer, as JSON', false)
    .action(show);
  remote(models.command('alias <model> <alias> [version]'))
    .description(
      'a name that download, promote and monitoring take for the number of a version; it moves no device',
    )
    .option('--remove', 'take the name away', false)
    .action(
      async (
        name: string,
        alias: string,
        version: string | undefined,
        flags: Remote & { remove: boolean },
      ) => {
        if (flags.remove === (version !== undefined))
          throw new AdbreakError('input_invalid', 'Cannot name a version: give either a version or --remove');
        const asked = { params: { name, alias }, body: { version: version ?? null } };
        await askHub(flags, contracts.alias, asked);
        say(
          version === undefined ? `${alias} names no version of ${name}` : `${alias} is ${name} ${version}`,
        );
      },
    );
  remote(models.command('archive <model> <version>'))
    .description('puts a version out of sight, so that nothing is promoted to it')
    .option('--back', 'takes it out of the archive', false)
    .action(async (name: string, version: string, flags: Remote & { back: boolean }) => {
      const asked = { params: { name, version }, body: { archived: !flags.back } };
      const answer = await askHub(flags, contracts.archive, asked);
      const where = answer.archived ? 'in the archive' : 'out of the archive';
      say(`${answer.model_name} ${answer.version} is ${where}`);
    });
  remote(models.command('delete <model> <version>'))
    .description('deletes a version and its file for good; needs the role admin')
    .requiredOption('--reason <text>', 'kept in the audit log')
    .action(async (name: string, version: string, flags: Remote & { reason: string }) => {
      const asked = { params: { name, version }, body: { reason: flags.reason } };
      const answer = await askHub(flags, contracts.remove, asked);
      say(`${answer.model_name} ${answer.version} is deleted; its number stays taken`);
    });
  remote(models.command('note <model> <version> <text>'))
    .description('writes down what people should know of a version, in place of what was there')
    .action(async (name: string, version: string, notes: string, flags: Remote) => {
      const asked = { params: { name, version }, body: { notes } };
      const answer = await askHub(flags, contracts.note, asked);
      say(`${answer.model_name} ${answer.version}: ${answer.notes}`);
    });
}

async function show(name: string, flags: Remote & { all: boolean; json: boolean }): Promise<void> {
  const answer = await askHub(flags, contracts.show, { params: { name } });
  const versions = answer.versions.filter(({ archived }) => flags.all || !archived);
  if (flags.json) return print({ ...answer, versions });
  for (const one of versions) say(versionText(one));
}

/** What people have written of it stands below it, however many lines that are. */
function versionText({ version, status, rollout_percentage, aliases, archived, notes }: VersionLine): string {
  const line = [version, archived ? 'archived' : status, `${rollout_percentage} %`, ...aliases].join('  ');
  return [
    line,
    ...notes
      .split('\n')
      .filter(Boolean)
      .map((text) => `  ${text}`),
  ].join('\n');
}
