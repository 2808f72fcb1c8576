import { once } from 'node:events';
import { AdbreakError, explain, explainForPeople } from '@adbreak/shared/errors.js';
import { LOG_FORMATS, type Log, type LogFormat } from '@adbreak/shared/log.js';
import { programLog } from '@adbreak/shared/program-log.js';
import { Command, Option } from 'commander';
import { Agent } from './agent.js';
import type { Ending } from './commands/remote.js';
import { type EdgeConfig, readConfig } from './config/config.js';

/** EX_TEMPFAIL of sysexits.h: whoever started the agent starts it again, as systemd does after every end. */
const AGAIN = 75;

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
    const log = await programLog(options.log);
    const reread = () => readConfig(options.config);
    let config = await reread();
    let agent = await Agent.start(config, log, { reread, reloadFailed: null });
    process.send?.({ status: agent.statusUrl });
    // Not before: what a person stops while it starts ends at once.
    const stopped = Promise.race([
      once(process, 'SIGINT'),
      once(process, 'SIGTERM'),
      once(process, 'disconnect'),
    ]).then(() => null);
    for (;;) {
      const ending: Ending | null = await Promise.race([stopped, agent.ended]);
      await agent[Symbol.asyncDispose]();
      if (ending?.how === 'reload') {
        [agent, config] = await begin(ending.config, config, { log, reread });
        continue;
      }
      if (ending !== null) process.exitCode = AGAIN;
      break;
    }
    if (process.connected) process.disconnect();
  });

/** An agent with the next configuration, or, where that does not work, with the one before: nobody has to go there. */
async function begin(
  next: EdgeConfig,
  before: EdgeConfig,
  { log, reread }: { readonly log: Log; readonly reread: () => Promise<EdgeConfig> },
): Promise<[Agent, EdgeConfig]> {
  try {
    return [await Agent.start(next, log, { reread, reloadFailed: null }), next];
  } catch (cause) {
    log(`the configuration does not work, the one before goes on: ${explain(cause)}`, { error: cause });
    const reloadFailed =
      cause instanceof AdbreakError
        ? cause
        : new AdbreakError('input_invalid', 'Cannot begin with the configuration', { cause });
    return [await Agent.start(before, log, { reread, reloadFailed }), before];
  }
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(explainForPeople(error));
  process.exit(1);
}
