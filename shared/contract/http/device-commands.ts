import { z } from 'zod';
import { COMMAND_ID } from '../commands.js';
import { deviceReply } from '../device-commands.js';
import { deviceId } from '../messages.js';
import { deviceParams, instant } from './common.js';
import { contract } from './contract.js';

const params = z.object({
  id: deviceId,
  command: z.string().regex(COMMAND_ID, 'must be 8 to 64 lower-case letters, digits and dashes'),
});
/** Until when it may be begun, at most seven days ahead. */
const deadline = instant;

/** Commands as docs/protocol/device-commands.md has them; when they are sent, the hub says. */
const body = z.discriminatedUnion('command', [
  z.strictObject({ command: z.enum(['restart', 'reload']), deadline }),
  z.strictObject({
    command: z.literal('collect-logs'),
    deadline,
    lines: z.int().min(1).max(1000).default(200),
  }),
  z.strictObject({
    command: z.literal('benchmark'),
    deadline,
    seconds: z.int().min(1).max(60).default(10),
  }),
  z.strictObject({
    command: z.literal('identify'),
    deadline,
    seconds: z.int().min(1).max(600).default(30),
  }),
]);

const standing = {
  id: z.string(),
  device: z.string(),
  command: z.enum(['restart', 'reload', 'collect-logs', 'benchmark', 'identify']),
  who: z.string(),
  asked: instant,
  deadline: instant,
};
/** A command to a device, and what became of it. */
export const commandView = z.object({
  ...standing,
  /** Null while it may still be begun, or is being carried out. */
  reply: deviceReply.nullable(),
});

const command = contract({
  method: 'PUT',
  path: '/api/v1/devices/{id}/commands/{command}',
  access: 'operator',
  summary: 'Asks a device to do something once; it waits for a device that is off, until its deadline.',
  more: 'The same command under the same name again is one command. Its reply comes to GET of the same path.',
  params,
  body,
  bodyIs: 'the command',
  answer: commandView,
});
const showCommand = contract({
  method: 'GET',
  path: '/api/v1/devices/{id}/commands/{command}',
  access: 'operator',
  summary: 'A command to a device, with what it has answered.',
  params,
  answer: commandView,
});
const listCommands = contract({
  method: 'GET',
  path: '/api/v1/devices/{id}/commands',
  access: 'operator',
  summary: 'Commands to a device, oldest first, without what they have brought.',
  params: deviceParams,
  answer: z.object({
    commands: z.array(
      z.object({ ...standing, outcome: z.enum(['waiting', 'done', 'refused']), code: z.string().nullable() }),
    ),
  }),
});

/** Operations of devices: `devices.command`. */
export const deviceCommands = { command, showCommand, listCommands };
