import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { Command } from 'commander';
import { scanRecordings } from './recurrence/scan-recordings.js';

const program = new Command('adbreak recurrence').description('what airs again and again in recordings');
const interruption = onInterruption();

program
  .command('scan')
  .argument('<recordings...>')
  .option('--format <f>', '', 'json')
  .action(async (sources: string[]) => {
    const { recurrence, seconds, elapsed, own } = await scanRecordings(sources, interruption.signal);
    console.error(`${seconds.toFixed(0)} s in ${elapsed.toFixed(1)} s, own ${own.toFixed(1)} s`);
    console.log(JSON.stringify(recurrence));
  });

await runProgram(() => program.parseAsync(), interruption);
