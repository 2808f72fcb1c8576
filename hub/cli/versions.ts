import { models as contracts } from '@adbreak/shared/contract/http/models.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Command } from 'commander';
import { askHub, type Remote, say, type remote as withHub } from './remote.js';

/** `adbreak models show | alias | note`: what a model's versions are called, and what people should know of them. */
export function versionCommands(models: Command, remote: typeof withHub): void {
  remote(models.command('show <model>'))
    .description('its versions, the newest first: where each is, and what it is called')
    .action(async (name: string, flags: Remote) => {
      const { versions } = await askHub(flags, contracts.show, { params: { name } });
      for (const { version, status, rollout_percentage, aliases } of versions)
        say([version, status, `${rollout_percentage} %`, ...aliases].join('  '));
    });
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
  remote(models.command('note <model> <version> <text>'))
    .description('writes down what people should know of a version, in place of what was there')
    .action(async (name: string, version: string, notes: string, flags: Remote) => {
      const asked = { params: { name, version }, body: { notes } };
      const answer = await askHub(flags, contracts.note, asked);
      say(`${answer.model_name} ${answer.version}: ${answer.notes}`);
    });
}
