import { z } from 'zod';
import { COMMAND_ID, refusedReply } from './commands.js';
import { instantSchema } from './instant.js';
import { modelRef } from './manifest.js';
import { sparse } from './sparse.js';
import { DEVICE_ID } from './topics.js';

/** What the hub asks a device to do once. What a device shall be is no command: it is its desired state. */

/** How long a command may wait for a device that is off. */
export const DEVICE_DEADLINE_MS = 7 * 24 * 3_600_000;

const MOST_COUNT = 1e9;
const MOST_LINES = 1000;
const count = z.int().nonnegative().max(MOST_COUNT);
const instant = instantSchema();

const timing = {
  sent: instant.describe('When the hub sent this message, by its clock.'),
  deadline: instant.describe(
    'Until when it may be begun, by the clock of the hub: a device counts `deadline` - `sent` from when it came.',
  ),
};

/** A device may be older than the hub: unknown fields are left out, an unknown command is refused. */
export const deviceCommand = z.discriminatedUnion('command', [
  z.object({
    command: z
      .enum(['restart', 'reload'])
      .describe('`restart`: the program ends and begins anew; `reload`: it reads its configuration again.'),
    ...timing,
  }),
  z.object({
    command: z.literal('collect-logs').describe('Send the last lines of the log.'),
    ...timing,
    lines: z.int().min(1).max(MOST_LINES).default(200).describe('How many at most.'),
  }),
  z.object({
    command: z.literal('benchmark').describe('Measure the acting model on test patterns.'),
    ...timing,
    seconds: z.int().min(1).max(60).default(10).describe('For how long.'),
  }),
  z.object({
    command: z.literal('identify').describe('Be found: blink, and say so on the status page.'),
    ...timing,
    seconds: z.int().min(1).max(600).default(30).describe('For how long.'),
  }),
]);
export type DeviceCommand = z.infer<typeof deviceCommand>;

/** How long after its arrival a command may be begun, milliseconds; measured by a clock that nobody sets. */
export function patienceOf({ sent, deadline }: Pick<DeviceCommand, 'sent' | 'deadline'>): number {
  return Math.max(0, Date.parse(deadline) - Date.parse(sent));
}

const done = {
  outcome: z.literal('done').describe('It was carried out.'),
  at: instant.describe('When, by the clock of the device.'),
};
const doneReply = z.discriminatedUnion('command', [
  z.strictObject({
    ...done,
    command: z.enum(['restart', 'reload']).describe('They are answered by the program that began.'),
    agent: z.string().max(40).describe('Version of the program that runs now.'),
  }),
  z.strictObject({
    ...done,
    command: z.literal('collect-logs').describe('The log of the device.'),
    lines: z
      .array(z.string().max(2000))
      .max(MOST_LINES)
      .describe('Oldest first, without secrets and control characters.'),
    cut: z.boolean().describe('Lines were left out so that the message keeps its limit.'),
  }),
  z.strictObject({
    ...done,
    command: z.literal('benchmark').describe('How fast the acting model is.'),
    model: modelRef.describe('What was measured.'),
    runtime: z.string().max(40).describe('Which runtime ran it.'),
    inferences: count.describe('How many were made.'),
    latency: sparse<[bucket: number, count: number]>([63, MOST_COUNT], 64).describe(
      '[bucket, inferences], in the buckets of window reports.',
    ),
    memoryMb: count.describe('Largest memory of the program and its children together, MiB; 0: not known.'),
  }),
  z.strictObject({
    ...done,
    command: z.literal('identify').describe('That it can be found.'),
    by: z
      .array(z.enum(['led', 'page']))
      .max(2)
      .describe('How it showed itself.'),
  }),
]);
export const deviceReply = z.discriminatedUnion('outcome', [doneReply, refusedReply.strict()]);
export type DeviceReply = z.infer<typeof deviceReply>;

const ROOT = 'adbreak/v1/devices';
/** Who writes: the hub commands, the device answers. */
export const COMMAND_TOPICS = { commands: 'hub', replies: 'device' } as const;
export type CommandTopic = keyof typeof COMMAND_TOPICS;

export function commandTopic(device: string, kind: CommandTopic, id: string): string {
  return `${ROOT}/${device}/${kind}/${id}`;
}
/** What a device subscribes to, beside its desired state; no other wildcard. */
export function commandFilter(device: string): string {
  return `${ROOT}/${device}/commands/+`;
}

/** Device, kind and command of a topic, or null for any other. */
export function parseCommandTopic(topic: string): { device: string; kind: CommandTopic; id: string } | null {
  const [device = '', kind = '', id = '', ...more] = topic.startsWith(`${ROOT}/`)
    ? topic.slice(ROOT.length + 1).split('/')
    : [];
  if (more.length > 0 || !DEVICE_ID.test(device) || !COMMAND_ID.test(id) || !isCommandTopic(kind))
    return null;
  return { device, kind, id };
}

function isCommandTopic(kind: string): kind is CommandTopic {
  return Object.hasOwn(COMMAND_TOPICS, kind);
}
