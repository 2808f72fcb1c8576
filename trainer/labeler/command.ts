import { readFileSync } from 'node:fs';
import { labellerName } from '@adbreak/shared/contract/labelling.js';
import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { labelMapOption } from '../dataset/command.js';
import { exportLabels, importLabels } from './exchange.js';
import { type ServeOptions, serve } from './serve.js';

type ServeFlags = Omit<ServeOptions, 'version' | 'say' | 'onUrl'>;
interface ImportFlags {
  videoDir: string;
  outputDir: string;
  labeller: string;
  recording?: string;
  labelMap: LabelWords;
}
interface ExportFlags {
  videoDir: string;
  outputDir: string;
  frames?: boolean;
}

/** `adbreak label`: the labelling page, and labels from and to files. */
export function addLabelCommands(program: Command, signal: AbortSignal): void {
  const label = program
    .command('label')
    .description('labels recordings on a page, and takes and gives labels');
  const page = addServe(label, signal);
  // Without a word `label` is `label page`: who asks for its help wants those options.
  label.addHelpText('after', () => `\n${page.helpInformation()}`);
  addImport(label, signal);
  addExport(label, signal);
}

function addServe(label: Command, signal: AbortSignal): Command {
  return folders(label.command('page', { isDefault: true }))
    .description('serve the labelling page (also without `page`); A ad, C content, U undo, S save')
    .option('--port <n>', 'port; 0 takes any free one', portNumber, 8080)
    .option('--host <address>', 'address to listen on; other than loopback asks for a token', '127.0.0.1')
    .option('--model <folder>', 'a model that says where to look first; without it the one that is kept')
    .addOption(new Option('--labeller <name>', 'who labels').argParser(labeller))
    .option('--spots <file>', 'what `adbreak recurrence scan --format json` wrote; without it that is run')
    .action(async (flags: ServeFlags) => {
      const onUrl = (url: string) => {
        console.log(`labelling page: ${url}`);
        say(`labels are kept in ${flags.outputDir}; Ctrl-C ends`);
      };
      await serve({ ...flags, version: version(), say, onUrl }, signal);
    });
}

function addImport(label: Command, signal: AbortSignal): void {
  folders(label.command('import'))
    .description(
      'take labels of files: CSV, EDL, comskip, the JSON of Label Studio, ad/ and content/ with pictures named NAME_SECONDS.jpg',
    )
    .argument('<path>', 'file or folder')
    .addOption(new Option('--labeller <name>', 'whose labels they are').argParser(labeller).default('import'))
    .option('--recording <name>', 'the recording they are of, where their own names do not say it')
    .addOption(labelMapOption())
    .action(async (path: string, { labelMap, recording, ...flags }: ImportFlags) => {
      const request = { ...flags, path, words: labelMap, recording };
      const { labels, recordings, taken } = await importLabels(request, say, signal);
      console.log(
        `${labels} labels of ${recordings} recordings for ${flags.labeller}, ${taken} of them known already`,
      );
    });
}

function addExport(label: Command, signal: AbortSignal): void {
  folders(label.command('export'))
    .description('write the labels as S on the page does: NAME.csv, NAME.edl, and JSON for Label Studio')
    .option('--frames', 'a picture for each labelled second, too, into ad/ and content/')
    .action(async ({ frames = false, ...flags }: ExportFlags) => {
      const { files, leftOut, pictures } = await exportLabels({ ...flags, frames }, say, signal);
      for (const line of leftOut) say(`left out: ${line}`);
      console.log(
        `wrote ${files.length} files${frames ? ` and ${pictures} pictures` : ''} to ${flags.outputDir}`,
      );
      if (frames)
        console.log(
          `next: \`adbreak dataset prepare --source-path ${flags.outputDir} --output-dir data/datasets/mine\``,
        );
    });
}

function folders(command: Command): Command {
  return command
    .requiredOption('--video-dir <dir>', 'folder of the recordings')
    .requiredOption('--output-dir <dir>', 'folder of the labels');
}

function portNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError('It must be a port from 0 to 65535.');
}

function labeller(text: string): string {
  const name = labellerName.safeParse(text);
  if (name.success) return name.data;
  throw new InvalidArgumentError('It must be 1 to 40 letters, digits, spaces, dots or dashes.');
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const parsed = z.object({ version: z.string() }).safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data.version;
  throw new AdbreakError('internal', 'Cannot tell the version: package.json of the trainer has none');
}

/** Names of files are other people's words. */
function say(line: string): void {
  console.error(printable(line, { lines: true }));
}
