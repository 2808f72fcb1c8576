import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { LOG_FORMATS, type LogFormat } from '@adbreak/shared/log.js';
import { exitCodeOf, runProgram } from '@adbreak/shared/program.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { dateOf } from '../monitoring/calendar.js';
import { simulateCommand } from '../simulate/command.js';
import { auditCommands } from './audit.js';
import { backupCommands } from './backup.js';
import { checkCommand } from './check.js';
import { hubAddress } from './client.js';
import { deviceCommands } from './devices.js';
import { evaluationCommands } from './evaluations.js';
import { exceptionCommand } from './exceptions.js';
import { greetFirst } from './first.js';
import { jobCommands } from './jobs.js';
import { keepCommands } from './keep.js';
import { keyCommands } from './keys.js';
import { operatorCommands } from './operators.js';
import { PLAN_FLAG, planFlag } from './plan.js';
import { port, portOrNone } from './port.js';
import { pushVersion } from './push.js';
import { call, print, type Remote, remote, say } from './remote.js';
import { rolloutCommands, rolloutView, summary } from './rollouts.js';
import { tokenCommands } from './tokens.js';
import { ON_HUB, trainOnHub } from './train.js';
import { userCommands } from './users.js';
import { versionCommands } from './versions.js';
import { wayInCommands } from './way-in.js';

/** The `adbreak` command. Edge and trainer are programs of their own: their commands are started as processes. */
const ELSEWHERE: Record<string, readonly [workspace: 'edge' | 'trainer', file: string, what: string]> = {
  detect: ['edge', 'detect.js', 'finds the advertisements in recordings, without hub or Pi'],
  recurrence: ['edge', 'recurrence.js', 'what airs again and again in recordings, without any model'],
  agent: ['edge', 'main.js', 'watches live TV on a Raspberry Pi'],
  dataset: [
    'trainer',
    'main.js',
    'makes, divides and checks data sets: prepare, stats, verify, cut, synthesize',
  ],
  label: ['trainer', 'main.js', 'labels recordings on a page: the keys A, C, U, S; import, export'],
  train: ['trainer', 'main.js', 'makes a model of a data set, here or on the hub'],
  evaluate: ['trainer', 'main.js', 'says what a model is worth on a data set'],
  weights: ['trainer', 'main.js', 'pretrained weights: pull, import, inspect'],
  convert: ['trainer', 'main.js', 'weights of other programs into TFLite, INT8 too'],
  model: ['trainer', 'main.js', 'what a model file consists of: inspect, compare'],
  runtime: ['edge', 'runtime.js', 'what runs models on this machine: list, install'],
};
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** The exit code of an agent that is to be started again, as systemd does after every end (edge/main.ts). */
const AGAIN = 75;

async function elsewhere(
  name: string,
  [workspace, file]: readonly [workspace: string, file: string, ...unknown[]],
  args: string[],
): Promise<void> {
  const path = join(ROOT, workspace, 'dist', file);
  const begin = () =>
    spawn(process.execPath, [path, ...(workspace === 'trainer' ? [name] : []), ...args], {
      stdio: 'inherit',
    });
  let child = begin();
  // The terminal's Ctrl-C reaches the child too: wait for it to end in its own way. Anybody else's reaches this process alone.
  process.on('SIGINT', () => {
    if (!inForeground()) child.kill('SIGINT');
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // The hub has asked an agent to begin anew: here nobody else would start it again.
  let code = await endOf(child);
  while (code === AGAIN) {
    child = begin();
    code = await endOf(child);
  }
  process.exitCode = code;
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((ended, failed) => {
    child.once('error', failed);
    child.once('exit', (code, signal) => ended(code ?? (signal === null ? 1 : exitCodeOf(signal))));
  });
}

/** Whether a terminal sends its Ctrl-C to this process's group: proc(5), pgrp and tpgid of /proc/self/stat. */
function inForeground(): boolean {
  try {
    const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return group === foreground;
  } catch {
    // No /proc here (macOS): a terminal at the other end is the best sign there is.
    return process.stdin.isTTY;
  }
}

const program = new Command('adbreak')
  .description(
    'tells advertisements from the programme on a fleet of Raspberry Pis, and rolls new models out by evidence',
  )
  .enablePositionalOptions()
  .exitOverride();

const hubCommands = program.command('hub').description('the hub');
wayInCommands(hubCommands);
hubCommands
  .command('audit')
  .description(
    'who changed what: every entry of the audit log, a line of JSON each; the hub may run meanwhile',
  )
  .option('--state <dir>', 'folder of its state', '.work/hub')
  .action(async ({ state }: { state: string }) => {
    const { auditLog } = await import('../store/audit.js');
    for await (const line of auditLog(state)) console.log(line);
  });
backupCommands(hubCommands);
checkCommand(hubCommands);
hubCommands
  .command('rebuild-rollups')
  .description(
    'for a hub that is stopped: compute the sums by hour and day again, from the raw reports that it keeps',
  )
  .option('--state <dir>', 'folder of its state', '.work/hub')
  .action(async ({ state }: { state: string }) => {
    const { rebuildRollups } = await import('../rebuild-rollups.js');
    const { days, reports, rows } = await rebuildRollups(
      state,
      () => new Date(),
      (line) => console.error(line),
    );
    if (days === null) console.log('There is no day of which all raw reports are kept; nothing was changed.');
    else
      console.log(
        `${reports} reports of ${dateOf(days.first)} to ${dateOf(days.last)} (UTC) gave ${rows} rows.`,
      );
  });
hubCommands
  .command('start')
  .description(
    'start the hub; on the first start it makes its authority, its keys, an administrator token and a link for the first account',
  )
  .option('--state <dir>', 'folder of its state', '.work/hub')
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--http-port <n>', 'HTTPS port', port, 8443)
  .option('--mqtt-port <n>', 'MQTT port', port, 8883)
  .option(
    '--local-port <n>',
    'port for plain HTTP from this machine alone, `none` for none; the usual one is left where it is taken',
    portOrNone,
    8000,
  )
  .option('--name <names...>', 'further names and addresses of this hub', [])
  .option(
    '--plan <file>',
    'rollout plan for promote calls that bring none; the standard one, or that for small fleets, where nothing is said',
    join(ROOT, 'configs/rollouts/standard.yaml'),
  )
  .option('--plans <dir>', 'folder of the plans that operators use by name', join(ROOT, 'configs/rollouts'))
  .option('--tick <cron>', 'when the gate looks (cron with seconds)', '*/30 * * * * *')
  .option(
    '--grace <days>',
    'how long after its end a device may renew its certificate without a new claim; settings.json says it otherwise',
    graceDays,
  )
  .addOption(
    new Option(
      '--log <format>',
      'text for people, json for machines; auto is text at a terminal and in the journal',
    )
      .choices(LOG_FORMATS)
      .default('auto'),
  )
  .action(
    async (
      options: {
        state: string;
        host: string;
        httpPort: number;
        mqttPort: number;
        localPort: number | 'none';
        name: string[];
        plan: string;
        plans: string;
        tick: string;
        grace?: number;
        log: LogFormat;
      },
      command: Command,
    ) => {
      const asked = command.getOptionValueSource('localPort') !== 'default';
      // From the beginning on: a service manager's stop that comes while the hub starts must end it in good order too.
      const unable = new AbortController();
      const stopped = Promise.race([
        once(process, 'SIGINT'),
        once(process, 'SIGTERM'),
        once(unable.signal, 'abort'),
      ]);
      // The other commands need none of its parts; loading them takes longer than most of what they do.
      const { startHub } = await import('../hub.js');
      const { programLog, programShape } = await import('@adbreak/shared/program-log.js');
      const hub = await startHub({
        folder: options.state,
        host: options.host,
        httpPort: options.httpPort,
        mqttPort: options.mqttPort,
        strict: process.env['NODE_ENV'] === 'development',
        ...(options.localPort !== 'none' && { local: { port: options.localPort, asked } }),
        names: [options.host, ...options.name],
        planPath: options.plan,
        ...(command.getOptionValueSource('plan') === 'default' && {
          smallPlanPath: join(ROOT, 'configs/rollouts/small.yaml'),
        }),
        plansPath: options.plans,
        rollbackPlanPath: join(ROOT, 'configs/rollouts/rollback.yaml'),
        tick: options.tick,
        ...(options.grace !== undefined && { certificates: { grace: options.grace * 24 * 3600 * 1000 } }),
        stop: (why) => unable.abort(why),
        log: await programLog(options.log),
      });
      const url = `https://${options.host === '0.0.0.0' ? 'localhost' : options.host}:${hub.httpPort}`;
      // Who reads JSON, asked for or not, gets nothing else on standard output.
      const json = programShape(options.log) === 'json';
      const greet = json ? console.error : console.log;
      const local = hub.localPort === null ? '' : `  on this machine also http://localhost:${hub.localPort}`;
      greet(`hub: ${url}  mqtt: ${hub.mqttPort}${local}`);
      await greetFirst(hub, {
        url,
        name: options.name[0],
        folder: options.state,
        atTerminal: (json ? process.stderr : process.stdout).isTTY,
        greet,
      });
      // A parent that starts us by fork learns the ports and the token without parsing text.
      const { httpPort, mqttPort, localPort, firstToken: token } = hub;
      process.send?.({ httpPort, mqttPort, localPort, token });
      await stopped;
      await hub[Symbol.asyncDispose]();
      process.disconnect?.();
      unable.signal.throwIfAborted();
    },
  );

deviceCommands(program, remote);

const models = program.command('models').description('versions in the registry');
remote(models.command('list')).action(async (flags: Remote) => print((await overview(flags)).models));
remote(models.command('push <dir>'))
  .description('register the version that `adbreak train` wrote')
  .action(async (dir: string, flags: Remote) => print(await pushVersion(await hubAddress(flags), dir)));
remote(models.command('promote <name> <version>'))
  .description('roll a version out through its gates')
  .option('--percent <n>', 'go no further than this share of devices', Number, 100)
  .option('--plan <name or file>', PLAN_FLAG)
  .option('--supersede', 'end the rollout of another version that is running', false)
  .option('--json', 'the whole answer, as JSON', false)
  .action(promote);
exceptionCommand(models, remote);
versionCommands(models, remote);
models.command('compare [args...]').description('which of two models is better on a data set');
keepCommands(models, remote);
remote(models.command('download <name> <version>'))
  .option('--output <file>', 'where to')
  .action(async (name: string, version: string, flags: Remote & { output?: string }) => {
    const bytes = await call(
      flags,
      `/api/v1/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/download`,
    );
    if (!Buffer.isBuffer(bytes))
      throw new AdbreakError('hub_unreachable', 'The hub answered with something that is no model', {
        remedy: 'Check that --hub (ADBREAK_HUB) is a hub.',
      });
    const path = flags.output ?? `${name}.tflite`;
    await writeAtomic(path, bytes);
    console.log(`wrote ${path} (${bytes.byteLength} bytes)`);
  });

keyCommands(program);
rolloutCommands(program, remote);
evaluationCommands(program, remote);
simulateCommand(program);
tokenCommands(program, remote);
operatorCommands(program, remote);
auditCommands(program, remote);
userCommands(program, remote);
jobCommands(program, remote);

for (const [name, [, , what]] of Object.entries(ELSEWHERE))
  program.command(`${name} [args...]`).description(what);

/** The rollout's line on stdout, or the whole answer as JSON; what to expect of it, and the next command, for people on stderr. */
async function promote(
  name: string,
  version: string,
  flags: Remote & { percent: number; plan?: string; supersede: boolean; json: boolean },
): Promise<void> {
  const plan = await planFlag(flags.plan);
  const started = await call(
    flags,
    `/api/v1/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/promote`,
    {
      method: 'POST',
      json: {
        status: flags.percent < 100 ? 'canary' : 'production',
        rollout_percentage: flags.percent,
        supersede: flags.supersede,
        ...plan,
      },
    },
  );
  const { rollout } = check(z.object({ rollout: rolloutView.nullable() }), started, 'the answer of the hub');
  if (flags.json) print(started);
  else say(rollout === null ? `${name} ${version} is the production version` : summary(rollout));
  // The first version of a model is in production at once: there is nothing to wait for.
  if (rollout === null) return;
  const forecast = await call(flags, '/api/v1/rollouts/plan', {
    method: 'POST',
    json: { model: name, ...plan },
  });
  console.error(
    `\n${printable(check(z.object({ text: z.string() }), forecast, 'the answer of the hub').text, { lines: true })}\n\nnext: \`adbreak rollouts watch ${rollout.id}\`, \`adbreak rollouts explain ${rollout.id}\``,
  );
}

function graceDays(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 3650))
    throw new InvalidArgumentError('It must be a number of days from 0 to 3650.');
  return value;
}

async function overview(flags: Remote): Promise<Record<string, unknown>> {
  const answer = await call(flags, '/api/v1/overview');
  return typeof answer === 'object' && answer !== null ? Object.fromEntries(Object.entries(answer)) : {};
}

await runProgram(async () => {
  const [name = '', ...rest] = process.argv.slice(2);
  // The registry's commands are the hub's; files side by side are the trainer's.
  const place = name === 'models' && rest[0] === 'compare' ? 'model' : name;
  const other = Object.hasOwn(ELSEWHERE, place) ? ELSEWHERE[place] : undefined;
  if (name === 'train' && rest.includes(ON_HUB)) await trainOnHub(rest);
  else if (other !== undefined) await elsewhere(name, other, rest);
  else await program.parseAsync();
});
