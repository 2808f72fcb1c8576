import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceReply } from '@adbreak/shared/contract/device-commands.js';
import type { AnswerOf, AskedBy } from '@adbreak/shared/contract/http/contract.js';
import { deviceCommands } from '@adbreak/shared/contract/http/device-commands.js';
import { fleet } from '@adbreak/shared/contract/http/fleet.js';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError, ERROR_CODES, printable } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { Argument, type Command, InvalidArgumentError } from 'commander';
import { linkText } from './device-text.js';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';

type Body = AskedBy<typeof deviceCommands.command>['body'];
type Standing = AnswerOf<typeof deviceCommands.command>;
type Done = Extract<DeviceReply, { outcome: 'done' }>;
interface Flags extends Remote {
  within: number;
  wait: number;
  seconds?: number;
  lines?: number;
  json?: boolean;
}

const COMMANDS = ['restart', 'reload', 'benchmark', 'identify'] as const;
const LOOK_MS = 500;

/** `adbreak devices command …`, `commands`, `logs`: what a device does once. docs/protocol/device-commands.md. */
export function deviceCommandCommands(devices: Command, remote: typeof withHub): void {
  const timed = (command: Command) =>
    remote(command)
      .option('--within <minutes>', 'how long it may wait for a device that is off', positive, 60)
      .option('--wait <seconds>', 'how long to wait here for its answer', number, 60);

  timed(devices.command('command <id>'))
    .description('asks a device to do something once, and says what it answers')
    .addArgument(new Argument('<what>', 'what it shall do').choices(COMMANDS))
    .option('--seconds <n>', 'for how long: benchmark 10 unless said, identify 30', positive)
    .option('--json', 'the whole answer, as JSON', false)
    .action(async (id: string, what: (typeof COMMANDS)[number], flags: Flags) => {
      const standing = await carriedOut(flags, id, bodyOf(what, flags));
      if (flags.json) return print(standing);
      say(`${id}: ${doneLine(doneOf(standing))}`);
    });
  timed(devices.command('logs <id>'))
    .description('the last lines of its log')
    .option('--lines <n>', 'how many at most, up to 1000', positive, 200)
    .option('--output <file>', 'where to; else they are printed')
    .action(logs);
  remote(devices.command('commands <id>'))
    .description('what it was asked to do, and what became of it')
    .action(async (id: string, flags: Remote) => {
      const { commands } = await askHub(flags, deviceCommands.listCommands, { params: { id } });
      for (const { id: name, command, who, asked, outcome, code } of commands)
        say(`${name}  ${command}  asked ${asked} by ${who}: ${code ?? outcome}`);
    });
}

async function logs(id: string, flags: Flags & { lines: number; output?: string }): Promise<void> {
  const body = { command: 'collect-logs', deadline: deadlineOf(flags), lines: flags.lines } as const;
  const reply = doneOf(await carriedOut(flags, id, body));
  if (reply.command !== 'collect-logs') return;
  if (reply.cut) console.error('older lines were left out: the message has a limit');
  if (flags.output === undefined) return say(reply.lines.join('\n'));
  await writeAtomic(flags.output, reply.lines.map((line) => `${line}\n`).join(''));
  say(`wrote ${flags.output} (${reply.lines.length} lines)`);
}

function bodyOf(what: (typeof COMMANDS)[number], flags: Flags): Body {
  const deadline = deadlineOf(flags);
  switch (what) {
    case 'restart':
    case 'reload':
      return { command: what, deadline };
    case 'benchmark':
    case 'identify':
      return { command: what, deadline, ...(flags.seconds !== undefined && { seconds: flags.seconds }) };
  }
}

function deadlineOf({ within }: Flags): string {
  return new Date(Date.now() + within * 60_000).toISOString();
}

/** Gives the command a name of its own, and waits for its answer as long as the person does. */
async function carriedOut(flags: Flags, device: string, body: Body): Promise<Standing> {
  const params = { id: device, command: randomUUID() };
  let standing = await askHub(flags, deviceCommands.command, { params, body });
  if (standing.reply === null) await tellWhereItWaits(flags, standing);
  for (let waited = 0; standing.reply === null && waited < flags.wait * 1000; waited += LOOK_MS) {
    await sleep(LOOK_MS);
    standing = await askHub(flags, deviceCommands.showCommand, { params });
  }
  return standing;
}

/** Who asks a device that is away should know it now, and not after a minute. */
async function tellWhereItWaits(flags: Remote, { device, command, deadline }: Standing): Promise<void> {
  const line = await askHub(flags, fleet.show, { params: { id: device } });
  if (line.link.state === 'online') return;
  console.error(printable(`${device}: ${linkText(line)}; ${command} waits for it until ${deadline}`));
}

/** Throws what the device or the hub has refused it with, and where there is no answer yet. */
function doneOf({ reply, device, command, deadline }: Standing): Done {
  if (reply?.outcome === 'done') return reply;
  if (reply === null)
    throw new AdbreakError(
      'timed_out',
      `${device} has not answered yet: ${command} waits for it until ${deadline}`,
      {
        remedy: `It is carried out when the device is there: look again with \`adbreak devices commands ${device}\`.`,
      },
    );
  const { code, message, remedy } = reply.error;
  throw new AdbreakError(isErrorCode(code) ? code : 'internal', message, {
    remedy: remedy || ERROR_CODES.internal.remedy,
  });
}

function doneLine(reply: Done): string {
  switch (reply.command) {
    case 'restart':
    case 'reload':
      return `${reply.command} done at ${reply.at}, version ${reply.agent}`;
    case 'identify':
      return shownText(reply.by);
    case 'collect-logs':
      return `${reply.lines.length} lines`;
    case 'benchmark': {
      const { model, runtime, inferences, latency, memoryMb } = reply;
      return `${model.version} on ${runtime}: ${inferences} inferences, half of them within ${medianOf(latency)} ms, ${memoryMb} MiB`;
    }
  }
}

function shownText(by: readonly ('led' | 'page')[]): string {
  const shown = `it shows itself: ${by.join(' and ')}`;
  return by.includes('led') ? shown : `${shown}; it has no light that its agent may blink`;
}

/** The upper end of the bucket with the median: bucket b begins at 2^(b/4) ms. */
function medianOf(latency: readonly (readonly [bucket: number, count: number])[]): string {
  const all = latency.reduce((sum, [, count]) => sum + count, 0);
  let below = 0;
  for (const [bucket, count] of latency.toSorted((a, b) => a[0] - b[0])) {
    below += count;
    if (2 * below >= all) return (2 ** ((bucket + 1) / 4)).toPrecision(3);
  }
  return '0';
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}
function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('It must be a number from 0.');
  return value;
}
