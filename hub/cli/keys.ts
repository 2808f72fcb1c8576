import { resolve } from 'node:path';
import { printable } from '@adbreak/shared/errors.js';
import { Argument, type Command } from 'commander';
import type { ListedKey } from '../keys.js';
import { ROLES, type RoleName } from '../registry/signing.js';

const STATE = ['--state <dir>', "folder of the hub's state", '.work/hub'] as const;
const OPTIONS = { now: () => new Date(), log: (line: string) => console.error(line) };
interface State {
  state: string;
}
const roleArgument = () => new Argument('<role>', 'whose key it is').choices(ROLES);

/** `adbreak keys`: the keys that sign models and what devices shall run. docs/operations/keys.md. */
export function keyCommands(program: Command): void {
  const keys = program.command('keys').description('the keys that sign models and what devices shall run');
  keys
    .command('list')
    .description(
      'each role, its key and where it lies, and what waits for a signature; the hub may run meanwhile',
    )
    .option(...STATE)
    .option('--json', 'as JSON', false)
    .action(list);
  keys
    .command('rotate')
    .description('give a role another key; the hub is stopped. Killed in between, the same command goes on')
    .addArgument(roleArgument())
    .option(...STATE)
    .option('--public <file>', 'the public half of its next key, where its key lies elsewhere')
    .action(rotate);
  keys
    .command('export')
    .description('copy a private key into a file, for its owner alone; with --remove the hub keeps none')
    .addArgument(roleArgument())
    .argument('<file>', 'a new file')
    .option(...STATE)
    .option('--remove', 'take it away from the hub, which is stopped: root and targets alone', false)
    .action(exportKey);
  keys
    .command('import')
    .description('put a private key back that the root names; the hub is stopped')
    .addArgument(roleArgument())
    .argument('<file>', 'the private key, PEM')
    .option(...STATE)
    .action(importKey);
  keys
    .command('sign <file>')
    .description(
      'sign a waiting root or list of targets; needs no hub: it is for the machine where the key lies',
    )
    .requiredOption('--key <file>', 'the private key')
    .option('--output <file>', 'where to; into the file itself otherwise')
    .action(signFile);
  keys
    .command('publish <file>')
    .description('publish what was signed elsewhere; the hub may run meanwhile')
    .option(...STATE)
    .action(publish);
}

async function list({ state, json }: State & { json: boolean }): Promise<void> {
  const { listKeys } = await import('../keys.js');
  const { root, keys, waiting } = await listKeys(state, OPTIONS.now);
  if (json) return console.log(JSON.stringify({ root, keys, waiting }, null, 2));
  console.log(`root ${root}`);
  for (const key of keys) console.log(keyLine(key));
  for (const line of waiting) console.log(printable(line));
}

function keyLine({ role, id, where, expires, next }: ListedKey): string {
  const rotation = next === null ? '' : `, next ${next.slice(0, 12)}`;
  return `${role.padEnd(10)} ${id.slice(0, 12)}  ${where.padEnd(9)}  signed until ${expires}${rotation}`;
}

async function rotate(role: RoleName, flags: State & { public?: string }): Promise<void> {
  const { rotateKey } = await import('../keys.js');
  const { root, waiting } = await rotateKey(flags.state, role, {
    ...OPTIONS,
    ...(flags.public !== undefined && { publicPath: flags.public }),
  });
  if (waiting.length === 0)
    return console.log(`${role} has its new key since root ${root}; the old one is deleted`);
  for (const line of waiting) console.log(printable(line));
  console.log(
    'next, where the key lies: `adbreak keys sign FILE --key KEY`; then here: `adbreak keys publish FILE`',
  );
}

async function exportKey(
  role: RoleName,
  file: string,
  { state, remove }: State & { remove: boolean },
): Promise<void> {
  const { exportRoleKey } = await import('../keys.js');
  await exportRoleKey(state, role, file, { remove, ...OPTIONS });
  console.log(
    `${resolve(file)}: the private key of ${role}, unencrypted: keep it where only you can read it`,
  );
  if (remove)
    console.log(
      'The hub has none any more; backups that were made before still hold it. Keep a second copy.',
    );
}

async function importKey(role: RoleName, file: string, { state }: State): Promise<void> {
  const { importRoleKey } = await import('../keys.js');
  await importRoleKey(state, role, file, OPTIONS);
  console.log(`the key of ${role} is back`);
}

async function signFile(file: string, { key, output }: { key: string; output?: string }): Promise<void> {
  const { signWaiting } = await import('../keys.js');
  for (const line of await signWaiting(file, key, output ?? file)) console.log(printable(line));
}

async function publish(file: string, { state }: State): Promise<void> {
  const { publishSigned } = await import('../keys.js');
  const waiting = await publishSigned(state, file, OPTIONS);
  console.log(`${file}: published`);
  for (const line of waiting) console.log(printable(line));
}
