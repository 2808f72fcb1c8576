import { once } from 'node:events';
import { explainForPeople } from '@adbreak/shared/errors.js';
import { LOG_FORMATS, type LogFormat } from '@adbreak/shared/log.js';
import { programLog } from '@adbreak/shared/program-log.js';
import { Command, Option } from 'commander';
import { Agent } from './agent.js';
import { readConfig } from './config/config.js';

/** `adbreak agent`: runs on the Pi under systemd, or by hand. */
const program = new Command('adbreak agent')
  .description('watch a source, serve a model, report evidence to the hub')
  .requiredOption('--config <file>', 'configuration, see configs/edge.yaml')
  .addOption(
    new Option(
      '--log <format>',
      'text for people, json for machines; auto is text at a terminal and in the journal',
    )
      .choices(LOG_FORMATS)
      .default('auto'),
  )
  .action(async (options: { config: string; log: LogFormat }) => {
    const config = await readConfig(options.config);
    const agent = await Agent.start(config, await programLog(options.log));
    process.send?.({ status: agent.statusUrl });
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'disconnect')]);
    await agent[Symbol.asyncDispose]();
    if (process.connected) process.disconnect();
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(explainForPeople(error));
  process.exit(1);
}
