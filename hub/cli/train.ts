import { type TrainingJobView, training } from '@adbreak/shared/contract/http/training.js';
import { CONFIGURATION_LIMIT } from '@adbreak/shared/contract/training.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { Command } from 'commander';
import { follow } from './jobs.js';
import { askHub, print, type Remote, remote, say } from './remote.js';

interface Flags extends Remote {
  readonly config?: string;
  readonly data: string;
  readonly set: readonly string[];
  readonly name?: string;
  readonly version?: string;
  readonly follow: boolean;
  readonly json: boolean;
}

/** `adbreak train --on-hub`: the training becomes a job of the hub; without that flag the trainer does it here. */
export function trainOnHub(args: readonly string[]): Promise<unknown> {
  const command = new Command('adbreak train --on-hub')
    .description(
      'train on the hub’s machine, one training at a time; what meets its requirements is registered',
    )
    .exitOverride()
    .option('--config <file>', 'YAML, as `adbreak train --config` takes it; it goes to the hub')
    .requiredOption(
      '--data <name>',
      'a data set of the hub: a folder below `training.datasets` of its settings',
    )
    .option('--set <key=value>', 'a key of the configuration, for once; may be repeated', more, [])
    .option('--name <name>', 'model name')
    .option('--version <version>', 'model version')
    .option('--follow', 'tell how far it is, until its end; Ctrl-C leaves the job running', false)
    .option('--json', 'the whole answer, as JSON', false)
    .action(run);
  return remote(command).parseAsync(
    args.filter((one) => one !== ON_HUB),
    { from: 'user' },
  );
}
export const ON_HUB = '--on-hub';
const more = (text: string, before: readonly string[]) => [...before, text];

async function run(flags: Flags): Promise<void> {
  const configuration = flags.config === undefined ? '' : await readConfiguration(flags.config);
  const named = Object.entries({ name: flags.name, version: flags.version });
  const settings = [
    ...flags.set,
    ...named.flatMap(([key, value]) => (value === undefined ? [] : [`model.${key}=${value}`])),
  ];
  const body = { configuration, settings, dataset: flags.data };
  const job: TrainingJobView = await askHub(flags, training.ask, { body });
  if (flags.json) print(job);
  else say(askedText(job));
  if (flags.follow) await follow(flags, job.id);
}

function askedText({ id, model, version, ahead }: TrainingJobView): string {
  const turn = ahead === null || ahead === 0 ? 'it begins' : `${ahead} before it`;
  return `${id}: ${model} ${version}, ${turn}; \`adbreak jobs show ${id}\``;
}

async function readConfiguration(path: string): Promise<string> {
  const bytes = await readLimited(path, CONFIGURATION_LIMIT);
  if (bytes !== undefined) return Buffer.from(bytes).toString();
  throw new AdbreakError('not_found', `Cannot read the configuration ${path}: it does not exist`, {
    remedy: 'Start from configs/training/custom.example.yaml.',
  });
}
