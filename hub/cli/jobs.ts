import { setTimeout as sleep } from 'node:timers/promises';
import { type TrainingJobView, training } from '@adbreak/shared/contract/http/training.js';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exitCodeOf } from '@adbreak/shared/program.js';
import type { Command } from 'commander';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

/** How often a job is asked after that is followed. */
const LOOK_MS = 2000;

/** `adbreak jobs …`: trainings on the hub's machine. */
export function jobCommands(program: Command, remote: typeof withHub): void {
  const jobs = program
    .command('jobs')
    .description('trainings on the hub’s machine: `adbreak train --on-hub`');
  remote(jobs.command('list'))
    .description('all of them, the newest first')
    .option('--json', 'as JSON', false)
    .action(async (flags: Remote & { json: boolean }) => {
      const answer = await askHub(flags, training.list, {});
      if (flags.json) return print(answer);
      for (const job of answer.jobs) say(jobLine(job));
      if (answer.jobs.length === 0) say('no trainings yet: `adbreak train --on-hub` asks for one');
    });
  remote(jobs.command('show <id>'))
    .description('how far it is, and what came of it')
    .option('--follow', 'until its end; Ctrl-C leaves the job running', false)
    .option('--json', 'the whole answer, as JSON', false)
    .action(async (id: string, flags: Remote & { follow: boolean; json: boolean }) => {
      if (flags.follow) return follow(flags, id);
      const job = await askHub(flags, training.show, { params: { id } });
      if (flags.json) print(job);
      else say(jobText(job));
    });
  remote(jobs.command('log <id>'))
    .description('the last lines of what it has said')
    .action(async (id: string, flags: Remote) => {
      const { lines, cut } = await askHub(flags, training.log, { params: { id } });
      if (cut) console.error(`the last ${lines.length} lines:`);
      for (const line of lines) say(line);
    });
  remote(jobs.command('cancel <id>'))
    .description('calls it off')
    .action(async (id: string, flags: Remote) => {
      const { state } = await askHub(flags, training.cancel, { params: { id } });
      say(state === 'running' ? `${id} is coming to its end` : `${id} is called off`);
    });
}

/**
 * Tells what a job says until it has come to its end; throws what it failed with. Ctrl-C ends the telling, and not the job.
 */
export async function follow(flags: Remote, id: string): Promise<void> {
  const left = new AbortController();
  process.once('SIGINT', () => left.abort());
  let told = '';
  for (;;) {
    const job = await askHub(flags, training.show, { params: { id } });
    const line = progressLine(job);
    if (line !== told) say(line);
    told = line;
    if (job.ended !== null) return tellEnd(job);
    await sleep(LOOK_MS, undefined, { signal: left.signal }).catch(() => undefined);
    if (!left.signal.aborted) continue;
    console.error(
      `the job goes on: \`adbreak jobs show ${id} --follow\` tells again, \`adbreak jobs cancel ${id}\` ends it`,
    );
    process.exitCode = exitCodeOf('SIGINT');
    return;
  }
}

function tellEnd(job: TrainingJobView): void {
  const { id, failure, result } = job;
  if (failure !== null) {
    const code = isErrorCode(failure.code) ? failure.code : 'training_failed';
    throw new AdbreakError(code, failure.message, { remedy: failure.remedy });
  }
  if (result?.requirements === 'missed') throw new AdbreakError('requirements_missed', result.missed);
  if (result === null) throw new AdbreakError('conflict', `The training ${id} was called off`);
  say(jobText(job));
}

type Line = Pick<
  TrainingJobView,
  'id' | 'model' | 'version' | 'state' | 'asked' | 'who' | 'ahead' | 'progress' | 'cancelled'
>;

function progressLine(job: Line): string {
  if (job.state === 'queued') return `waits, ${job.ahead ?? 0} before it`;
  return job.progress ?? job.state;
}

function jobLine(job: Line): string {
  const { id, model, version, state, asked, who } = job;
  const now = state === 'queued' || state === 'running' ? `  ${progressLine(job)}` : '';
  return `${id}  ${asked}  ${model} ${version}  ${state}  ${who}${now}`;
}

function jobText(job: TrainingJobView): string {
  const { dataset, interruptions, cancelled, failure, result } = job;
  const cut = interruptions === 0 ? [] : [`it was cut off ${interruptions} times, and went on`];
  const off = cancelled === null ? [] : [`called off by ${cancelled}`];
  const failed = failure === null ? [] : [`${failure.code}: ${failure.message}`, failure.remedy];
  return [jobLine(job), `data set ${dataset}`, ...cut, ...off, ...failed, ...resultLines(result)].join(
    '\n  ',
  );
}

function resultLines(result: TrainingJobView['result']): string[] {
  if (result === null) return [];
  const { uploaded, missed, metrics } = result;
  const [accuracy, f1] = [metrics.accuracy, metrics.f1].map((value) => value.toFixed(3));
  const measured = `accuracy ${accuracy}, F1 ${f1}, on ${metrics.frames} test pictures`;
  const where =
    uploaded === null ? `not registered: ${missed}` : `${uploaded.name} ${uploaded.version} is registered`;
  return [measured, where];
}
