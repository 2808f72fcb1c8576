import { once } from 'node:events';
import { explainForPeople } from '@adbreak/shared/errors.js';
import { Command } from 'commander';
import { Agent } from './agent.js';
import { readConfig } from './config/config.js';

/** `adbreak agent`: runs on the Pi under systemd, or by hand. */
const program = new Command('adbreak agent')
  .description('watch a source, serve a model, report evidence to the hub')
  .requiredOption('--config <file>', 'configuration, see configs/edge.yaml')
  .action(async (options: { config: string }) => {
    const config = await readConfig(options.config);
    const log = (line: string) => console.log(`${new Date().toISOString()} ${line}`);
    const agent = await Agent.start(config, log);
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
