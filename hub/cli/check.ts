import { printable } from '@adbreak/shared/errors.js';
import type { Command } from 'commander';
import type { Finding } from '../check/finding.js';
import { port } from './port.js';

interface CheckFlags {
  state: string;
  host: string;
  httpPort: number;
  mqttPort: number;
  json: boolean;
}

/** `adbreak hub check`. */
export function checkCommand(hub: Command): void {
  hub
    .command('check')
    .description(
      'looks the hub over, running or stopped: settings, store, keys, clock, disk, ports; changes nothing',
    )
    .option('--state <dir>', "folder of the hub's state", '.work/hub')
    .option('--host <address>', 'address that the hub listens on', '127.0.0.1')
    .option('--http-port <n>', 'its HTTPS port', port, 8443)
    .option('--mqtt-port <n>', 'its MQTT port', port, 8883)
    .option('--json', 'one line of JSON', false)
    .addHelpText(
      'after',
      `
A line for each thing: ok, warning (it works, and will not for ever) or wrong (it does not), and what mends it.
Exit code 1 where something is wrong, 0 otherwise, with warnings too.

Example:
  adbreak hub check --state /var/lib/adbreak-hub --host 0.0.0.0`,
    )
    .action(check);
}

async function check(flags: CheckFlags): Promise<void> {
  const { checkHub } = await import('../check/check.js');
  const found: Finding[] = [];
  for await (const one of checkHub({ ...flags, folder: flags.state, now: () => new Date() })) {
    found.push(one);
    if (!flags.json) console.log(findingText(one));
  }
  const count = (level: Finding['level']) => found.filter((one) => one.level === level).length;
  const [wrong, warnings] = [count('wrong'), count('warning')];
  if (flags.json) console.log(JSON.stringify({ wrong, warnings, found }));
  else console.log(`${wrong} wrong, ${warnings} warnings, ${count('ok')} ok`);
  if (wrong > 0) process.exitCode = 1;
}

function findingText({ check, level, message, mend }: Finding): string {
  const line = `${level.padEnd(7)}  ${check.padEnd(10)}  ${printable(message)}`;
  return mend === null ? line : `${line}\n${' '.repeat(21)}what to do: ${printable(mend)}`;
}
