import { models as contracts } from '@adbreak/shared/contract/http/models.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { keepModel } from '@adbreak/shared/kept-model.js';
import type { Command } from 'commander';
import { readRelease } from './push.js';
import { askHub, call, type Remote, say, type remote as withHub } from './remote.js';

/** `adbreak models pull | use`: the model that `adbreak detect` takes where none is named. */
export function keepCommands(models: Command, remote: typeof withHub): void {
  remote(models.command('pull <name> [version]'))
    .description('fetch a version (the one in production) and keep it for `adbreak detect`')
    .action(async (name: string, version: string | undefined, flags: Remote) => {
      const params = { name, version: version ?? 'production' };
      const facts = await askHub(flags, contracts.manifest, { params });
      const path = `/api/v1/models/${encodeURIComponent(name)}/versions/${facts.version}/download`;
      const file = await call(flags, path);
      if (!Buffer.isBuffer(file))
        throw new AdbreakError('hub_unreachable', 'The hub answered with something that is no model');
      await keep(file, Buffer.from(`${JSON.stringify(facts, null, 2)}\n`));
    });
  models
    .command('use <dir>')
    .description('keep the version that `adbreak train` wrote into a folder for `adbreak detect`')
    .action(async (dir: string) => {
      const { facts, model } = await readRelease(dir, 'use');
      await keep(model, facts);
    });
}

async function keep(file: Uint8Array, facts: Uint8Array): Promise<void> {
  const { folder, manifest } = await keepModel(file, facts);
  say(
    `${manifest.name} ${manifest.version} is in ${folder}; \`adbreak detect\` takes it where none is named`,
  );
}
