import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { runProgram } from '@adbreak/shared/program.js';
import { sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { LITERT, litertBuild, litertPath } from '@adbreak/shared/tflite/litert.js';
import { openRuntime, RUNTIME_CHOICES } from '@adbreak/shared/tflite/open.js';
import { Argument, Command } from 'commander';
import { unzipSync } from 'fflate';

const run = promisify(execFile);

/** `adbreak runtime install litert|list`: what runs models on this machine. */
const program = new Command('adbreak runtime').description('what runs models on this machine').exitOverride();
program
  .command('install')
  .addArgument(new Argument('<which>').choices(['litert']))
  .description(`take LiteRT ${LITERT.version} from its Python wheel; its digest is checked`)
  .option(
    '--target <machine>',
    'for another machine: linux-x64 or linux-arm64',
    `${process.platform}-${process.arch}`,
  )
  .option('--output <file>', 'where the library goes', litertPath())
  .action(async (_: string, flags: { target: string; output: string }) => {
    await install(flags.target, flags.output);
    console.log(
      `LiteRT ${LITERT.version} for ${flags.target} in ${flags.output}; \`runtime: auto\` takes it from now on`,
    );
  });
program
  .command('list')
  .description('runtimes and whether they load')
  .action(() => {
    for (const choice of RUNTIME_CHOICES.filter((name) => name !== 'auto')) {
      try {
        const { version } = openRuntime(choice);
        console.log(`${choice.padEnd(8)} ${version ?? 'loads'}`);
      } catch (error) {
        console.log(`${choice.padEnd(8)} not here: ${explain(error)}`);
      }
    }
  });

async function install(target: string, output: string): Promise<void> {
  const build = litertBuild(target);
  if (build === null)
    throw new AdbreakError(
      'input_invalid',
      `Cannot install LiteRT for ${target}: there is a library for ${Object.keys(LITERT.builds).join(' and ')}`,
    );
  const folder = await mkdtemp(join(tmpdir(), 'adbreak-litert-'));
  try {
    const wheelFor = [
      '--only-binary=:all:',
      '--platform',
      build.platform,
      '--python-version',
      '3.11',
      '--implementation',
      'cp',
    ];
    await run(
      'python3',
      [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--disable-pip-version-check',
        '--no-deps',
        ...wheelFor,
        '--dest',
        folder,
        LITERT.package,
      ],
      {
        timeout: 300_000,
      },
    );
    const [wheel] = await readdir(folder);
    if (wheel === undefined) throw new Error('pip downloaded nothing');
    const library = unzipSync(await readFile(join(folder, wheel)), {
      filter: ({ name, originalSize }) => name === LITERT.file && originalSize < 1 << 26,
    })[LITERT.file];
    if (library === undefined) throw new Error(`the wheel holds no ${LITERT.file}`);
    const digest = sha256(library);
    if (digest !== build.sha256)
      throw new AdbreakError(
        'runtime_unavailable',
        `Cannot use LiteRT: the SHA-256 of its library must be ${build.sha256}: current value is ${digest}`,
      );
    await writeAtomic(output, library);
  } catch (cause) {
    if (cause instanceof AdbreakError) throw cause;
    throw new AdbreakError(
      'runtime_unavailable',
      `Cannot fetch LiteRT with pip: ${explain(cause).split('\n')[0]}`,
      {
        cause,
        remedy: 'Install python3-pip and see that it reaches its index; `runtime: tflite` runs without.',
      },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await runProgram(() => program.parseAsync());
