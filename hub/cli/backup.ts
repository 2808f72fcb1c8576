import { readFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { printable } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import type { BackupResult } from '../backup/backup.js';
import { SQLITE } from '../backup/format.js';
import type { RestoreResult } from '../backup/restore.js';
import { urlProblem } from '../store/sql/postgres-url.js';

const STATE = ['--state <dir>', "folder of the hub's state", '.work/hub'] as const;
const LONGEST_LINE = 70;
/** The hub's own work goes first. Not by more: while rows are read, its log of writes only grows. */
const NICE = 5;

/** `adbreak hub backup FILE` and `adbreak hub restore FILE`. */
export function backupCommands(hub: Command): void {
  hub
    .command('backup <file>')
    .description('all that a hub needs on another machine, in one file; the hub may run meanwhile')
    .option(...STATE)
    .option(
      '--without-models',
      'leave the models out: smaller, but devices cannot fetch them from what is restored',
    )
    .addHelpText(
      'after',
      `
The file holds the private keys of the fleet: whoever reads it can pretend to be the hub. It is written
for its owner alone, is not encrypted, and belongs on another disk.

Example:
  adbreak hub backup --state /var/lib/adbreak-hub /mnt/backup/hub-$(date +%F).tar.gz`,
    )
    .action((file: string, flags: BackupFlags) => interruptible((signal) => backup(file, flags, signal)));
  hub
    .command('restore <file>')
    .description('put a backup in the place of a state folder; the hub is stopped')
    .option(...STATE)
    .option(
      '--force',
      'where a state is there already: move it aside, into before-restore-… in the same folder',
      false,
    )
    .option(
      '--store <where>',
      'where its memory goes: postgres://USER@HOST/DATABASE, an empty one, or sqlite; as it was before otherwise',
      storeOption,
    )
    .addHelpText(
      'after',
      `
Everything is checked before anything is put into place; killed at any moment it leaves the state of before
or the restored one. What the hub did after the backup is gone: revoke again who was revoked since.

Example:
  systemctl stop adbreak-hub
  adbreak hub restore --state /var/lib/adbreak-hub --force /mnt/backup/hub-2026-11-27.tar.gz
  systemctl start adbreak-hub`,
    )
    .action((file: string, flags: RestoreFlags) => interruptible((signal) => putBack(file, flags, signal)));
}

interface BackupFlags {
  state: string;
  withoutModels?: boolean;
}
interface RestoreFlags {
  state: string;
  force: boolean;
  store?: string;
}

function storeOption(where: string): string {
  if (where === SQLITE) return where;
  const problem = urlProblem(where);
  if (problem !== null) throw new InvalidArgumentError(`It must be sqlite, or a URL: ${problem}.`);
  return where;
}

/** Ctrl-C ends it, and what was not finished is taken away. */
async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = onInterruption();
  await runProgram(() => work(interruption.signal), interruption);
}

async function backup(file: string, { state, withoutModels = false }: BackupFlags, signal: AbortSignal) {
  setPriority(NICE);
  const { backUp } = await import('../backup/backup.js');
  const { progress, end } = line();
  const result = await backUp({
    folder: state,
    path: file,
    models: !withoutModels,
    program: await programVersion(),
    now: () => new Date(),
    signal,
    progress,
  }).finally(end);
  console.log(backupText(file, result, withoutModels));
}

function backupText(file: string, { at, bytes, rows, devices, files, damaged }: BackupResult, less: boolean) {
  const lines = [
    `${file}: the hub as of ${at}: ${devices} devices, ${rows} rows, ${files} files; ${bytes} bytes`,
    "It holds the fleet's private keys, unencrypted: keep it where only you can read it, away from this disk.",
  ];
  if (less) lines.push('Models are not in it: keep registry/targets of the state folder beside it.');
  for (const path of damaged)
    lines.push(
      `warning: ${path} is not what its name says: the disk has damaged it; see \`adbreak hub check\``,
    );
  return lines.join('\n');
}

async function putBack(file: string, { state, force, store }: RestoreFlags, signal: AbortSignal) {
  const { restore } = await import('../backup/restore.js');
  const { progress, end } = line();
  const result = await restore({
    folder: state,
    path: file,
    force,
    ...(store !== undefined && { store }),
    now: () => new Date(),
    signal,
    progress,
  }).finally(end);
  console.log(restoreText(state, result));
}

function restoreText(state: string, { header, aside, devices, missing }: RestoreResult): string {
  const lines = [`${state}: restored as of ${header.at} (hub ${header.program}): ${devices} devices`];
  if (aside !== null) lines.push(`What was there is in ${aside}; it holds private keys too.`);
  for (const path of missing)
    lines.push(
      `warning: ${printable(path)} is not in the backup: no device can fetch it; see \`adbreak hub check\``,
    );
  lines.push(
    `Gone is what was done after ${header.at}: revoke again who was revoked since,`,
    'and enrol again, with new claims, who was enrolled since.',
    'Never start the hub that this is a backup of again: two hubs would give the same devices orders.',
    `next: \`adbreak hub check --state ${state}\`, then start the hub`,
  );
  return lines.join('\n');
}

/** One line of a terminal that changes; nothing where nobody looks. */
function line(): { progress: (text: string) => void; end: () => void } {
  if (!process.stderr.isTTY) return { progress: () => undefined, end: () => undefined };
  const clear = '\r\u001b[K';
  return {
    progress: (text) => process.stderr.write(`${clear}${printable(text).slice(0, LONGEST_LINE)}`),
    end: () => process.stderr.write(clear),
  };
}

const packageSchema = z.object({ version: z.string() });
async function programVersion(): Promise<string> {
  const path = new URL('../../package.json', import.meta.url);
  return parseJson(packageSchema, await readFile(path), 64 * 1024, 'package.json').version;
}
